package gate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/processor/judge/rules"
	"github.com/winnowgate/winnow/schema"
)

const (
	unknown = int64(3)
	poison  = "poison"
)

// words is a tokenizer for tests: a token a word. "?" is outside its vocabulary, "!" is a symbol that
// nobody gave a meaning and "panic" is an error.
type words struct{}

func (words) Encode(text string) (model.Encoded, error) {
	var encoded model.Encoded
	for _, word := range strings.Fields(text) {
		switch word {
		case "panic":
			return model.Encoded{}, errors.New("native tokenizer failed")
		case "?":
			encoded.IDs, encoded.Unread = append(encoded.IDs, unknown), append(encoded.Unread, word)
		case "!":
			encoded.Puzzling = append(encoded.Puzzling, word)
		default:
			id := int64(10)
			for _, char := range word {
				id = id*31 + int64(char)
			}
			encoded.IDs = append(encoded.IDs, id)
		}
	}
	return encoded, nil
}

// hashing is a scorer for tests: a row's logits are a function of its unpadded ids alone, as they must be.
type hashing struct {
	mu      sync.Mutex
	batches []model.Batch
	fail    func(model.Batch) error
}

func (*hashing) Workers() int     { return 2 }
func (*hashing) Provider() string { return "test" }
func (*hashing) Lengths() []int   { return nil }

func (h *hashing) Score(ctx context.Context, batch model.Batch) ([]model.Logits, error) {
	h.mu.Lock()
	h.batches = append(h.batches, batch)
	h.mu.Unlock()
	if h.fail != nil {
		if err := h.fail(batch); err != nil {
			return nil, err
		}
	}
	logits := make([]model.Logits, batch.Rows)
	for row := range logits {
		var ids []int64
		for column := range batch.Length {
			if batch.Mask[row*batch.Length+column] == 1 {
				ids = append(ids, batch.IDs[row*batch.Length+column])
			}
		}
		logits[row] = hash(ids)
	}
	return logits, ctx.Err()
}

func hash(ids []int64) model.Logits {
	sum := int64(7)
	for _, id := range ids {
		sum = sum*1_000_003 + id
	}
	return model.Logits{float32(sum % 97), float32(sum % 89), float32(sum % 83)}
}

func holds(batch model.Batch, word string) bool {
	encoded, _ := words{}.Encode(word)
	for _, id := range batch.IDs {
		if id == encoded.IDs[0] {
			return true
		}
	}
	return false
}

var bundle = &model.Bundle{Digest: "0123456789abcdef", Manifest: model.Manifest{
	Name: "test", Labels: []string{model.LabelRelevant, model.LabelWeak, model.LabelSevere}, MaxTokens: 16,
	SpecialTokens: model.SpecialTokens{CLS: 1, SEP: 2, PAD: 0, UNK: unknown}, Calibration: model.Calibration{Temperature: 20},
}}

var policy = judge.Policy{MinProducts: 1, Uncertain: judge.Prune, Severe: judge.Tombstone, SevereThreshold: 0.6, ReviewThreshold: 0.2, WeakThreshold: 0.9}

type tester interface {
	require.TestingT
	Cleanup(func())
}

func newGate(t tester, scorer Scorer, config Config) *Gate {
	config.PendingTokens = max(config.PendingTokens, config.BatchTokens)
	gate, err := New(bundle, words{}, scorer, policy, config, prometheus.NewRegistry())
	require.NoError(t, err)
	t.Cleanup(gate.Close)
	return gate
}

func candidate(theme string, titles ...string) schema.Candidate {
	candidate := schema.Candidate{PlacementID: theme, Theme: theme}
	for _, title := range titles {
		candidate.Products = append(candidate.Products, schema.Product{ProductID: title, Title: title})
	}
	return candidate
}

func randomCandidates() *rapid.Generator[[]schema.Candidate] {
	phrase := rapid.StringMatching(`[a-c]{1,2}( [a-c]{1,2}){0,9}`)
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) schema.Candidate {
		return candidate(phrase.Draw(t, "theme"), rapid.SliceOfN(phrase, 0, 6).Draw(t, "titles")...)
	}), 0, 12)
}

