// Package processortest holds what tests of the pipeline share: a gate without a model, builders of candidates, a real
// broker, and the verifier that counts verdicts.
package processortest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor/gate"
	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/schema"
)

// The titles that the test gate understands; every other title is relevant.
const (
	SevereTitle    = "bacon"
	UncertainTitle = "honey"
	PoisonTitle    = "poison" // the engine fails on it
)

// Topics of the tests.
const (
	Candidates = "placements.candidates"
	Approved   = "placements.approved"
	Tombstones = "placements.tombstones"
	Review     = "placements.review"
	DeadLetter = "placements.dead-letter"
)

// Policy is the test gate's: what is uncertain holds its placement, so that one product of each kind makes each verdict.
func Policy() judge.Policy {
	return judge.Policy{MinProducts: 1, Uncertain: judge.Hold, Severe: judge.Tombstone, SevereThreshold: 0.6, ReviewThreshold: 0.1, WeakThreshold: 0.9}
}

// Gate returns a gate whose scores follow from the titles above.
func Gate(t *testing.T) *gate.Gate {
	t.Helper()
	bundle := &model.Bundle{Digest: "test", Manifest: model.Manifest{
		Labels: []string{model.LabelRelevant, model.LabelWeak, model.LabelSevere}, MaxTokens: 16,
		SpecialTokens: model.SpecialTokens{CLS: 1, SEP: 2, UNK: 3}, Calibration: model.Calibration{Temperature: 1},
	}}
	built, err := gate.New(bundle, titles{}, titles{}, Policy(),
		gate.Config{BatchTokens: 1024, PendingTokens: 16_384}, prometheus.NewRegistry())
	require.NoError(t, err)
	t.Cleanup(built.Close)
	return built
}

// titles is tokenizer and scorer in one: a title's token says how it scores.
type titles struct{}

var tokens = map[string]int64{SevereTitle: 10, UncertainTitle: 11, PoisonTitle: 12}

func (titles) Encode(text string) (model.Encoded, error) {
	for title, id := range tokens {
		if strings.HasPrefix(text, title) {
			return model.Encoded{IDs: []int64{id}}, nil
		}
	}
	return model.Encoded{IDs: []int64{20}}, nil
}

func (titles) Workers() int     { return 2 }
func (titles) Provider() string { return "test" }
func (titles) Lengths() []int   { return nil }

func (titles) Score(_ context.Context, batch model.Batch) ([]model.Logits, error) {
	logits := make([]model.Logits, batch.Rows)
	for row := range logits {
		switch batch.IDs[row*batch.Length+3] { // [CLS] theme [SEP] title
		case tokens[SevereTitle]:
			logits[row] = model.Logits{0, 0, 9}
		case tokens[UncertainTitle]:
			logits[row] = model.Logits{1, 0, 0.5}
		case tokens[PoisonTitle]:
			return nil, fmt.Errorf("the engine fails on %s", PoisonTitle)
		default:
			logits[row] = model.Logits{9, 0, 0}
		}
	}
	return logits, nil
}

// Candidate builds one candidate.
func Candidate(id string, titles ...string) schema.Candidate {
	candidate := schema.Candidate{PlacementID: id, Theme: "theme"}
	for i, title := range titles {
		candidate.Products = append(candidate.Products, schema.Product{ProductID: fmt.Sprintf("%s/%d", id, i), Title: title})
	}
	return candidate
}

// Record encodes a candidate as its generator publishes it.
func Record(t *testing.T, candidate schema.Candidate) *kgo.Record {
	t.Helper()
	value, err := schema.NewCodec(schema.DefaultLimits(), nil).EncodeCandidate(&candidate)
	require.NoError(t, err)
	return &kgo.Record{Topic: Candidates, Key: []byte(candidate.PlacementID), Value: value}
}
