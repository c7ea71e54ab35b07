package eval

import (
	"cmp"
	"slices"

	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor/judge"
)

// mostPoints keeps a curve readable and its file small; between two points it is straight.
const mostPoints = 200

// PrecisionPoint is what a severe threshold does: which share of the pairs it calls violations are severe, and which share
// of the severe pairs it calls violations.
type PrecisionPoint struct {
	SevereThreshold float64 `json:"severe_threshold"`
	Precision       float64 `json:"precision"`
	Recall          float64 `json:"recall"`
}

// ReviewPoint is what a review threshold does while the severe threshold stays where it is.
type ReviewPoint struct {
	ReviewThreshold   float64 `json:"review_threshold"`
	FalseApprovalRate float64 `json:"false_approval_rate"`
	ReviewRate        float64 `json:"review_rate"`
	Coverage          float64 `json:"coverage"` // share of pairs that are decided without a person
	Risk              float64 `json:"risk"`     // share of those decisions that are wrong: a severe pair approved, or another called a violation
}

// CalibrationBin holds the pairs whose top label's probability lies in one tenth.
type CalibrationBin struct {
	Confidence float64 `json:"confidence"` // mean probability of the top label
	Accuracy   float64 `json:"accuracy"`   // share of pairs whose top label is theirs
	Pairs      int     `json:"pairs"`
}

// Confusion counts pairs by their label and the label with the largest probability.
type Confusion struct {
	Label     string `json:"label"`
	Predicted string `json:"predicted"` // "" for pairs without a score
	Pairs     int    `json:"pairs"`
}

func confusion(scored []Scored) []Confusion {
	counts := map[[2]string]int{}
	for _, pair := range scored {
		label, _ := predicted(pair.Probabilities)
		counts[[2]string{pair.Label, label}]++
	}
	var cells []Confusion
	for _, label := range labels() {
		for _, said := range append(labels(), "") {
			if count := counts[[2]string{label, said}]; count > 0 || said != "" {
				cells = append(cells, Confusion{label, said, count})
			}
		}
	}
	return cells
}

// precisionRecall has a point for each step of the ranking by P(severe); a pair without a score is no violation.
func precisionRecall(scored []Scored) []PrecisionPoint {
	ordered := withScores(scored)
	slices.SortFunc(ordered, func(a, b Scored) int { return cmp.Compare(b.Probabilities.Severe, a.Probabilities.Severe) })
	positives := countSevere(scored)
	if positives == 0 {
		return nil
	}
	var points []PrecisionPoint
	found := 0
	for i, pair := range ordered {
		if pair.Label == model.LabelSevere {
			found++
		}
		if i+1 < len(ordered) && ordered[i+1].Probabilities.Severe == pair.Probabilities.Severe {
			continue
		}
		points = append(points, PrecisionPoint{pair.Probabilities.Severe, ratio(found, i+1), ratio(found, positives)})
	}
	return points
}

// reviewCurve moves the review threshold over every score below severe. Pairs without a score are always reviewed.
func reviewCurve(scored []Scored, severe float64) []ReviewPoint {
	ordered := withScores(scored)
	slices.SortFunc(ordered, func(a, b Scored) int { return cmp.Compare(a.Probabilities.Severe, b.Probabilities.Severe) })
	violations, wrongViolations := 0, 0
	for _, pair := range ordered {
		if pair.Probabilities.Severe >= severe {
			violations++
			if pair.Label != model.LabelSevere {
				wrongViolations++
			}
		}
	}
	positives, approved, missed := countSevere(scored), 0, 0
	var points []ReviewPoint
	for i, pair := range ordered {
		if pair.Probabilities.Severe >= severe {
			break
		}
		if i == 0 || pair.Probabilities.Severe > ordered[i-1].Probabilities.Severe {
			decided := approved + violations
			points = append(points, ReviewPoint{
				ReviewThreshold: pair.Probabilities.Severe, FalseApprovalRate: ratio(missed, positives),
				ReviewRate: ratio(len(scored)-decided, len(scored)), Coverage: ratio(decided, len(scored)),
				Risk: ratio(missed+wrongViolations, decided),
			})
		}
		approved++
		if pair.Label == model.LabelSevere {
			missed++
		}
	}
	return points
}