// Whatever is polled together, in whatever batches, every product gets the score of its own pair.
func TestJudge_EveryProductGetsItsOwnScore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		candidates := randomCandidates().Draw(t, "candidates")
		scorer := &hashing{}
		gate := newGate(t, scorer, Config{BatchTokens: rapid.IntRange(16, 64).Draw(t, "budget"), CacheEntries: rapid.SampledFrom([]int{0, 4, 100}).Draw(t, "cache")})
		for range 2 { // the second time partly from memory
			outcomes, err := gate.Judge(t.Context(), candidates)
			require.NoError(t, err)
			require.Len(t, outcomes, len(candidates))
			for i, candidate := range candidates {
				require.NoError(t, outcomes[i].Err)
				products := make([]judge.Product, len(candidate.Products))
				for j, product := range candidate.Products {
					theme, _ := words{}.Encode(candidate.Theme)
					title, _ := words{}.Encode(product.Title)
					products[j] = judge.Product{ProductID: product.ProductID, Title: product.Title, Probabilities: unscored}
					if bundle.Manifest.Fits(theme.IDs, title.IDs) {
						products[j].Probabilities = bundle.Manifest.Calibrate(hash(bundle.Manifest.JoinPair(theme.IDs, title.IDs)))
					}
				}
				requireSame(t, gate.Policy().Judge(judge.Placement{Theme: candidate.Theme, Products: products}), outcomes[i].Verdict)
			}
		}
	})
}

// requireSame compares verdicts; NaN, which equals nothing, is compared as text.
func requireSame(t *rapid.T, want, got judge.Verdict) {
	require.Equal(t, fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got))
}

func TestJudge_ScoresADistinctPairOnce(t *testing.T) {
	scorer := &hashing{}
	gate := newGate(t, scorer, Config{BatchTokens: 1024, CacheEntries: 100})
	for range 3 {
		_, err := gate.Judge(t.Context(), []schema.Candidate{candidate("a", "x", "y"), candidate("a", "y", "x"), candidate("b", "x")})
		require.NoError(t, err)
	}
	rows := 0
	for _, batch := range scorer.batches {
		rows += batch.Rows
	}
	require.Equal(t, 3, rows)
}

// A pair on which the engine fails costs its own placement, not those that shared its batch.
func TestJudge_APoisonPairCostsOnlyItsOwnPlacement(t *testing.T) {
	scorer := &hashing{fail: func(batch model.Batch) error {
		if holds(batch, poison) {
			return errors.New("kernel failed")
		}
		return nil
	}}
	gate := newGate(t, scorer, Config{BatchTokens: 1024})
	var candidates []schema.Candidate
	for i := range 40 {
		title := fmt.Sprintf("title %d", i)
		if i == 17 {
			title = poison
		}
		candidates = append(candidates, candidate("theme", title, "shared"))
	}
	outcomes, err := gate.Judge(t.Context(), candidates)
	require.NoError(t, err)
	for i, outcome := range outcomes {
		if i == 17 {
			require.ErrorContains(t, outcome.Err, "products[0]: score: kernel failed")
		} else {
			require.NoError(t, outcome.Err)
			require.NotEmpty(t, outcome.Verdict.Outcome)
		}
	}
}

func TestJudge_AScorerThatAnswersTooFewRowsIsNotBelieved(t *testing.T) {
	gate := newGate(t, short{}, Config{BatchTokens: 1024})
	outcomes, err := gate.Judge(t.Context(), []schema.Candidate{candidate("a", "x")})
	require.NoError(t, err)
	require.ErrorContains(t, outcomes[0].Err, "answered 0 rows of 1")
}

type short struct{}

func (short) Workers() int     { return 1 }
func (short) Provider() string { return "test" }
func (short) Lengths() []int   { return nil }
func (short) Score(context.Context, model.Batch) ([]model.Logits, error) {
	return nil, nil
}

// One word is enough: it may be the one that breaks the theme. A symbol puzzles in a theme alone.
func TestJudge_WhatTheModelCannotReadIsForAPerson(t *testing.T) {
	gate := newGate(t, &hashing{}, Config{BatchTokens: 1024})
	for name, test := range map[string]struct {
		theme, title string
		unread       []string
	}{
		"a word of the title":   {"theme", "a ? word", []string{"?"}},
		"a word of the theme":   {"the ? theme", "title", []string{"?"}},
		"a symbol of the theme": {"theme !", "title ?", []string{"!", "?"}},
		"nothing in the title":  {"theme", " ", nil},
		"nothing in the theme":  {" ", "title", nil},
		"more than is read":     {"theme", strings.Repeat("harmless ", 13) + "pork", nil},
	} {
		t.Run(name, func(t *testing.T) {
			outcomes, err := gate.Judge(t.Context(), []schema.Candidate{candidate(test.theme, test.title)})
			require.NoError(t, err)
			require.NoError(t, outcomes[0].Err)
			require.Equal(t, judge.Review, outcomes[0].Verdict.Outcome)
			require.Contains(t, outcomes[0].Verdict.Reasons, judge.ReasonUnscored)
			require.Empty(t, outcomes[0].Verdict.Products)
			require.ElementsMatch(t, test.unread, outcomes[0].Verdict.Pruned[0].Product.Unread)
		})
	}
	outcomes, err := gate.Judge(t.Context(), []schema.Candidate{candidate("theme", "title !")})
	require.NoError(t, err)
	require.NotContains(t, outcomes[0].Verdict.Reasons, judge.ReasonUnscored)
}

