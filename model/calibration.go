package model

import (
	"math"
	"slices"
)

// The labels that a graph's columns carry.
const (
	LabelRelevant = "relevant"
	LabelWeak     = "weak"
	LabelSevere   = "severe"
)

// Probabilities are the calibrated probabilities of one (theme, title) pair. They sum to 1, or are NaN where the logits
// were not finite.
type Probabilities struct{ Relevant, Weak, Severe float64 }

// Valid reports whether all three are probabilities; NaN is not.
func (p Probabilities) Valid() bool {
	return p.Relevant >= 0 && p.Weak >= 0 && p.Severe >= 0 && math.Abs(p.Relevant+p.Weak+p.Severe-1) < 1e-6
}

// Logits are one pair's outputs of the graph, in the order of Manifest.Labels.
type Logits [3]float32

// Calibrate returns softmax(logits / temperature + biases), by label; NaN for all where one logit is not finite, which softmax alone
// would let pass: minus infinity would become a probability of 0.
func (m *Manifest) Calibrate(logits Logits) Probabilities {
	for _, logit := range logits {
		if value := float64(logit); math.IsNaN(value) || math.IsInf(value, 0) {
			return Probabilities{math.NaN(), math.NaN(), math.NaN()}
		}
	}
	var weights [3]float64
	top := math.Inf(-1)
	for i, logit := range logits {
		weights[i] = float64(logit) / m.Calibration.Temperature
		if len(m.Calibration.Biases) > 0 {
			weights[i] += m.Calibration.Biases[i]
		}
		top = math.Max(top, weights[i])
	}
	sum := 0.0
	for i, weight := range weights {
		weights[i] = math.Exp(weight - top)
		sum += weights[i]
	}
	column := func(label string) float64 { return weights[slices.Index(m.Labels, label)] / sum }
	return Probabilities{column(LabelRelevant), column(LabelWeak), column(LabelSevere)}
}
