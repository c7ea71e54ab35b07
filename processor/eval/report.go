package eval

import (
	"cmp"
	"math"
	"slices"

	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor/judge"
)

// Scored is a judged pair with what the gate made of it.
type Scored struct {
	Pair
	Probabilities model.Probabilities // invalid where the gate gave no score
	Outcome       judge.Outcome       // of a placement that holds this pair alone
}

// Report is what a labelled file says about a gate; its JSON is part of the command's contract. Figures that the file
// can't answer, because it holds no severe pair or nothing else, are 0.
type Report struct {
	Pairs                    int     `json:"pairs"`
	SevereAUC                float64 `json:"severe_auc"`
	SevereAveragePrecision   float64 `json:"severe_average_precision"`
	MacroF1                  float64 `json:"macro_f1"`
	FalseApprovalRate        float64 `json:"false_approval_rate"` // severe pairs that would be approved
	ReviewRate               float64 `json:"review_rate"`
	ExpectedCalibrationError float64 `json:"expected_calibration_error"`
	PairsPerSecond           float64 `json:"pairs_per_second"`
	Model                    string  `json:"model"`

	SevereThreshold float64          `json:"severe_threshold"`
	ReviewThreshold float64          `json:"review_threshold"`
	Severe          int              `json:"severe"` // pairs labelled so
	Confusion       []Confusion      `json:"confusion"`
	PrecisionRecall []PrecisionPoint `json:"precision_recall"` // by falling severe threshold
	ReviewCurve     []ReviewPoint    `json:"review_curve"`     // by rising review threshold
	Calibration     []CalibrationBin `json:"calibration"`
	SevereChoices   []PrecisionPoint `json:"severe_choices"` // severe thresholds to choose from
	ReviewChoices   []ReviewPoint    `json:"review_choices"` // review thresholds to choose from
	FalseApprovals  []Mistake        `json:"false_approvals"`
	FalseViolations []Mistake        `json:"false_violations"`
}

// Measure computes every figure but the speed and the model's name. A pair without a score counts as most severe where
// pairs are ranked, as wrong where labels are compared, and by its outcome where thresholds decide.
func Measure(scored []Scored, policy judge.Policy) Report {
	report := Report{
		Pairs: len(scored), Severe: countSevere(scored),
		SevereThreshold: policy.SevereThreshold, ReviewThreshold: policy.ReviewThreshold,
	}
	missed, reviewed := 0, 0
	for _, pair := range scored {
		if pair.Label == model.LabelSevere && pair.Outcome == judge.Approved {
			missed++
		}
		if pair.Outcome == judge.Review {
			reviewed++
		}
	}
	report.ReviewRate = ratio(reviewed, len(scored))
	report.FalseApprovalRate = ratio(missed, report.Severe)
	report.SevereAUC, report.SevereAveragePrecision = ranking(scored, report.Severe)
	report.MacroF1 = macroF1(scored)
	report.Confusion = confusion(scored)
	report.Calibration = calibrationBins(scored)
	report.ExpectedCalibrationError = calibrationError(report.Calibration, len(scored))
	precisions, reviews := precisionRecall(scored), reviewCurve(scored, policy.SevereThreshold)
	report.PrecisionRecall, report.SevereChoices = thinned(precisions), severeChoices(precisions)
	report.ReviewCurve, report.ReviewChoices = thinned(reviews), reviewChoices(reviews)
	report.FalseApprovals, report.FalseViolations = falseApprovals(scored), falseViolations(scored)
	return report
}

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// ranking returns the area under the ROC curve and the average precision of P(severe). Equal scores count as one step.
func ranking(scored []Scored, positives int) (auc, averagePrecision float64) {
	negatives := len(scored) - positives
	if positives == 0 || negatives == 0 {
		return 0, 0
	}
	ordered := slices.Clone(scored)
	slices.SortFunc(ordered, func(a, b Scored) int { return cmp.Compare(severity(b), severity(a)) })
	above, falseAbove := 0, 0
	for start := 0; start < len(ordered); {
		end, step := start, 0
		for ; end < len(ordered) && severity(ordered[end]) == severity(ordered[start]); end++ {
			if ordered[end].Label == model.LabelSevere {
				step++
			}
		}
		falseStep := end - start - step
		auc += float64(falseStep) * (float64(above) + float64(step)/2)
		above, falseAbove = above+step, falseAbove+falseStep
		averagePrecision += float64(step) * float64(above) / float64(above+falseAbove)
		start = end
	}
	return auc / float64(positives) / float64(negatives), averagePrecision / float64(positives)
}

func severity(pair Scored) float64 {
	if !pair.Probabilities.Valid() {
		return math.Inf(1)
	}
	return pair.Probabilities.Severe
}

func predicted(p model.Probabilities) (label string, confidence float64) {
	if !p.Valid() {
		return "", 0
	}
	values := []float64{p.Relevant, p.Weak, p.Severe}
	best := slices.Max(values)
	return labels()[slices.Index(values, best)], best
}

// macroF1 is the mean F1 over the labels that occur among labels or predictions.
func macroF1(scored []Scored) float64 {
	hit, said, is := map[string]int{}, map[string]int{}, map[string]int{}
	for _, pair := range scored {
		label, _ := predicted(pair.Probabilities)
		said[label]++
		is[pair.Label]++
		if label == pair.Label {
			hit[label]++
		}
	}
	sum, count := 0.0, 0
	for _, label := range labels() {
		if said[label]+is[label] > 0 {
			sum += ratio(2*hit[label], said[label]+is[label])
			count++
		}
	}
	return sum / math.Max(float64(count), 1)
}

// calibrationError is the mean gap between confidence and accuracy over the bins, weighted by how many pairs each holds.
func calibrationError(bins []CalibrationBin, pairs int) float64 {
	gap := 0.0
	for _, bin := range bins {
		gap += math.Abs(bin.Confidence-bin.Accuracy) * float64(bin.Pairs)
	}
	return gap / math.Max(float64(pairs), 1)
}
