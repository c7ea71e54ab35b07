// Package judge turns one placement's scores into its verdict. It is pure: the same scores under the same policy give the
// same verdict, everywhere.
package judge

import (
	"errors"
	"fmt"
	"math"

	"github.com/winnowgate/winnow/processor/judge/rules"
)

// Choice is what becomes of a placement, or of a product in it.
type Choice string

// The choices of a policy.
const (
	Prune     Choice = "prune"     // the product is left out, the others go on
	Hold      Choice = "hold"      // the placement goes to a person
	Tombstone Choice = "tombstone" // the placement is severe
)

// never is a threshold that no probability reaches.
var never = math.Inf(1)

// Policy says when a placement may be shown.
type Policy struct {
	MinProducts     int     // fewest products that an approved placement keeps
	Uncertain       Choice  // Prune or Hold: for what is uncertain, or has no score
	Severe          Choice  // Tombstone or Prune: for a violation
	SevereThreshold float64 // P(severe) from which a product is a violation
	ReviewThreshold float64 // P(severe) from which a product is uncertain
	WeakThreshold   float64 // P(weak) from which a product that is neither is left out

	Rules *rules.Set // the first that matches a product decides it, in place of the thresholds; nil: none
}

// ForPairs returns the policy that decides a product by the two thresholds on P(severe) alone: nothing is pruned, no rule is
// asked, and one product is a placement.
func (p Policy) ForPairs() Policy {
	return Policy{
		MinProducts: 1, Uncertain: Hold, Severe: Tombstone,
		SevereThreshold: p.SevereThreshold, ReviewThreshold: p.ReviewThreshold, WeakThreshold: never,
	}
}

// Validate reports every value that is out of its bounds.
func (p Policy) Validate() error {
	var problems []error
	check := func(ok bool, format string, values ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, values...))
		}
	}
	check(p.MinProducts >= 1, "min_products is %d, must be at least 1", p.MinProducts)
	check(p.Uncertain == Prune || p.Uncertain == Hold, "uncertain is %q, must be %s or %s", p.Uncertain, Prune, Hold)
	check(p.Severe == Tombstone || p.Severe == Prune, "severe is %q, must be %s or %s", p.Severe, Tombstone, Prune)
	check(p.Severe != Prune || p.Uncertain != Hold, "severe is %s and uncertain is %s: a product would hold its placement until it looks severe, and then no more; uncertain must be %s too", Prune, Hold, Prune)
	check(p.SevereThreshold > 0 && p.SevereThreshold <= 1, "severe_threshold is %v, must be above 0 and at most 1", p.SevereThreshold)
	check(p.ReviewThreshold > 0 && p.ReviewThreshold <= p.SevereThreshold, "review_threshold is %v, must be above 0 and at most severe_threshold (%v)", p.ReviewThreshold, p.SevereThreshold)
	check(p.WeakThreshold > 0 && p.WeakThreshold <= 1 || p.WeakThreshold == never, "weak_threshold is %v, must be above 0 and at most 1", p.WeakThreshold)
	return errors.Join(problems...)
}

// Version names the policy in verdicts: the version of what this package does, every parameter and the rules.
func (p Policy) Version() string {
	return fmt.Sprintf("2;min=%d;uncertain=%s;severe=%s;severe-from=%v;review-from=%v;weak-from=%v;rules=%s",
		p.MinProducts, p.Uncertain, p.Severe, p.SevereThreshold, p.ReviewThreshold, p.WeakThreshold, p.Rules.Version())
}
