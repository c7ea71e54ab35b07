package eval

import (
	"cmp"
	"context"
	"slices"

	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor/gate"
	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/processor/judge/rules"
)

// RulesReport says what rules change on labelled pairs; its JSON is part of the command's contract.
type RulesReport struct {
	Pairs   int         `json:"pairs"`
	Model   string      `json:"model"`
	Decided int         `json:"decided"` // pairs that a rule matches
	Changed int         `json:"changed"` // pairs that are found to be something else
	Without Found       `json:"without"` // how labels are decided without the rules
	With    Found       `json:"with"`
	Rules   []RuleCount `json:"rules"`   // in the order in which they are tried
	Changes []Change    `json:"changes"` // the worst first, at most mostChanges
}

// Found counts what decides whether a gate can be trusted.
type Found struct {
	SevereShown       int `json:"severe_shown"`
	SevereRefused     int `json:"severe_refused"` // found severe
	WeakShown         int `json:"weak_shown"`
	RelevantShown     int `json:"relevant_shown"`
	HarmlessCondemned int `json:"harmless_condemned"` // relevant or weak, and found severe
}

// RuleCount is what one rule decides.
type RuleCount struct {
	Name     string     `json:"name"`
	Then     rules.Then `json:"then"`
	Decided  int        `json:"decided"`
	Changed  int        `json:"changed"`
	Severe   int        `json:"severe"` // of Decided, labelled so; and the two below
	Weak     int        `json:"weak"`
	Relevant int        `json:"relevant"`
	Failed   int        `json:"failed"` // could not be evaluated
}

// Change is a pair that the rules decide otherwise.
type Change struct {
	Pair
	Rule   string      `json:"rule"`
	Before judge.Class `json:"before"`
	After  judge.Class `json:"after"`
	Severe float64     `json:"severe"`           // P(severe); 0 where the model has not read it
	Harm   int         `json:"harm"`             // above 0: the label says that the rule is wrong; below: that it is right
	Failed string      `json:"failed,omitempty"` // why the rule could not be evaluated
}

// mostChanges bounds the list of a report.
const mostChanges = 200

// CompareRules decides each pair as a product of its own by the gate's policy without rules, and with those of set.
func CompareRules(ctx context.Context, gate *gate.Gate, set *rules.Set, pairs []Pair, progress func(done int)) (RulesReport, error) {
	without, with := gate.Policy(), gate.Policy()
	without.Rules, with.Rules = nil, set
	read, err := score(ctx, gate, pairs, progress)
	if err != nil {
		return RulesReport{}, err
	}
	report := RulesReport{Pairs: len(pairs), Changes: []Change{}}
	counts := map[string]*RuleCount{}
	for _, rule := range set.Rules() {
		report.Rules = append(report.Rules, RuleCount{Name: rule.Name, Then: rule.Then})
	}
	for i := range report.Rules {
		counts[report.Rules[i].Name] = &report.Rules[i]
	}
	for i, placement := range read {
		before, after := without.Find(placement)[0], with.Find(placement)[0]
		report.Without.count(pairs[i].Label, before.Class)
		report.With.count(pairs[i].Label, after.Class)
		if after.Rule == "" {
			continue
		}
		report.Decided++
		counts[after.Rule].count(pairs[i].Label, after.Err)
		if before.Class != after.Class {
			report.Changed++
			counts[after.Rule].Changed++
			report.Changes = append(report.Changes, change(pairs[i], before, after))
		}
	}
	slices.SortStableFunc(report.Changes, func(a, b Change) int { return cmp.Compare(b.Harm, a.Harm) })
	report.Changes = report.Changes[:min(len(report.Changes), mostChanges)]
	return report, nil
}

func (f *Found) count(label string, class judge.Class) {
	shown := class == judge.ClassRelevant
	switch {
	case label == model.LabelSevere && shown:
		f.SevereShown++
	case label == model.LabelSevere && class == judge.ClassSevere:
		f.SevereRefused++
	case label == model.LabelWeak && shown:
		f.WeakShown++
	case label == model.LabelRelevant && shown:
		f.RelevantShown++
	case label != model.LabelSevere && class == judge.ClassSevere:
		f.HarmlessCondemned++
	}
}

func (c *RuleCount) count(label string, failed error) {
	c.Decided++
	switch label {
	case model.LabelSevere:
		c.Severe++
	case model.LabelWeak:
		c.Weak++
	default:
		c.Relevant++
	}
	if failed != nil {
		c.Failed++
	}
}

func change(pair Pair, before, after judge.Finding) Change {
	made := Change{Pair: pair, Rule: after.Rule, Before: before.Class, After: after.Class, Harm: harm(pair.Label, after.Class) - harm(pair.Label, before.Class)}
	if p := after.Product.Probabilities; p.Valid() {
		made.Severe = p.Severe
	}
	if after.Err != nil {
		made.Failed = after.Err.Error()
	}
	return made
}

// harm ranks mistakes: what must never be shown is; a placement is condemned for nothing; something is left out or shown that
// should not be.
func harm(label string, class judge.Class) int {
	shown := class == judge.ClassRelevant
	switch {
	case label == model.LabelSevere && shown:
		return 4
	case label == model.LabelSevere:
		return 0
	case class == judge.ClassSevere:
		return 3
	case shown != (label == model.LabelRelevant):
		return 1
	default:
		return 0
	}
}
