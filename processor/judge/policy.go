// Package judge turns one placement's scores into its verdict. It is pure: the same scores under the same policy give the
// same verdict, everywhere.
package judge

import (
	"errors"
	"fmt"

	"github.com/winnowgate/winnow/model"
)

// Policy says when a placement may be shown.
type Policy struct {
	MinProducts     int     // fewest products that an approved placement keeps
	SevereThreshold float64 // P(severe) from which a product is a violation
	ReviewThreshold float64 // P(severe) from which a product is uncertain
	PruneWeak       bool    // leave out products that are more likely weak than relevant
}

// Validate reports every value that is out of its bounds.
func (p Policy) Validate() error {
	var problems []error
	if p.MinProducts < 1 {
		problems = append(problems, fmt.Errorf("min_products is %d, must be at least 1", p.MinProducts))
	}
	if !(p.SevereThreshold > 0 && p.SevereThreshold <= 1) {
		problems = append(problems, fmt.Errorf("severe_threshold is %v, must be above 0 and at most 1", p.SevereThreshold))
	}
	if !(p.ReviewThreshold > 0 && p.ReviewThreshold <= p.SevereThreshold) {
		problems = append(problems, fmt.Errorf("review_threshold is %v, must be above 0 and at most severe_threshold (%v)", p.ReviewThreshold, p.SevereThreshold))
	}
	return errors.Join(problems...)
}

// Version names the policy in verdicts: the version of these rules and every parameter.
func (p Policy) Version() string {
	weak := "keep"
	if p.PruneWeak {
		weak = "prune"
	}
	return fmt.Sprintf("1;severe=%v;review=%v;min=%d;weak=%s", p.SevereThreshold, p.ReviewThreshold, p.MinProducts, weak)
}

// Outcome is the kind of a verdict; it is the value of the header winnow-verdict.
type Outcome string

// The outcomes of a judgement.
const (
	Approved Outcome = "approved"
	Severe   Outcome = "severe"
	Review   Outcome = "review"
)

// Reason is a code that says why; codes are part of the contract with those who read verdicts.
type Reason string

// Reasons of a verdict, and of pruning one product.
const (
	ReasonSevereProduct  Reason = "severe-product"   // a product reaches the severe threshold
	ReasonUncertain      Reason = "uncertain"        // a product lies between the two thresholds
	ReasonUnscored       Reason = "unscored"         // a product has no usable score
	ReasonTooFewProducts Reason = "too-few-products" // fewer than MinProducts are left
	ReasonWeak           Reason = "weak"             // pruned: off-theme
	ReasonDuplicateTitle Reason = "duplicate-title"  // pruned: says the same as a product before it
)

// Product is one entry of a placement with its score; invalid probabilities (NaN) mean that it has none.
type Product struct {
	ProductID, Title string
	Probabilities    model.Probabilities
	Unread           []string // words and symbols of theme and title that the model can't read; such a product has no score
}

// Pruned is a product that was left out.
type Pruned struct {
	Product Product
	Reason  Reason
}

// Verdict is what is decided of a placement.
type Verdict struct {
	Outcome  Outcome
	Reasons  []Reason  // empty when approved
	Products []Product // in the generator's order: the violations when severe, else those that remain
	Pruned   []Pruned  // empty when severe
}

// Judge decides one placement.
func (p Policy) Judge(products []Product) Verdict {
	var violations []Product
	var reasons []Reason
	var unscored, uncertain bool
	for _, product := range products {
		switch {
		case p.violates(product):
			violations = append(violations, product)
		case !product.Probabilities.Valid():
			unscored = true
		case !p.harmless(product):
			uncertain = true
		}
	}
	if len(violations) > 0 {
		return Verdict{Outcome: Severe, Reasons: []Reason{ReasonSevereProduct}, Products: violations}
	}
	if unscored {
		reasons = append(reasons, ReasonUnscored)
	}
	if uncertain {
		reasons = append(reasons, ReasonUncertain)
	}
	kept, pruned := p.prune(products)
	if len(kept) < max(p.MinProducts, 1) {
		reasons = append(reasons, ReasonTooFewProducts)
	}
	outcome := Approved
	if len(reasons) > 0 {
		outcome = Review
	}
	return Verdict{Outcome: outcome, Reasons: reasons, Products: kept, Pruned: pruned}
}

func (p Policy) violates(product Product) bool {
	return product.Probabilities.Valid() && product.Probabilities.Severe >= p.SevereThreshold
}

// harmless is false for NaN: what compares with nothing must fall on the careful side.
func (p Policy) harmless(product Product) bool {
	return product.Probabilities.Valid() && product.Probabilities.Severe < p.ReviewThreshold
}

// prune leaves out what does not belong, but never what a person has to look at.
func (p Policy) prune(products []Product) (kept []Product, pruned []Pruned) {
	seen := map[string]bool{}
	for _, product := range products {
		key := titleKey(product.Title)
		switch {
		case p.PruneWeak && p.harmless(product) && product.Probabilities.Weak > product.Probabilities.Relevant:
			pruned = append(pruned, Pruned{product, ReasonWeak})
		case p.harmless(product) && seen[key]:
			pruned = append(pruned, Pruned{product, ReasonDuplicateTitle})
		default:
			seen[key] = true
			kept = append(kept, product)
		}
	}
	return kept, pruned
}
