package judge

import (
	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor/judge/rules"
)

// Placement is what is judged.
type Placement struct {
	Theme, Generator string // Generator is "" where none is named
	Products         []Product
}

// Product is one entry of a placement with its score; invalid probabilities (NaN) mean that it has none.
type Product struct {
	ProductID, Title string
	Attributes       map[string]string
	Probabilities    model.Probabilities
	Unread           []string // words and symbols of theme and title that the model can't read; such a product has no score
}

// Class is what a product is found to be.
type Class string

// The classes.
const (
	ClassRelevant  Class = "relevant"
	ClassDuplicate Class = "duplicate" // relevant, and says the same as a product before it
	ClassWeak      Class = "weak"
	ClassUncertain Class = "uncertain"
	ClassUnscored  Class = "unscored" // nobody has read it
	ClassSevere    Class = "severe"
)

// Finding is what is found of one product.
type Finding struct {
	Product Product
	Class   Class
	Rule    string // the rule that decided; "" where the thresholds did
	Err     error  // why the rule could not be evaluated, which makes the product uncertain

	key string // equal for titles that a shopper would call the same
}

// Find decides each product of a placement, in order.
func (p Policy) Find(placement Placement) []Finding {
	findings := make([]Finding, len(placement.Products))
	reading := p.Rules.Read(placement.Theme, placement.Generator)
	for i, product := range placement.Products {
		findings[i] = p.find(reading, product)
		findings[i].key = titleKey(product.Title)
	}
	p.markDuplicates(findings)
	return findings
}

// Again finds anew what the thresholds found, and leaves to the rules what they decided: what Find would return of a policy
// with other thresholds and the same rules, which are not asked again.
func (p Policy) Again(findings []Finding) []Finding {
	again := make([]Finding, len(findings))
	for i, finding := range findings {
		if again[i] = finding.Alone(); finding.Rule == "" {
			again[i].Class = p.class(finding.Product.Probabilities)
		}
	}
	p.markDuplicates(again)
	return again
}

// Alone returns what would be found of the product in a placement of its own.
func (f Finding) Alone() Finding {
	if f.Class == ClassDuplicate {
		f.Class = ClassRelevant
	}
	return f
}

func (p Policy) markDuplicates(findings []Finding) {
	seen := make(map[string]bool, len(findings))
	for i := range findings {
		finding := &findings[i]
		if !p.Keeps(finding.Class) {
			continue
		}
		if finding.Class == ClassRelevant && seen[finding.key] {
			finding.Class = ClassDuplicate
		}
		seen[finding.key] = true
	}
}

func (p Policy) find(reading *rules.Reading, product Product) Finding {
	scored := product.Probabilities.Valid()
	match, found := reading.First(rules.Product{
		ProductID: product.ProductID, Title: product.Title, Attributes: product.Attributes, Probabilities: product.Probabilities,
	})
	// No rule vouches for what nobody has read: it sees the words, not what they mean together.
	if found && (scored || match.Then != rules.Relevant) {
		return Finding{Product: product, Class: Class(match.Then), Rule: match.Name, Err: match.Err}
	}
	return Finding{Product: product, Class: p.class(product.Probabilities)}
}

// class is what the thresholds say. Comparisons are with what is valid alone: NaN compares with nothing, and would fall on
// whichever side is written last.
func (p Policy) class(probabilities model.Probabilities) Class {
	switch {
	case !probabilities.Valid():
		return ClassUnscored
	case probabilities.Severe >= p.SevereThreshold:
		return ClassSevere
	case probabilities.Severe >= p.ReviewThreshold:
		return ClassUncertain
	case probabilities.Weak >= p.WeakThreshold:
		return ClassWeak
	default:
		return ClassRelevant
	}
}

// Keeps reports whether a product of the class stays in its placement, to be shown or to be looked at.
func (p Policy) Keeps(class Class) bool {
	return class == ClassRelevant || p.Uncertain == Hold && (class == ClassUncertain || class == ClassUnscored)
}
