package eval

import (
	"cmp"
	"slices"

	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor/judge"
)

// Miss is a product by which a placement is decided wrongly.
type Miss struct {
	PlacementID string `json:"placement_id"`
	Pair
	Severe float64 `json:"severe"`         // P(severe); 0 where the model has not read it
	Rule   string  `json:"rule,omitempty"` // that decided it
}

// misses are the severe products that stand in approved placements, the least suspected first.
func (j judged) misses() []Miss {
	misses := []Miss{}
	for i, placement := range j.file.Placements {
		if j.policy.Settle(j.found[i]).Outcome != judge.Approved {
			continue
		}
		for k, finding := range j.found[i] {
			if miss := j.miss(placement, k, finding); miss.Label == model.LabelSevere && j.policy.Keeps(finding.Class) {
				misses = append(misses, miss)
			}
		}
	}
	return worst(misses, func(a, b Miss) int { return cmp.Compare(a.Severe, b.Severe) })
}

// falseKills are the products for which clean placements are refused, of each the surest, and the surest first.
func (j judged) falseKills() []Miss {
	bySeverity := func(a, b Miss) int { return cmp.Compare(b.Severe, a.Severe) }
	kills := []Miss{}
	for i, placement := range j.file.Placements {
		clean := !slices.Contains(j.labelsOf(placement.Pairs), model.LabelSevere)
		if !clean || j.policy.Settle(j.found[i]).Outcome != judge.Severe {
			continue
		}
		var blamed []Miss
		for k, finding := range j.found[i] {
			if finding.Class == judge.ClassSevere {
				blamed = append(blamed, j.miss(placement, k, finding))
			}
		}
		kills = append(kills, slices.MinFunc(blamed, bySeverity))
	}
	return worst(kills, bySeverity)
}

func (j judged) miss(placement Placement, at int, finding judge.Finding) Miss {
	miss := Miss{PlacementID: placement.ID, Pair: j.file.Pairs[placement.Pairs[at]], Rule: finding.Rule}
	if p := finding.Product.Probabilities; p.Valid() {
		miss.Severe = p.Severe
	}
	return miss
}

func worst(misses []Miss, order func(a, b Miss) int) []Miss {
	slices.SortStableFunc(misses, order)
	return misses[:min(len(misses), mostMistakes)]
}
