//go:build cgo

package onnx

import (
	"context"
	"fmt"
	"time"

	"github.com/winnowgate/winnow/model"
)

// Warmed says how long the first and largest batch of one length took, on all workers together.
type Warmed struct {
	Rows, Length int
	Duration     time.Duration
}

// Warmed returns what was scored before the engine was handed out, the shortest length first.
func (e *Engine) Warmed() []Warmed { return e.warmed }

// warm scores the largest batch of every length in every session, so that whatever is built or allocated on the first
// use is there before the engine is handed out, and what does not fit into memory shows now. Nobody else may use the
// engine yet.
func (e *Engine) warm(ctx context.Context, manifest *model.Manifest, batchTokens int) error {
	for _, shape := range largest(e.lengths, manifest.MaxTokens, batchTokens) {
		started := time.Now()
		for _, worker := range e.all {
			if worker.shared {
				continue
			}
			if _, err := worker.score(ctx, full(shape, manifest.SpecialTokens.CLS), e.pad); err != nil {
				return fmt.Errorf("warm-up of %d x %d tokens: %w", shape.rows, shape.length, err)
			}
		}
		e.warmed = append(e.warmed, Warmed{Rows: shape.rows, Length: shape.length, Duration: time.Since(started)})
	}
	return nil
}

// full is a batch without padding.
func full(shape shape, id int64) model.Batch {
	size := shape.rows * shape.length
	batch := model.Batch{Rows: shape.rows, Length: shape.length, IDs: make([]int64, size), Mask: make([]int64, size)}
	for i := range size {
		batch.IDs[i], batch.Mask[i] = id, 1
	}
	return batch
}
