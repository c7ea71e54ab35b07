//go:build cgo

package demo

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/schema"
)

// line says what became of a placement, and why.
func (s Screen) line(verdict verdict, truth Truth) string {
	found := verdict.kind(truth)
	shown := 0
	if found == approved || found == miss {
		shown = len(verdict.products)
	}
	count := fmt.Sprintf("%d/%d", shown, len(truth))
	switch found {
	case deadLetter:
		return s.columns(string(found), "", verdict.placement, "refused: "+verdict.problem, "")
	case hit, falseAlarm:
		product := telling(verdict.products, truth)
		return s.columns(string(found), count, verdict.theme, product.Title, tail(product.why(), len(verdict.products)))
	case miss:
		product := telling(verdict.products, truth)
		return s.columns(string(found), count, verdict.theme, product.Title, tail(product.why(), 1))
	default:
		what, why := leftOut(verdict.pruned)
		return s.columns(string(found), count, verdict.theme, what, why)
	}
}

// leftOut names the product that came nearest to breaking the theme.
func leftOut(pruned []schema.Pruned) (what, why string) {
	if len(pruned) == 0 {
		return "nothing left out", ""
	}
	nearest := slices.MaxFunc(pruned, func(a, b schema.Pruned) int { return cmp.Compare(a.Severe, b.Severe) })
	return nearest.Title, tail(reason(nearest), len(pruned))
}

// tail ends a cell about the first of so many products.
func tail(why string, products int) string {
	if products == 1 {
		return " (" + why + ")"
	}
	return fmt.Sprintf(" (%s) +%d", why, products-1)
}

func (n named) why() string {
	if n.rule != "" {
		return "rule " + n.rule
	}
	return fmt.Sprintf("severe %.2f", n.Severe)
}

// telling is the product to show of a verdict: one that breaks the theme, if any does, and of several the surest.
func telling(products []named, truth Truth) named {
	best := products[0]
	for _, product := range products[1:] {
		breaks, before := truth[product.ProductID] == Severe, truth[best.ProductID] == Severe
		if breaks && !before || breaks == before && product.Severe > best.Severe {
			best = product
		}
	}
	return best
}

// reason says why a product was left out, with the probability that decided.
func reason(pruned schema.Pruned) string {
	switch judge.Reason(pruned.Reason) {
	case judge.ReasonWeak:
		return fmt.Sprintf("weak %.2f", pruned.Weak)
	case judge.ReasonUncertain:
		return fmt.Sprintf("uncertain %.2f", pruned.Severe)
	case judge.ReasonSevereProduct:
		return fmt.Sprintf("severe %.2f", pruned.Severe)
	case judge.ReasonUnscored:
		return "unread"
	case judge.ReasonDuplicateTitle:
		return "repeated"
	default:
		return strings.Replace(pruned.Reason, rulePrefix, "rule ", 1)
	}
}

const (
	kindColumns  = len(falseAlarm)
	shownColumns = len("15/15")
	gap          = "  "
)

// columns lays out a line; of what, so much is cut that tail still fits.
func (s Screen) columns(verdict, shown, theme, what, tail string) string {
	rest := s.Width - kindColumns - shownColumns - 3*len(gap)
	themeColumns := rest * 3 / 8
	tail = fit(tail, rest-themeColumns)
	return s.paint(cell(verdict, kindColumns), colours(kind(verdict))) + gap + cell(shown, shownColumns) + gap +
		cell(theme, themeColumns) + gap + fit(what, rest-themeColumns-columnsOf(tail)) + tail
}

func colours(found kind) string {
	switch found {
	case hit:
		return "32" // green
	case miss:
		return "1;31" // bold red
	case falseAlarm:
		return "33" // yellow
	case review, deadLetter:
		return "36" // cyan
	default:
		return ""
	}
}
