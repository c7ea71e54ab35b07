// Package gate judges placements: it plans which pairs need a score, tokenizes them, scores them in length-sorted
// batches and applies the policy. It knows no Kafka.
package gate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/schema"
)

// Tokenizer encodes one side of a pair. It must be safe for concurrent use.
type Tokenizer interface {
	Encode(text string) (model.Encoded, error)
}

// Scorer returns the logits of each row of a batch. It must be safe for concurrent use and limits itself how many
// batches run at a time: more than Workers calls wait.
//
// An error of Score blames the batch, and the pairs at fault are searched by halving it; model.ErrClosed blames nobody.
type Scorer interface {
	Score(ctx context.Context, batch model.Batch) ([]model.Logits, error)
	Workers() int
	Provider() string
	// Lengths lists, ascending, the lengths that batches must be padded to; none: any length will do.
	Lengths() []int
}

// Config bounds the gate's batches and memory.
type Config struct {
	BatchTokens   int // padded tokens of one batch
	PendingTokens int // padded tokens that may wait for a batch; beyond, Judge tokenizes no further
	CacheEntries  int // pairs whose scores are remembered; 0: none
}

// Gate judges placements with one model and one policy. It is safe for concurrent use; the pairs of concurrent calls share
// batches.
type Gate struct {
	manifest  *model.Manifest
	tokenizer Tokenizer
	scorer    Scorer
	policy    judge.Policy
	config    Config
	cache     *cache
	metrics   *metrics
	scheduler *scheduler
	running   chan struct{} // a token a batch that the scorer runs
	scoredAt  atomic.Int64  // Unix nanoseconds of the last batch
}

// New returns a gate over the bundle's model. The caller keeps ownership of tokenizer and scorer, and must Close the gate
// before either.
func New(bundle *model.Bundle, tokenizer Tokenizer, scorer Scorer, policy judge.Policy, config Config, registerer prometheus.Registerer) (*Gate, error) {
	if config.BatchTokens < bundle.Manifest.MaxTokens {
		return nil, fmt.Errorf("gate.batch_tokens is %d, below the %d tokens that one pair may have", config.BatchTokens, bundle.Manifest.MaxTokens)
	}
	if config.PendingTokens < config.BatchTokens {
		return nil, fmt.Errorf("gate.pending_tokens is %d, below the %d of gate.batch_tokens", config.PendingTokens, config.BatchTokens)
	}
	if err := policy.Validate(); err != nil {
		return nil, err
	}
	g := &Gate{
		manifest: &bundle.Manifest, tokenizer: tokenizer, scorer: scorer, policy: policy, config: config,
		cache: newCache(bundle.Digest, config.CacheEntries), running: make(chan struct{}, scorer.Workers()),
	}
	pending := newPending(scorer.Lengths(), bundle.Manifest.MaxTokens)
	// One batch more than the scorer runs is padded and ready, so that no worker waits for memory to be filled.
	g.scheduler = newScheduler(scorer.Workers()+1, pending, config.BatchTokens, config.PendingTokens, g.scoreBatch)
	g.metrics = newMetrics(registerer, scorer.Workers(), g.scheduler)
	return g, nil
}

// Close stops scoring; calls of Judge that still wait return model.ErrClosed.
func (g *Gate) Close() { g.scheduler.close() }

// Policy returns the policy in force.
func (g *Gate) Policy() judge.Policy { return g.policy }

// LastScored returns when a batch was scored last; the zero Unix time before the first.
func (g *Gate) LastScored() time.Time { return time.Unix(0, g.scoredAt.Load()) }

// Provider returns the execution provider that scores.
func (g *Gate) Provider() string { return g.scorer.Provider() }

// Outcome is what became of one candidate: a verdict, or an error that blames this candidate alone.
type Outcome struct {
	Verdict judge.Verdict
	Err     error
}

// Judge decides every candidate, in order. An error means that nothing was decided: ctx ended, or the gate or its engine is
// closed.
func (g *Gate) Judge(ctx context.Context, candidates []schema.Candidate) ([]Outcome, error) {
	scored, err := g.Score(ctx, candidates)
	if err != nil {
		return nil, err
	}
	return measured(g.metrics.judge, func() []Outcome {
		outcomes := make([]Outcome, len(scored))
		for i, scored := range scored {
			if outcomes[i].Err = scored.Err; scored.Err == nil {
				outcomes[i].Verdict = g.policy.Judge(scored.Placement)
			}
		}
		return outcomes
	}), nil
}

