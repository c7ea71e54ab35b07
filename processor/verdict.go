package processor

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/schema"
)

// encode turns a verdict into its output records: the verdict itself and, unless it approves, a null on the approved
// topic, so that the newest record of a key there is always the truth.
func (r *Runner) encode(source *kgo.Record, candidate *schema.Candidate, verdict *judge.Verdict) decision {
	made := schema.Decision{
		ID: r.decisionID(source), DecidedAt: r.now().UTC(),
		Model: r.config.Model, Policy: r.gate.Policy().Version(), Provider: r.gate.Provider(),
	}
	topic, value, err := r.value(candidate, verdict, made)
	if err != nil {
		return r.deadLetter(source, &deadLetterError{Class(schema.ClassEncoding), err})
	}
	headers := append(traceparent(source),
		header(HeaderSource, positionOf(source).String()),
		header(HeaderDecision, made.ID),
		header(HeaderModel, made.Model),
		header(HeaderPolicy, made.Policy),
		header(HeaderProvider, made.Provider),
		header(HeaderVerdict, string(verdict.Outcome)),
		header(HeaderReasons, reasons(verdict)),
	)
	out := []*kgo.Record{{Topic: topic, Key: source.Key, Value: value, Headers: headers}}
	if verdict.Outcome != judge.Approved {
		out = append(out, &kgo.Record{Topic: r.config.Topics.Approved, Key: source.Key, Headers: headers})
	}
	return decision{source: source, verdict: string(verdict.Outcome), out: out}
}

func (r *Runner) value(candidate *schema.Candidate, verdict *judge.Verdict, made schema.Decision) (topic string, value []byte, err error) {
	switch verdict.Outcome {
	case judge.Approved:
		value, err = r.codec.EncodeApproved(&schema.Approved{
			PlacementID: candidate.PlacementID, Theme: candidate.Theme, Generator: candidate.Generator, Decision: made,
			Products: Scored(verdict.Products), Pruned: Pruned(verdict.Pruned),
		})
		return r.config.Topics.Approved, value, err
	case judge.Severe:
		value, err = r.codec.EncodeTombstone(&schema.Tombstone{
			PlacementID: candidate.PlacementID, Theme: candidate.Theme, Generator: candidate.Generator, Decision: made,
			Violations: Scored(verdict.Products),
		})
		return r.config.Topics.Tombstones, value, err
	case judge.Review:
		value, err = r.codec.EncodeReview(&schema.Review{
			PlacementID: candidate.PlacementID, Theme: candidate.Theme, Generator: candidate.Generator, Decision: made,
			Products: Scored(verdict.Products), Pruned: Pruned(verdict.Pruned), Reasons: Codes(verdict.Reasons),
		})
		return r.config.Topics.Review, value, err
	default:
		return "", nil, fmt.Errorf("a verdict of %q has no topic", verdict.Outcome)
	}
}

// decisionID is partition-offset-digest. For one key it orders decisions as the candidates were ordered (by offset), and a
// replay under the same model and policy yields the same id.
func (r *Runner) decisionID(source *kgo.Record) string {
	digest := sha256.Sum256([]byte(strings.Join([]string{positionOf(source).String(), r.config.Model, r.gate.Policy().Version()}, "\n")))
	return fmt.Sprintf("%d-%d-%x", source.Partition, source.Offset, digest[:6])
}

// reasons lists a verdict's codes, those of what was pruned included, each once.
func reasons(verdict *judge.Verdict) string {
	all := Codes(verdict.Reasons)
	seen := map[string]bool{}
	for _, code := range all {
		seen[code] = true
	}
	for _, pruned := range verdict.Pruned {
		if code := string(pruned.Reason); !seen[code] {
			seen[code] = true
			all = append(all, code)
		}
	}
	return strings.Join(all, ",")
}

// Codes returns reasons as verdicts carry them; never nil, so that JSON has a list.
func Codes(reasons []judge.Reason) []string {
	codes := make([]string, len(reasons))
	for i, reason := range reasons {
		codes[i] = string(reason)
	}
	return codes
}

// Scored returns judged products as verdicts carry them. Products without a usable score carry zeros, which JSON and
// every reader can hold, and their placement the reason unscored.
func Scored(products []judge.Product) []schema.Scored {
	scored := make([]schema.Scored, len(products))
	for i, product := range products {
		scored[i] = schema.Scored{ProductID: product.ProductID, Title: product.Title, Attributes: product.Attributes}
		scored[i].Relevant, scored[i].Weak, scored[i].Severe = usable(product)
	}
	return scored
}

// Pruned returns pruned products as verdicts carry them, with zeros where Scored has them.
func Pruned(products []judge.Pruned) []schema.Pruned {
	pruned := make([]schema.Pruned, len(products))
	for i, left := range products {
		product := left.Product
		pruned[i] = schema.Pruned{ProductID: product.ProductID, Title: product.Title, Reason: string(left.Reason), Attributes: product.Attributes}
		pruned[i].Relevant, pruned[i].Weak, pruned[i].Severe = usable(product)
	}
	return pruned
}

func usable(product judge.Product) (relevant, weak, severe float64) {
	if p := product.Probabilities; p.Valid() {
		return p.Relevant, p.Weak, p.Severe
	}
	return 0, 0, 0
}
