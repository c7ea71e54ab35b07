package gate

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/schema"
)

// gated is a scorer whose batches end when the test says so.
type gated struct {
	hashing
	release chan struct{}
}

func (g *gated) Score(ctx context.Context, batch model.Batch) ([]model.Logits, error) {
	select {
	case <-g.release:
		return g.hashing.Score(ctx, batch)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// titled returns one candidate with so many distinct titles.
func titled(theme string, count int) []schema.Candidate {
	titles := make([]string, count)
	for i := range titles {
		titles[i] = fmt.Sprintf("%s%d", theme, i)
	}
	return []schema.Candidate{candidate(theme, titles...)}
}

// judged runs Judge beside the test; the channel yields its error.
func judged(ctx context.Context, gate *Gate, candidates []schema.Candidate) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := gate.Judge(ctx, candidates)
		done <- err
	}()
	return done
}

// Nothing waits for a timer: what is there starts at once, and what arrives meanwhile shares the next batch, whichever lane
// it comes from.
func TestScheduler_LanesShareBatchesAndNothingWaitsForATimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scorer := &gated{release: make(chan struct{})}
		gate := newGate(t, scorer, Config{BatchTokens: 1024})
		// Three workers: two batches run, one is ready.
		var lanes []<-chan error
		for _, theme := range []string{"a", "b", "c"} {
			lanes = append(lanes, judged(t.Context(), gate, titled(theme, 1)))
			synctest.Wait()
		}
		lanes = append(lanes, judged(t.Context(), gate, titled("d", 3)), judged(t.Context(), gate, titled("e", 2)))
		synctest.Wait()
		close(scorer.release)
		for _, lane := range lanes {
			require.NoError(t, <-lane)
		}
		rows := map[int]int{}
		for _, batch := range scorer.batches {
			rows[batch.Rows]++
		}
		require.Equal(t, map[int]int{1: 3, 5: 1}, rows)
	})
}

// A full gate tokenizes no further, and goes on once a batch has left.
func TestScheduler_PushesBackWhenTooManyTokensArePending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scorer := &gated{release: make(chan struct{})}
		gate := newGate(t, scorer, Config{BatchTokens: 1024, PendingTokens: 1024})
		lane := judged(t.Context(), gate, titled("a", 10*tokenizedAtOnce))
		synctest.Wait()
		require.LessOrEqual(t, gate.scheduler.waiting(), 1024+5*tokenizedAtOnce, "one step more than the capacity at most")
		close(scorer.release)
		require.NoError(t, <-lane)
		require.Zero(t, gate.scheduler.waiting())
	})
}

// A poll that the cache answers whole waits for nobody's room.
func TestScheduler_WhatNeedsNoScoreDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scorer := &gated{release: make(chan struct{})}
		gate := newGate(t, scorer, Config{BatchTokens: 64, PendingTokens: 64, CacheEntries: 10})
		known := judged(t.Context(), gate, titled("a", 1))
		scorer.release <- struct{}{}
		require.NoError(t, <-known)
		blocked := judged(t.Context(), gate, titled("b", 4*tokenizedAtOnce))
		synctest.Wait()
		require.NoError(t, <-judged(t.Context(), gate, titled("a", 1)))
		close(scorer.release)
		require.NoError(t, <-blocked)
	})
}

// A lane that is stopped takes its items back, so that others get their room.
func TestScheduler_ACancelledRequestLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scorer := &gated{release: make(chan struct{})}
		gate := newGate(t, scorer, Config{BatchTokens: 64, PendingTokens: 64})
		ctx, cancel := context.WithCancel(t.Context())
		stopped := judged(ctx, gate, titled("a", 4*tokenizedAtOnce))
		synctest.Wait()
		waits := judged(t.Context(), gate, titled("b", 3))
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-stopped, context.Canceled)
		close(scorer.release)
		require.NoError(t, <-waits)
		require.Zero(t, gate.scheduler.waiting())
	})
}

func TestScheduler_CloseFailsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scorer := &gated{release: make(chan struct{})}
		gate := newGate(t, scorer, Config{BatchTokens: 64, PendingTokens: 64})
		running, blocked := judged(t.Context(), gate, titled("a", 100)), judged(t.Context(), gate, titled("b", 3*tokenizedAtOnce))
		synctest.Wait()
		gate.Close()
		require.ErrorIs(t, <-running, model.ErrClosed)
		require.ErrorIs(t, <-blocked, model.ErrClosed)
		require.ErrorIs(t, <-judged(t.Context(), gate, titled("c", 1)), model.ErrClosed)
	})
}

// With static lengths every batch has one of them.
func TestScheduler_PadsToTheLengthsOfTheScorer(t *testing.T) {
	scorer := &bucketed{}
	_, err := newGate(t, scorer, Config{BatchTokens: 64}).Judge(t.Context(), []schema.Candidate{candidate("a", "x", "x y z", "x y z x y z x y z")})
	require.NoError(t, err)
	for _, batch := range scorer.batches {
		require.Contains(t, scorer.Lengths(), batch.Length)
	}
	require.NotEmpty(t, scorer.batches)
}

type bucketed struct{ hashing }

func (*bucketed) Lengths() []int { return []int{8, 16} }
