package model

import "fmt"

// weakOfFormat1 stands in for a threshold that format 1 did not fit: what is likelier weak than anything else.
const weakOfFormat1 = 0.5

// manifest1 is what format 1 wrote where it differs from today's.
type manifest1 struct {
	Manifest
	Thresholds struct {
		Severe            float64 `json:"severe"`
		Review            float64 `json:"review"`
		Method            string  `json:"method"`
		Positives         int     `json:"positives"`
		Pairs             int     `json:"pairs"`
		MissedSevereBound float64 `json:"missed_severe_bound"`
		Coverage          float64 `json:"coverage"`
		Risk              float64 `json:"risk"`
	} `json:"thresholds"`
}

func parseFormat1(data []byte) (Manifest, error) {
	var old manifest1
	if err := decodeStrictly(data, &old); err != nil {
		return Manifest{}, err
	}
	manifest, was := old.Manifest, old.Thresholds
	manifest.Thresholds = Thresholds{
		Severe: Threshold{Value: was.Severe, Method: was.Method, Reached: was.Risk, Positives: was.Positives, Pairs: was.Pairs},
		Review: Threshold{Value: was.Review, Method: was.Method, Bound: was.MissedSevereBound, Positives: was.Positives, Pairs: was.Pairs},
		Weak:   Threshold{Value: weakOfFormat1, Method: "not fitted by format 1"},
	}
	return manifest, nil
}

// Lacks says in a sentence what a bundle of an earlier format is without, and what to do; "" for one of today's.
func (m *Manifest) Lacks() string {
	if m.Format == FormatVersion {
		return ""
	}
	return fmt.Sprintf("bundle %s is of format %d: its probabilities are calibrated for its training mix instead of traffic's, and no threshold for weak products was fitted (%v is used); build it again with winnow model build", m.Name, m.Format, weakOfFormat1)
}