// What a rule reads beside theme and title reaches it, and comes back with the product.
func TestJudge_GeneratorAndAttributesReachTheRulesAndTheVerdict(t *testing.T) {
	set, err := rules.Compile(rules.Source{Name: "rules", Rules: []rules.Rule{{
		Name: "ours", When: "generator == 'themes-7b' && attributes['brand'] == 'Acme'", Then: rules.Severe,
	}}})
	require.NoError(t, err)
	ruled := policy
	ruled.Rules = set
	gate, err := New(bundle, words{}, &hashing{}, ruled, Config{BatchTokens: 1024, PendingTokens: 1024}, prometheus.NewRegistry())
	require.NoError(t, err)
	t.Cleanup(gate.Close)
	generator := "themes-7b"
	proposed := candidate("theme", "title")
	proposed.Generator, proposed.Products[0].Attributes = &generator, map[string]string{"brand": "Acme"}
	outcomes, err := gate.Judge(t.Context(), []schema.Candidate{proposed})
	require.NoError(t, err)
	require.Equal(t, judge.Severe, outcomes[0].Verdict.Outcome)
	require.Equal(t, proposed.Products[0].Attributes, outcomes[0].Verdict.Products[0].Attributes)
}

func TestJudge_ATokenizerThatFailsIsAnErrorOfItsPlacement(t *testing.T) {
	gate := newGate(t, &hashing{}, Config{BatchTokens: 1024})
	outcomes, err := gate.Judge(t.Context(), []schema.Candidate{candidate("theme", "panic"), candidate("theme", "fine")})
	require.NoError(t, err)
	require.ErrorContains(t, outcomes[0].Err, "native tokenizer failed")
	require.NoError(t, outcomes[1].Err)
}

// What is not finite is a score that is missing: never approved, and not remembered, since the device's fault passes.
func TestJudge_AScoreThatIsNotFiniteIsNeitherApprovedNorRemembered(t *testing.T) {
	for _, severe := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		scorer := &broken{severe: float32(severe)}
		gate := newGate(t, scorer, Config{BatchTokens: 1024, CacheEntries: 10})
		for range 2 {
			outcomes, err := gate.Judge(t.Context(), []schema.Candidate{candidate("theme", "title")})
			require.NoError(t, err)
			require.Equal(t, judge.Review, outcomes[0].Verdict.Outcome)
		}
		scorer.severe = -30
		outcomes, err := gate.Judge(t.Context(), []schema.Candidate{candidate("theme", "title")})
		require.NoError(t, err)
		require.Equal(t, judge.Approved, outcomes[0].Verdict.Outcome)
	}
}

// broken gives every pair one logit of severe; relevant is far above weak.
type broken struct {
	short
	severe float32
}

func (b *broken) Score(_ context.Context, batch model.Batch) ([]model.Logits, error) {
	logits := make([]model.Logits, batch.Rows)
	for row := range logits {
		logits[row] = model.Logits{60, 0, b.severe}
	}
	return logits, nil
}

func TestJudge_ACancelledContextDecidesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	scorer := &hashing{fail: func(model.Batch) error { cancel(); return ctx.Err() }}
	_, err := newGate(t, scorer, Config{BatchTokens: 16}).Judge(ctx, []schema.Candidate{candidate("a", "x", "y", "z")})
	require.ErrorIs(t, err, context.Canceled)
}

// An engine that closes is no reason to call records unreadable.
func TestJudge_AClosedEngineDecidesNothing(t *testing.T) {
	scorer := &hashing{fail: func(model.Batch) error { return fmt.Errorf("score: %w", model.ErrClosed) }}
	_, err := newGate(t, scorer, Config{BatchTokens: 1024}).Judge(t.Context(), []schema.Candidate{candidate("a", "x", "y")})
	require.ErrorIs(t, err, model.ErrClosed)
}

func TestNew_RefusesABudgetBelowOnePair(t *testing.T) {
	_, err := New(bundle, words{}, &hashing{}, policy, Config{BatchTokens: 15}, prometheus.NewRegistry())
	require.ErrorContains(t, err, "batch_tokens is 15, below the 16 tokens")
	_, err = New(bundle, words{}, &hashing{}, policy, Config{BatchTokens: 32, PendingTokens: 31}, prometheus.NewRegistry())
	require.ErrorContains(t, err, "gate.pending_tokens is 31, below the 32 of gate.batch_tokens")
}

// No theme and title may be moved between the two parts of the key: "ab"+"c" is not "a"+"bc".
func TestCache_KeysKeepTheirPartsApart(t *testing.T) {
	cache := newCache("digest", 10)
	cache.add(pair{"ab", "c"}, model.Logits{1})
	_, ok := cache.get(pair{"a", "bc"})
	require.False(t, ok)
	logits, ok := cache.get(pair{"ab", "c"})
	require.True(t, ok)
	require.Equal(t, model.Logits{1}, logits)
}
