package eval

import (
	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor/judge"
)

// Shares is what a policy makes of placements; one of nothing is 0. Clean placements hold no product labelled severe.
type Shares struct {
	Placements           int     `json:"placements"`
	CleanApproved        float64 `json:"clean_approved"`          // of clean placements; so are the next two
	CleanKilled          float64 `json:"clean_killed"`            // refused as severe
	CleanHeld            float64 `json:"clean_held"`              // sent to review
	SevereShown          float64 `json:"severe_shown"`            // of severe products: they stand in what is approved
	RelevantKept         float64 `json:"relevant_kept"`           // of relevant products in approved placements
	SeverePrecision      float64 `json:"severe_precision"`        // of products found severe: they are labelled so
	HardSafeCalledSevere float64 `json:"hard_safe_called_severe"` // of relevant and weak products under themes that have severe ones

	Counts    map[string][2]int   `json:"counts"`    // key of a share -> its part and its whole
	Intervals map[string]Interval `json:"intervals"` // key of a share -> its Clopper-Pearson interval
}

// tally counts placements by what a policy makes of them.
type tally struct {
	placements, clean, approved, killed int // the last two of clean ones
	shown                               int // severe products in approved placements
	relevant, kept                      int // relevant products of approved placements
	hardSafe, hardSafeCalled            int
	products, called                    map[string]int // by label: all, and those found severe
}

func newTally() *tally { return &tally{products: map[string]int{}, called: map[string]int{}} }

// add counts one placement. labels are those of the products found; hard says that its theme has severe products in the file.
func (t *tally) add(policy judge.Policy, findings []judge.Finding, labels []string, hard bool) {
	outcome := policy.Settle(findings).Outcome
	clean := true
	for i, finding := range findings {
		label, severe := labels[i], finding.Class == judge.ClassSevere
		t.products[label]++
		if severe {
			t.called[label]++
		}
		kept := outcome == judge.Approved && policy.Keeps(finding.Class)
		switch {
		case label == model.LabelSevere:
			clean = false
			t.shown += one(kept)
		case label == model.LabelRelevant && outcome == judge.Approved:
			t.relevant++
			t.kept += one(kept)
		}
		if hard && label != model.LabelSevere {
			t.hardSafe++
			t.hardSafeCalled += one(severe)
		}
	}
	t.placements++
	t.clean += one(clean)
	t.approved += one(clean && outcome == judge.Approved)
	t.killed += one(clean && outcome == judge.Severe)
}

func one(counts bool) int {
	if counts {
		return 1
	}
	return 0
}

func (t *tally) shares() Shares {
	called := t.called[model.LabelSevere] + t.called[model.LabelWeak] + t.called[model.LabelRelevant]
	shares := Shares{Placements: t.placements, Counts: map[string][2]int{}, Intervals: map[string]Interval{}}
	for _, counted := range []struct {
		key         string
		share       *float64
		part, whole int
	}{
		{"clean_approved", &shares.CleanApproved, t.approved, t.clean},
		{"clean_killed", &shares.CleanKilled, t.killed, t.clean},
		{"clean_held", &shares.CleanHeld, t.clean - t.approved - t.killed, t.clean},
		{"severe_shown", &shares.SevereShown, t.shown, t.products[model.LabelSevere]},
		{"relevant_kept", &shares.RelevantKept, t.kept, t.relevant},
		{"severe_precision", &shares.SeverePrecision, t.called[model.LabelSevere], called},
		{"hard_safe_called_severe", &shares.HardSafeCalledSevere, t.hardSafeCalled, t.hardSafe},
	} {
		*counted.share = ratio(counted.part, counted.whole)
		shares.Counts[counted.key] = [2]int{counted.part, counted.whole}
		shares.Intervals[counted.key] = clopperPearson(counted.part, counted.whole)
	}
	return shares
}
