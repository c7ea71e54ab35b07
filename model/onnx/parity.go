package onnx

import (
	"fmt"
	"math"

	"github.com/winnowgate/winnow/model"
)

// mostFlips is the share of decisions in which a provider may differ from the CPU: what lies so near a threshold that
// another order of summation moves it.
const mostFlips = 0.005

// The decisions about one pair, from harmless to severe.
const (
	approved = iota
	review
	severe
)

// agreement says how a provider's decisions compare with the CPU's on the same pairs.
type agreement struct {
	pairs            int
	flips            int
	severeToApproved int
	largest          float64 // difference between two logits
}

// compare decides every pair twice, by the bundle's calibration and thresholds.
func compare(manifest *model.Manifest, reference, candidate []model.Logits) agreement {
	result := agreement{pairs: len(reference)}
	for i, wanted := range reference {
		got := candidate[i]
		was, is := decide(manifest, wanted), decide(manifest, got)
		if was != is {
			result.flips++
		}
		if was == severe && is == approved {
			result.severeToApproved++
		}
		for label := range wanted {
			result.largest = math.Max(result.largest, math.Abs(float64(wanted[label]-got[label])))
		}
	}
	return result
}

// decide is the part of the policy that one pair settles alone. What is no probability goes to a person.
func decide(manifest *model.Manifest, logits model.Logits) int {
	switch p := manifest.Calibrate(logits); {
	case !p.Valid():
		return review
	case p.Severe >= manifest.Thresholds.Severe.Value:
		return severe
	case p.Severe >= manifest.Thresholds.Review.Value:
		return review
	default:
		return approved
	}
}

// err refuses a provider that decides differently.
func (a agreement) err() error {
	if a.severeToApproved == 0 && float64(a.flips) <= mostFlips*float64(a.pairs) {
		return nil
	}
	return fmt.Errorf("it decides unlike the CPU: of %d pairs %d decisions differ (at most %.1f%% may) and %d go from severe to approved (none may), the largest difference of a logit is %.3g: set model.precision to a wider one, or take this provider off model.providers",
		a.pairs, a.flips, 100*mostFlips, a.severeToApproved, a.largest)
}
