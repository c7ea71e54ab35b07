package eval

import (
	"cmp"
	"slices"

	"github.com/winnowgate/winnow/model"
)

// PrecisionAt is how often a product that is found severe is severe, where traffic has that share of severe products.
type PrecisionAt struct {
	SevereShare float64  `json:"severe_share"`
	Precision   float64  `json:"precision"`
	Interval    Interval `json:"interval"`
}

func trafficShares() []float64 { return []float64{0.01, 0.02, 0.04, 0.08} }

// precisionAt weighs the products of each label by the label's share in the mix; a label without products has no say. Each
// end of the interval takes that end of every label's rate which makes the precision least, or most.
func (t *tally) precisionAt(mix Mix) PrecisionAt {
	at := PrecisionAt{SevereShare: mix.Severe, Interval: Interval{0, 1}}
	if t.products[model.LabelSevere] == 0 || t.products[model.LabelWeak]+t.products[model.LabelRelevant] == 0 {
		return at
	}
	harmless := slices.DeleteFunc([]string{model.LabelWeak, model.LabelRelevant}, func(label string) bool { return t.products[label] == 0 })
	rest := 0.0
	for _, label := range harmless {
		rest += mix.share(label)
	}
	var right, wrong [3]float64 // as counted, where the precision is least, and where it is most
	for i, rate := range t.rates(model.LabelSevere) {
		right[i] = mix.Severe * rate
	}
	for _, label := range harmless {
		share := 1 - mix.Severe
		if rest > 0 {
			share *= mix.share(label) / rest
		}
		rates := t.rates(label)
		for i, rate := range []float64{rates[0], rates[2], rates[1]} {
			wrong[i] += share * rate
		}
	}
	precision := func(i int) float64 {
		if right[i] == 0 {
			return 0
		}
		return right[i] / (right[i] + wrong[i])
	}
	at.Precision, at.Interval = precision(0), Interval{precision(1), precision(2)}
	return at
}

// rates returns the share of the label's products that are found severe, and the ends of its interval.
func (t *tally) rates(label string) [3]float64 {
	ends := clopperPearson(t.called[label], t.products[label])
	return [3]float64{ratio(t.called[label], t.products[label]), ends[0], ends[1]}
}

// severeFound counts the severe pairs that are ranked above as many others as falsePositives, a share of those, allows. Equal scores
// stand or fall together; a pair without a score is not found.
func severeFound(scored []Scored, falsePositives float64) (severe, of int) {
	ordered := withScores(scored)
	slices.SortFunc(ordered, func(a, b Scored) int { return cmp.Compare(b.Probabilities.Severe, a.Probabilities.Severe) })
	positives := countSevere(scored)
	allowed := falsePositives * float64(len(scored)-positives)
	hits, most := 0, 0
	for i, pair := range ordered {
		hits += one(pair.Label == model.LabelSevere)
		last := i+1 == len(ordered) || ordered[i+1].Probabilities.Severe < pair.Probabilities.Severe
		if last && float64(i+1-hits) <= allowed {
			most = hits
		}
	}
	return most, positives
}
