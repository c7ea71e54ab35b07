//go:build cgo

package demo

import (
	"fmt"
	"slices"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor"
	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/processor/judge/rules"
	"github.com/winnowgate/winnow/schema"
)

// verdict is what the gate wrote of one candidate.
type verdict struct {
	outcome   string // a judge.Outcome, or processor.VerdictDeadLetter
	placement string
	theme     string
	products  []named // the violations when severe, what is shown when approved, what remains when held for review
	pruned    []schema.Pruned
	problem   string // why it is a dead letter
}

// named is a product of a verdict and the rule that put it there; "" where the model did.
type named struct {
	schema.Scored
	rule string
}

// kind is what a verdict turns out to be once the truth is known.
type kind string

// The kinds.
const (
	hit        kind = "HIT"         // severe, and a product that it names breaks the theme
	falseAlarm kind = "FALSE ALARM" // severe, and none that it names does
	miss       kind = "MISS"        // approved, with a product that breaks the theme
	approved   kind = "approved"
	review     kind = "review"
	deadLetter kind = "dead letter"
)

func (v verdict) kind(truth Truth) kind {
	breaks := slices.ContainsFunc(v.products, func(product named) bool { return truth[product.ProductID] == Severe })
	switch v.outcome {
	case string(judge.Severe):
		if breaks {
			return hit
		}
		return falseAlarm
	case string(judge.Approved):
		if breaks {
			return miss
		}
		return approved
	case string(judge.Review):
		return review
	default:
		return deadLetter
	}
}

// reader makes verdicts of output records. This binary wrote them, so there is one version to read.
type reader struct {
	rules            *rules.Set // asked again of a tombstone's products: it holds the rules of the verdict, not of each
	approved, review *avro.Schema
}

func newReader(set *rules.Set) (reader, error) {
	approved, err := avro.Parse(schema.Definition("approved"))
	if err != nil {
		return reader{}, err
	}
	review, err := avro.Parse(schema.Definition("review"))
	return reader{set, approved, review}, err
}

// read returns false for the null that withdraws an approval: it accompanies a verdict elsewhere.
func (r reader) read(record *kgo.Record, headers map[string]string) (verdict, bool, error) {
	read := verdict{outcome: headers[processor.HeaderVerdict], placement: string(record.Key)}
	switch {
	case read.outcome == processor.VerdictDeadLetter:
		read.problem = headers[processor.HeaderErrorClass]
		return read, true, nil
	case record.Value == nil:
		return verdict{}, false, nil
	}
	var err error
	switch judge.Outcome(read.outcome) {
	case judge.Approved:
		var value schema.Approved
		_, err = r.approved.DecodeSingleObject(record.Value, &value)
		read.theme, read.products, read.pruned = value.Theme, unnamed(value.Products), value.Pruned
	case judge.Review:
		var value schema.Review
		_, err = r.review.DecodeSingleObject(record.Value, &value)
		read.theme, read.products, read.pruned = value.Theme, unnamed(value.Products), value.Pruned
	case judge.Severe:
		var value schema.Tombstone
		value, err = schema.DecodeTombstone(record.Value)
		read.theme, read.products = value.Theme, r.violations(value)
	default:
		err = fmt.Errorf("%q is no verdict", read.outcome)
	}
	if err != nil {
		return verdict{}, false, fmt.Errorf("verdict of %s: %w", record.Key, err)
	}
	return read, true, nil
}

func unnamed(products []schema.Scored) []named {
	all := make([]named, len(products))
	for i, product := range products {
		all[i].Scored = product
	}
	return all
}

func (r reader) violations(tombstone schema.Tombstone) []named {
	generator := ""
	if tombstone.Generator != nil {
		generator = *tombstone.Generator
	}
	reading, all := r.rules.Read(tombstone.Theme, generator), unnamed(tombstone.Violations)
	for i, product := range all {
		match, found := reading.First(rules.Product{
			ProductID: product.ProductID, Title: product.Title, Attributes: product.Attributes,
			Probabilities: model.Probabilities{Relevant: product.Relevant, Weak: product.Weak, Severe: product.Severe},
		})
		if found {
			all[i].rule = match.Name
		}
	}
	return all
}
