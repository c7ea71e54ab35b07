package eval

import (
	"slices"

	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor/judge"
)

// ReviewStep is what a review threshold does to placements as they stand, while everything else stays.
type ReviewStep struct {
	ReviewThreshold float64 `json:"review_threshold"`
	SevereShown     float64 `json:"severe_shown"`
	RelevantKept    float64 `json:"relevant_kept"`
	CleanApproved   float64 `json:"clean_approved"`
	CleanHeld       float64 `json:"clean_held"`
}

// SevereStep is what a severe threshold does to placements as they stand, while everything else stays.
type SevereStep struct {
	SevereThreshold float64 `json:"severe_threshold"`
	CleanKilled     float64 `json:"clean_killed"`
	SeverePrecision float64 `json:"severe_precision"`
	SevereRecall    float64 `json:"severe_recall"` // of severe products: they are found severe
	SevereShown     float64 `json:"severe_shown"`
}

func (j judged) reviewFrontier() []ReviewStep {
	var steps []ReviewStep
	for _, threshold := range thresholds(j.policy.ReviewThreshold, 0, j.policy.SevereThreshold) {
		policy := j.policy
		policy.ReviewThreshold = threshold
		shares := j.again(policy).own(all).shares()
		steps = append(steps, ReviewStep{threshold, shares.SevereShown, shares.RelevantKept, shares.CleanApproved, shares.CleanHeld})
	}
	return steps
}

func (j judged) severeFrontier() []SevereStep {
	var steps []SevereStep
	for _, threshold := range thresholds(j.policy.SevereThreshold, j.policy.ReviewThreshold, 1) {
		policy := j.policy
		policy.SevereThreshold = threshold
		tally := j.again(policy).own(all)
		shares, recall := tally.shares(), tally.rates(model.LabelSevere)[0]
		steps = append(steps, SevereStep{threshold, shares.CleanKilled, shares.SeverePrecision, recall, shares.SevereShown})
	}
	return steps
}

// thresholds are round values from least to most, and the one in use.
func thresholds(inUse, least, most float64) []float64 {
	values := []float64{
		0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45,
		0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, inUse,
	}
	slices.Sort(values)
	return slices.Compact(slices.DeleteFunc(values, func(value float64) bool { return value < least || value > most }))
}

// again is what a policy with other thresholds and the same rules finds.
func (j judged) again(policy judge.Policy) judged {
	other := judged{policy: policy, file: j.file, hard: j.hard, found: make([][]judge.Finding, len(j.found))}
	for i, findings := range j.found {
		other.found[i] = policy.Again(findings)
	}
	return other
}
