//go:build cgo

package demo

import (
	"strings"

	"github.com/winnowgate/winnow/processor/judge"
)

// tally holds verdicts against the truth. Dead letters aren't in it: nobody read what they hold.
type tally struct {
	clean  struct{ approved, killed, held int } // placements of which no product breaks the theme
	broken struct {                             // the others
		hit, otherwise int // killed for a product that breaks the theme; for another
		missed, spared int // approved with it; without it
		held           int
	}
	severe, shown  int // products that break their theme, and of these those that shoppers would see
	relevant, kept int // relevant products of approved placements, and of these those that shoppers would see
	model, rules   decided
}

// decided counts the products that one of the two found severe.
type decided struct{ named, rightly int }

func (d *decided) add(right bool) {
	d.named++
	if right {
		d.rightly++
	}
}

func (t *tally) add(verdict verdict, truth Truth) {
	found, breaks := verdict.kind(truth), truth.Breaks()
	if found == deadLetter {
		return
	}
	t.severe += truth.count(Severe)
	counts := map[kind]*int{
		hit: &t.broken.hit, falseAlarm: &t.broken.otherwise, miss: &t.broken.missed, approved: &t.broken.spared, review: &t.broken.held,
	}
	if !breaks {
		counts = map[kind]*int{falseAlarm: &t.clean.killed, approved: &t.clean.approved, review: &t.clean.held}
	}
	*counts[found]++
	if found == miss || found == approved {
		t.relevant += truth.count(Relevant)
	}
	for _, product := range verdict.products {
		label := truth[product.ProductID]
		switch {
		case found == review: // nothing is shown yet
		case found == hit || found == falseAlarm:
			t.deciding(product).add(label == Severe)
		case label == Severe:
			t.shown++
		case label == Relevant:
			t.kept++
		}
	}
	for _, pruned := range verdict.pruned { // as policy.severe: prune leaves it out
		switch right := truth[pruned.ProductID] == Severe; {
		case strings.HasPrefix(pruned.Reason, rulePrefix):
			t.rules.add(right)
		case pruned.Reason == string(judge.ReasonSevereProduct):
			t.model.add(right)
		}
	}
}

func (t *tally) deciding(product named) *decided {
	if product.rule != "" {
		return &t.rules
	}
	return &t.model
}

const rulePrefix = "rule:" // of the reason of what a rule decided

func (t *tally) cleanOnes() int { return t.clean.approved + t.clean.killed + t.clean.held }

func (t *tally) brokenOnes() int {
	return t.broken.hit + t.broken.otherwise + t.broken.missed + t.broken.spared + t.broken.held
}
