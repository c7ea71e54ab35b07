package judge

import "slices"

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

// Reasons of a verdict, and of pruning one product. A rule's is rule: and its name.
const (
	ReasonSevereProduct  Reason = "severe-product"   // P(severe) reaches the severe threshold
	ReasonUncertain      Reason = "uncertain"        // P(severe) lies between the two thresholds
	ReasonUnscored       Reason = "unscored"         // no usable score
	ReasonTooFewProducts Reason = "too-few-products" // fewer than MinProducts are left
	ReasonWeak           Reason = "weak"             // pruned: P(weak) reaches its threshold
	ReasonDuplicateTitle Reason = "duplicate-title"  // pruned: says the same as a product before it
)

// Reason says in a code why a product is not shown.
func (f Finding) Reason() Reason {
	switch {
	case f.Class == ClassDuplicate:
		return ReasonDuplicateTitle
	case f.Rule != "":
		return Reason("rule:" + f.Rule)
	case f.Class == ClassSevere:
		return ReasonSevereProduct
	default:
		return Reason(f.Class)
	}
}

// Pruned is a product that was left out.
type Pruned struct {
	Product Product
	Reason  Reason
}

// Verdict is what is decided of a placement.
type Verdict struct {
	Outcome  Outcome
	Reasons  []Reason  // why it is not approved, and each rule that decided a product
	Products []Product // in the generator's order: the violations when severe, else those that remain
	Pruned   []Pruned  // empty when severe
}

// Judge decides one placement.
func (p Policy) Judge(placement Placement) Verdict { return p.Settle(p.Find(placement)) }

// Settle makes one verdict of what was found of each product.
func (p Policy) Settle(findings []Finding) Verdict {
	if p.Severe == Tombstone {
		if violations := ofClass(findings, ClassSevere); len(violations) > 0 {
			return Verdict{Outcome: Severe, Reasons: append([]Reason{ReasonSevereProduct}, rulesOf(violations)...), Products: products(violations)}
		}
	}
	verdict := Verdict{Outcome: Approved}
	for _, finding := range findings {
		if p.Keeps(finding.Class) {
			verdict.Products = append(verdict.Products, finding.Product)
		} else {
			verdict.Pruned = append(verdict.Pruned, Pruned{finding.Product, finding.Reason()})
		}
	}
	tooFew := len(verdict.Products) < max(p.MinProducts, 1)
	for _, blocking := range []struct {
		class  Class
		reason Reason
		holds  bool // even where enough remain
	}{
		{ClassSevere, ReasonSevereProduct, false},
		{ClassUnscored, ReasonUnscored, p.Uncertain == Hold},
		{ClassUncertain, ReasonUncertain, p.Uncertain == Hold},
	} {
		if (blocking.holds || tooFew) && len(ofClass(findings, blocking.class)) > 0 {
			verdict.Reasons = append(verdict.Reasons, blocking.reason)
		}
	}
	if tooFew {
		verdict.Reasons = append(verdict.Reasons, ReasonTooFewProducts)
	}
	if len(verdict.Reasons) > 0 {
		verdict.Outcome = Review
	}
	verdict.Reasons = append(verdict.Reasons, rulesOf(findings)...)
	return verdict
}

func ofClass(findings []Finding, class Class) []Finding {
	var found []Finding
	for _, finding := range findings {
		if finding.Class == class {
			found = append(found, finding)
		}
	}
	return found
}

func products(findings []Finding) []Product {
	products := make([]Product, len(findings))
	for i, finding := range findings {
		products[i] = finding.Product
	}
	return products
}

// rulesOf lists the rules that decided, each once.
func rulesOf(findings []Finding) []Reason {
	var decided []Reason
	for _, finding := range findings {
		if reason := Reason("rule:" + finding.Rule); finding.Rule != "" && !slices.Contains(decided, reason) {
			decided = append(decided, reason)
		}
	}
	return decided
}
