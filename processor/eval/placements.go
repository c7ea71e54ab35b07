package eval

import (
	"github.com/winnowgate/winnow/processor/judge"
)

// Figures is what a policy makes of placements as they stand, and of such as are made of their products.
type Figures struct {
	Shares
	SeverePrecisionAt []PrecisionAt `json:"severe_precision_at"` // by rising share of severe products
	At5               Shares        `json:"at_5"`                // of placements of 5 products
	At10              Shares        `json:"at_10"`
	At20              Shares        `json:"at_20"`
}

// PlacementReport is what a file of labelled placements says about a gate under its policy; its JSON is part of the command's
// contract.
type PlacementReport struct {
	Report // of the file's pairs, by the thresholds alone
	Figures
	RecallAt1PercentFalsePositives float64           `json:"recall_at_1_percent_false_positives"` // of severe pairs, ranked by P(severe)
	Families                       map[string]Shares `json:"families"`                            // of placements as they stand
	WithoutRules                   Figures           `json:"without_rules"`
	Rules                          []RuleCount       `json:"rules"`
	ReviewFrontier                 []ReviewStep      `json:"review_frontier"` // by rising threshold
	SevereFrontier                 []SevereStep      `json:"severe_frontier"` // by rising threshold
	Misses                         []Miss            `json:"misses"`
	FalseKills                     []Miss            `json:"false_kills"`
	Policy                         string            `json:"policy"`
	Mix                            Mix               `json:"mix"` // of the placements that are made
}

// MeasurePlacements computes every figure but the speed and the model's name from products, the file's pairs as the gate scored
// them.
func MeasurePlacements(file Labelled, products []judge.Product, policy judge.Policy, mix Mix) PlacementReport {
	bare := policy
	bare.Rules = nil
	with, without := judgeFile(policy, file, products), judgeFile(bare, file, products)
	scored := scoredPairs(file.Pairs, products, policy.ForPairs())
	report := PlacementReport{
		Report: Measure(scored, policy), Figures: with.figures(mix), WithoutRules: without.figures(mix),
		Families: with.families(), Rules: with.rules(without), Misses: with.misses(), FalseKills: with.falseKills(),
		ReviewFrontier: with.reviewFrontier(), SevereFrontier: with.severeFrontier(), Policy: policy.Version(), Mix: mix,
	}
	const recall = "recall_at_1_percent_false_positives"
	severe, of := severeFound(scored, 0.01)
	report.RecallAt1PercentFalsePositives = ratio(severe, of)
	report.Counts[recall], report.Intervals[recall] = [2]int{severe, of}, clopperPearson(severe, of)
	return report
}

func (j judged) figures(mix Mix) Figures {
	own := j.own(all)
	figures := Figures{Shares: own.shares(), At5: j.drawn(5, mix).shares(), At10: j.drawn(10, mix).shares(), At20: j.drawn(20, mix).shares()}
	for _, share := range trafficShares() {
		figures.SeverePrecisionAt = append(figures.SeverePrecisionAt, own.precisionAt(mix.withSevere(share)))
	}
	return figures
}

func (j judged) families() map[string]Shares {
	families := map[string]Shares{}
	for _, placement := range j.file.Placements {
		if _, counted := families[placement.Family]; placement.Family != "" && !counted {
			families[placement.Family] = j.own(func(of Placement) bool { return of.Family == placement.Family }).shares()
		}
	}
	return families
}

func scoredPairs(pairs []Pair, products []judge.Product, policy judge.Policy) []Scored {
	scored := make([]Scored, len(pairs))
	for i, pair := range pairs {
		outcome := policy.Judge(judge.Placement{Theme: pair.Theme, Products: products[i : i+1]}).Outcome
		scored[i] = Scored{Pair: pair, Probabilities: products[i].Probabilities, Outcome: outcome}
	}
	return scored
}
