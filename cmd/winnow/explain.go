//go:build cgo

package main

import (
	"github.com/winnowgate/winnow/processor/gate"
	"github.com/winnowgate/winnow/processor/judge"
)

// explanation is what --explain adds to a verdict; its JSON is part of the command's contract.
type explanation struct {
	Thresholds thresholds  `json:"thresholds"`
	Products   []explained `json:"products"` // all, in the generator's order
}

type thresholds struct {
	Severe float64 `json:"severe"`
	Review float64 `json:"review"`
	Weak   float64 `json:"weak"`
}

type explained struct {
	ProductID string   `json:"product_id"`
	Title     string   `json:"title"`
	Relevant  float64  `json:"relevant"` // all three are 0 where the model has not read it
	Weak      float64  `json:"weak"`
	Severe    float64  `json:"severe"`
	Found     string   `json:"found"`           // relevant, duplicate, weak, uncertain, unscored or severe
	DecidedBy string   `json:"decided_by"`      // a rule, a threshold, or what else
	Unread    []string `json:"unread"`          // words and symbols of theme and title that the model can't read; never null
	Pruned    string   `json:"pruned"`          // the reason it was left out; "" where it was not
	Error     string   `json:"error,omitempty"` // why the rule could not be evaluated
}

// explainedLine is verdictLine with what led to the verdict.
func explainedLine(policy judge.Policy) answer {
	return func(placementID string, scored gate.Scored) line {
		line := verdictLine(policy)(placementID, scored)
		if scored.Err != nil {
			return line
		}
		findings := policy.Find(scored.Placement)
		explanation := &explanation{
			Thresholds: thresholds{Severe: policy.SevereThreshold, Review: policy.ReviewThreshold, Weak: policy.WeakThreshold},
			Products:   make([]explained, len(findings)),
		}
		for i, finding := range findings {
			explanation.Products[i] = explain(finding)
			if line.Verdict != string(judge.Severe) && !policy.Keeps(finding.Class) {
				explanation.Products[i].Pruned = string(finding.Reason())
			}
		}
		line.Explanation = explanation
		return line
	}
}

func explain(finding judge.Finding) explained {
	product := finding.Product
	said := explained{
		ProductID: product.ProductID, Title: product.Title, Found: string(finding.Class), DecidedBy: decidedBy(finding),
		Unread: append([]string{}, product.Unread...),
	}
	if p := product.Probabilities; p.Valid() {
		said.Relevant, said.Weak, said.Severe = p.Relevant, p.Weak, p.Severe
	}
	if finding.Err != nil {
		said.Error = finding.Err.Error()
	}
	return said
}

func decidedBy(finding judge.Finding) string {
	switch {
	case finding.Class == judge.ClassDuplicate:
		return "title" // of a product before it
	case finding.Rule != "":
		return "rule:" + finding.Rule
	}
	switch finding.Class {
	case judge.ClassSevere:
		return "severe_threshold"
	case judge.ClassUncertain:
		return "review_threshold"
	case judge.ClassWeak:
		return "weak_threshold"
	case judge.ClassUnscored:
		return "no_score"
	default:
		return "below_thresholds"
	}
}