// Scored is a candidate as a policy judges it, or an error that blames this candidate alone.
type Scored struct {
	Placement judge.Placement
	Err       error
}

// Score is Judge but for the policy: what is left is to ask one.
func (g *Gate) Score(ctx context.Context, candidates []schema.Candidate) ([]Scored, error) {
	plan := measured(g.metrics.plan, func() plan { return newPlan(candidates) })
	scores := g.recall(plan.pairs)
	if err := g.infer(ctx, plan.pairs, scores); err != nil {
		return nil, err
	}
	scored := make([]Scored, len(candidates))
	for i := range candidates {
		scored[i] = g.scored(&candidates[i], plan.refs[i], scores)
	}
	return scored, nil
}

// infer scores the pairs without a known score. Tokenizing and scoring overlap: the first pairs are being scored while the
// rest is tokenized.
func (g *Gate) infer(ctx context.Context, pairs []pair, scores []score) error {
	started := time.Now()
	request := g.scheduler.open(scores)
	known := make([]bool, len(scores))
	for i := range scores {
		known[i] = scores[i].known
	}
	var tokenizing time.Duration
	themes := map[string]side{}
	for start := 0; start < len(pairs); start += tokenizedAtOnce {
		tokenized := time.Now()
		end := min(start+tokenizedAtOnce, len(pairs))
		items := g.tokenize(pairs, start, end, themes, known, scores)
		tokenizing += time.Since(tokenized)
		if err := g.scheduler.add(ctx, request, items); err != nil {
			g.scheduler.abandon(request, err)
			return err
		}
	}
	g.metrics.tokenize.Observe(tokenizing.Seconds())
	if err := g.scheduler.wait(ctx, request); err != nil {
		return err
	}
	g.metrics.infer.Observe(time.Since(started).Seconds())
	for i, pair := range pairs {
		// What is not a probability is asked again: the device's fault need not be the pair's.
		if scores[i].known && !known[i] && g.manifest.Calibrate(scores[i].logits).Valid() {
			g.cache.add(pair, scores[i].logits)
		}
	}
	return nil
}

// score is what is known of one distinct pair.
type score struct {
	logits model.Logits
	err    error    // the pair can't be scored
	unread []string // what of it the model can't read
	known  bool     // logits are set
}

func (g *Gate) recall(pairs []pair) []score {
	scores := make([]score, len(pairs))
	for i, pair := range pairs {
		if scores[i].logits, scores[i].known = g.cache.get(pair); scores[i].known {
			g.metrics.pairsCached.Inc()
		}
	}
	return scores
}

// scored puts the scores of a candidate's pairs, at refs, to its products.
func (g *Gate) scored(candidate *schema.Candidate, refs []int, scores []score) Scored {
	placement := judge.Placement{Theme: candidate.Theme, Products: make([]judge.Product, len(candidate.Products))}
	if candidate.Generator != nil {
		placement.Generator = *candidate.Generator
	}
	var failures []error
	for j, product := range candidate.Products {
		score := scores[refs[j]]
		judged := judge.Product{ProductID: product.ProductID, Title: product.Title, Attributes: product.Attributes, Probabilities: unscored, Unread: score.unread}
		switch {
		case errors.Is(score.err, errUnreadable): // the model has no opinion: a person's case, not a failure
		case score.err != nil:
			failures = append(failures, fmt.Errorf("products[%d]: %w", j, score.err))
		case score.known:
			judged.Probabilities = g.manifest.Calibrate(score.logits)
		}
		placement.Products[j] = judged
	}
	return Scored{placement, errors.Join(failures...)}
}

var unscored = model.Probabilities{Relevant: math.NaN(), Weak: math.NaN(), Severe: math.NaN()}

func measured[T any](histogram prometheus.Observer, work func() T) T {
	started := time.Now()
	defer func() { histogram.Observe(time.Since(started).Seconds()) }()
	return work()
}
