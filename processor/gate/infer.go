package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/winnowgate/winnow/model"
)

// infer scores items and writes the results into scores. It returns an error only when scoring as a whole must stop.
func (g *Gate) infer(ctx context.Context, items []item, scores []score) error {
	group, ctx := errgroup.WithContext(ctx)
	// One batch more than the scorer runs is padded and ready, so that no worker waits for memory to be filled.
	group.SetLimit(g.scorer.Workers() + 1)
	for _, batch := range cut(items, g.config.BatchTokens) {
		group.Go(func() error { return g.score(ctx, batch, scores) })
	}
	return group.Wait()
}

// score runs one batch. A batch that fails is split in halves until the pairs at fault stand alone: one poison pair must
// not cost its neighbours their verdict.
func (g *Gate) score(ctx context.Context, batch []item, scores []score) error {
	rows := make([][]int64, len(batch))
	tokens := 0
	for i, item := range batch {
		rows[i] = item.ids
		tokens += len(item.ids)
	}
	padded := g.manifest.NewBatch(rows)
	logits, err := g.scorer.Score(ctx, padded)
	if err == nil && len(logits) != len(batch) {
		err = fmt.Errorf("the scorer answered %d rows of %d", len(logits), len(batch))
	}
	switch {
	case err == nil:
		for i, item := range batch {
			scores[item.pair].logits, scores[item.pair].known = logits[i], true
		}
		g.scoredAt.Store(time.Now().UnixNano())
		g.metrics.observeBatch(len(batch), tokens, padded.Rows*padded.Length)
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, model.ErrClosed):
		return err
	case len(batch) == 1:
		scores[batch[0].pair].err = fmt.Errorf("score: %w", err)
		return nil
	default:
		half := len(batch) / 2
		return errors.Join(g.score(ctx, batch[:half], scores), g.score(ctx, batch[half:], scores))
	}
}
