//go:build cgo

package onnx

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/winnowgate/winnow/model"
)

// slot holds what one running batch needs, so that scoring allocates no buffer: input and output memory, pinned because
// native code reads and writes it between calls, and the run options through which a run is stopped.
type slot struct {
	ids, mask []int64
	logits    []float32
	pinner    runtime.Pinner
	options   *ort.RunOptions
}

const labels = int64(len(model.Logits{}))

func newSlot(tokens int) (*slot, error) {
	options, err := ort.NewRunOptions()
	if err != nil {
		return nil, err
	}
	// A row has one token at least, so there are never more rows than tokens.
	s := &slot{ids: make([]int64, tokens), mask: make([]int64, tokens), logits: make([]float32, tokens*int(labels)), options: options}
	s.pinner.Pin(unsafe.SliceData(s.ids))
	s.pinner.Pin(unsafe.SliceData(s.mask))
	s.pinner.Pin(unsafe.SliceData(s.logits))
	return s, nil
}

func (s *slot) destroy() error {
	s.pinner.Unpin()
	return s.options.Destroy()
}

// score runs batch in session, each row padded to length.
func (s *slot) score(ctx context.Context, session *ort.DynamicAdvancedSession, batch model.Batch, length int, pad int64) ([]model.Logits, error) {
	size := batch.Rows * batch.Length
	if size == 0 || len(batch.IDs) != size || len(batch.Mask) != size {
		return nil, fmt.Errorf("batch of %d x %d tokens holds %d ids and %d mask values", batch.Rows, batch.Length, len(batch.IDs), len(batch.Mask))
	}
	if batch.Rows*length > len(s.ids) {
		return nil, fmt.Errorf("batch of %d x %d tokens exceeds the engine's %d", batch.Rows, length, len(s.ids))
	}
	for row := range batch.Rows {
		widen(s.ids[row*length:][:length], batch.IDs[row*batch.Length:][:batch.Length], pad)
		widen(s.mask[row*length:][:length], batch.Mask[row*batch.Length:][:batch.Length], 0)
	}
	if err := s.run(ctx, session, int64(batch.Rows), int64(length)); err != nil {
		return nil, err
	}
	logits := make([]model.Logits, batch.Rows)
	for row := range logits {
		logits[row] = model.Logits(s.logits[row*int(labels):])
	}
	return logits, nil
}

// widen copies values to the start of wide and fills the rest.
func widen(wide, values []int64, filling int64) {
	for i := copy(wide, values); i < len(wide); i++ {
		wide[i] = filling
	}
}

func (s *slot) run(ctx context.Context, session *ort.DynamicAdvancedSession, rows, length int64) (err error) {
	var values [3]ort.Value
	defer func() {
		for _, value := range values {
			if value != nil {
				err = errors.Join(err, value.Destroy())
			}
		}
	}()
	// The values are views of the slot's memory in this batch's shape.
	for i, data := range [][]int64{s.ids, s.mask} {
		if values[i], err = view(data, rows, length); err != nil {
			return err
		}
	}
	if values[2], err = view(s.logits, rows, labels); err != nil {
		return err
	}
	return s.interruptible(ctx, func() error {
		return session.RunWithOptions(values[:2], values[2:], s.options)
	})
}

func view[T int64 | float32](data []T, rows, columns int64) (ort.Value, error) {
	tensor, err := ort.NewTensor(ort.NewShape(rows, columns), data[:rows*columns])
	if err != nil {
		return nil, err // a nil *Tensor in an ort.Value would not be nil
	}
	return tensor, nil
}

// interruptible runs native code that ends early when ctx does.
func (s *slot) interruptible(ctx context.Context, run func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	terminated := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { terminated <- s.options.Terminate() })
	err := run()
	if stop() {
		return err
	}
	// ctx ended: the flag was set, or is being set right now. Wait, then clear it, or the slot's next run would fail.
	return errors.Join(ctx.Err(), <-terminated, s.options.UnsetTerminate())
}
