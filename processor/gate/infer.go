package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/winnowgate/winnow/model"
)

// scoreBatch scores one batch into its requests' scores. A batch that fails is split in halves until the pairs at fault
// stand alone: one poison pair must not cost its neighbours their verdict. An error means that scoring as a whole stops.
func (g *Gate) scoreBatch(ctx context.Context, batch []item, length int) error {
	rows := make([][]int64, len(batch))
	tokens := 0
	for i, item := range batch {
		rows[i] = item.ids
		tokens += len(item.ids)
	}
	padded := g.manifest.PadBatch(rows, length)
	logits, err := g.run(ctx, padded)
	if err == nil && len(logits) != len(batch) {
		err = fmt.Errorf("the scorer answered %d rows of %d", len(logits), len(batch))
	}
	switch {
	case err == nil:
		for i, item := range batch {
			item.request.scores[item.pair] = score{logits: logits[i], known: true}
		}
		g.scoredAt.Store(time.Now().UnixNano())
		g.metrics.observeBatch(len(batch), tokens, padded.Rows*padded.Length)
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, model.ErrClosed):
		return err
	case len(batch) == 1:
		batch[0].request.scores[batch[0].pair].err = fmt.Errorf("score: %w", err)
		return nil
	default:
		half := len(batch) / 2
		return errors.Join(g.scoreBatch(ctx, batch[:half], length), g.scoreBatch(ctx, batch[half:], length))
	}
}

// run scores a batch as soon as a worker is free. Only the time after that is the device's.
func (g *Gate) run(ctx context.Context, batch model.Batch) ([]model.Logits, error) {
	select {
	case g.running <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	started := time.Now()
	defer func() {
		g.metrics.busy.Add(time.Since(started).Seconds())
		<-g.running
	}()
	return g.scorer.Score(ctx, batch)
}
