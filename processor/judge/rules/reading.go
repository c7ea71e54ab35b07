package rules

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// Reading tries the rules on the products of one placement. It belongs to one goroutine.
type Reading struct {
	set       *Set
	open      []*compiled // rules that the placement alone does not rule out
	ordinary  bool        // the placement is
	product   Product
	scored    bool
	theme     *text
	title     *text
	generator any
	rawTheme  any
}

// Read returns a reading of the placement; nil where there are no rules.
func (s *Set) Read(theme, generator string) *Reading {
	if s == nil {
		return nil
	}
	r := &Reading{
		set: s, ordinary: ordinary(theme, generator), generator: types.String(generator),
		theme: newText(s.table, theme), title: newText(s.table, ""), rawTheme: types.String(theme),
	}
	placement, err := cel.PartialVars(r, s.unknowns...)
	for i := range s.rules {
		rule := &s.rules[i]
		if r.ordinary && err == nil {
			if answer, _, failed := rule.onPlacement.Eval(placement); failed == nil && answer == types.False {
				continue
			}
		}
		r.open = append(r.open, rule)
	}
	return r
}

// First returns the first rule that matches the product; found is false where none does.
//
// A rule that fails (it costs too much, or asks for an attribute that is not there) matches as Uncertain: nobody knows what it
// would have said. Of a product without a score a rule can't read the probabilities; one that fails is passed over, and the
// product stays unscored, which is as careful.
func (r *Reading) First(product Product) (match Match, found bool) {
	if r == nil {
		return Match{}, false
	}
	r.product, r.scored = product, product.Probabilities.Valid()
	r.title.reset(product.Title)
	small := r.ordinary && ordinary(product.ProductID, product.Title) && ordinaryAttributes(product.Attributes)
	for _, rule := range r.open {
		program := rule.onProduct
		if !small {
			program = rule.counted
		}
		answer, _, err := program.Eval(r)
		switch {
		case err == nil && answer == types.True:
			return Match{Name: rule.Name, Then: rule.Then}, true
		case err != nil && r.scored:
			return Match{Name: rule.Name, Then: Uncertain, Err: err}, true
		}
	}
	return Match{}, false
}

// ResolveName implements cel.Activation.
func (r *Reading) ResolveName(name string) (any, bool) {
	switch name {
	case hidden + varTheme:
		return r.theme, true
	case hidden + varTitle:
		return r.title, true
	case varTheme:
		return r.rawTheme, true
	case varTitle:
		return r.product.Title, true
	case varProductID:
		return r.product.ProductID, true
	case varAttributes:
		return r.product.Attributes, true
	case varGenerator:
		return r.generator, true
	case varRelevant:
		return r.product.Probabilities.Relevant, r.scored
	case varWeak:
		return r.product.Probabilities.Weak, r.scored
	case varSevere:
		return r.product.Probabilities.Severe, r.scored
	default:
		return nil, false
	}
}

// Parent implements cel.Activation.
func (r *Reading) Parent() cel.Activation { return nil }
