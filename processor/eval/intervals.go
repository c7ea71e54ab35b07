package eval

import "gonum.org/v1/gonum/mathext"

// Interval holds the ends of a 95 % confidence interval.
type Interval [2]float64

// clopperPearson is the exact interval of a share of which part of whole was counted; of nothing it is everything.
func clopperPearson(part, whole int) Interval {
	const tail = 0.025
	interval := Interval{0, 1}
	if part > 0 {
		interval[0] = mathext.InvRegIncBeta(float64(part), float64(whole-part+1), tail)
	}
	if part < whole {
		interval[1] = mathext.InvRegIncBeta(float64(part+1), float64(whole-part), 1-tail)
	}
	return interval
}