func calibrationBins(scored []Scored) []CalibrationBin {
	var bins [10]CalibrationBin
	for _, pair := range scored {
		label, probability := predicted(pair.Probabilities)
		bin := &bins[min(int(probability*10), 9)]
		bin.Pairs++
		bin.Confidence += probability
		if label == pair.Label {
			bin.Accuracy++
		}
	}
	var filled []CalibrationBin
	for _, bin := range bins {
		if bin.Pairs > 0 {
			bin.Confidence /= float64(bin.Pairs)
			bin.Accuracy /= float64(bin.Pairs)
			filled = append(filled, bin)
		}
	}
	return filled
}

// reviewChoices are the review thresholds that send the fewest pairs to review for a number of false-approval rates.
func reviewChoices(curve []ReviewPoint) []ReviewPoint {
	var choices []ReviewPoint
	for _, rate := range []float64{0.005, 0.01, 0.02, 0.03, 0.05, 0.10} {
		last := -1
		for i, point := range curve {
			if point.FalseApprovalRate <= rate {
				last = i
			}
		}
		if last >= 0 && (len(choices) == 0 || choices[len(choices)-1] != curve[last]) {
			choices = append(choices, curve[last])
		}
	}
	return choices
}

// severeChoices are the severe thresholds that find the most violations for a number of precisions.
func severeChoices(curve []PrecisionPoint) []PrecisionPoint {
	var choices []PrecisionPoint
	for _, precision := range []float64{0.80, 0.90, 0.95, 0.98} {
		last := -1
		for i, point := range curve {
			if point.Precision >= precision {
				last = i
			}
		}
		if last >= 0 && (len(choices) == 0 || choices[len(choices)-1] != curve[last]) {
			choices = append(choices, curve[last])
		}
	}
	return choices
}

// Mistake is a pair whose own label got a low probability.
type Mistake struct {
	Pair
	Predicted string        `json:"predicted"`
	Severe    float64       `json:"severe"` // P(severe)
	Outcome   judge.Outcome `json:"outcome"`
}

// mostMistakes is how many of each kind a report lists.
const mostMistakes = 25

// falseApprovals are the severe pairs that would be approved, the least suspected first.
func falseApprovals(scored []Scored) []Mistake {
	return mistakes(scored, func(pair Scored) bool {
		return pair.Label == model.LabelSevere && pair.Outcome == judge.Approved
	}, func(a, b Mistake) int { return cmp.Compare(a.Severe, b.Severe) })
}

// falseViolations are the harmless pairs that would be refused as severe, the surest first.
func falseViolations(scored []Scored) []Mistake {
	return mistakes(scored, func(pair Scored) bool {
		return pair.Label != model.LabelSevere && pair.Outcome == judge.Severe
	}, func(a, b Mistake) int { return cmp.Compare(b.Severe, a.Severe) })
}

func mistakes(scored []Scored, wrong func(Scored) bool, order func(a, b Mistake) int) []Mistake {
	found := []Mistake{}
	for _, pair := range scored {
		if wrong(pair) {
			label, _ := predicted(pair.Probabilities)
			found = append(found, Mistake{pair.Pair, label, pair.Probabilities.Severe, pair.Outcome})
		}
	}
	slices.SortStableFunc(found, order)
	return found[:min(len(found), mostMistakes)]
}

func withScores(scored []Scored) []Scored {
	return slices.DeleteFunc(slices.Clone(scored), func(pair Scored) bool { return !pair.Probabilities.Valid() })
}

func countSevere(scored []Scored) int {
	count := 0
	for _, pair := range scored {
		if pair.Label == model.LabelSevere {
			count++
		}
	}
	return count
}

// thinned keeps at most mostPoints of a curve, evenly, with both ends.
func thinned[T any](points []T) []T {
	if len(points) <= mostPoints {
		return points
	}
	kept := make([]T, mostPoints)
	for i := range kept {
		kept[i] = points[i*(len(points)-1)/(mostPoints-1)]
	}
	return kept
}
