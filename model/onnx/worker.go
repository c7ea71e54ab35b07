//go:build cgo

package onnx

import (
	"context"
	"errors"
	"fmt"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/winnowgate/winnow/model"
)

// worker scores one batch at a time, in the session of the batch's bucket.
type worker struct {
	slot     *slot
	buckets  []int                         // none: any length
	sessions []*ort.DynamicAdvancedSession // one a bucket
	shared   bool                          // the sessions are other workers' too
	thread   *thread                       // nil: the caller's
}

// hire opens the workers of one provider. On an error it returns those that it has opened.
func hire(o opener, plan layout) ([]*worker, error) {
	var workers []*worker
	for i := range plan.workers {
		w := &worker{buckets: plan.lengths}
		workers = append(workers, w)
		slot, err := newSlot(o.config.BatchTokens)
		if err != nil {
			return workers, err
		}
		w.slot = slot
		if i > 0 && !plan.apart {
			w.sessions, w.shared = workers[0].sessions, true
			continue
		}
		if plan.apart {
			w.thread = startThread()
		}
		if err := w.open(o, plan, i); err != nil {
			return workers, err
		}
	}
	return workers, nil
}

func (w *worker) open(o opener, plan layout, number int) error {
	lengths := plan.lengths
	if len(lengths) == 0 {
		lengths = []int{0}
	}
	for _, length := range lengths {
		var session *ort.DynamicAdvancedSession
		var err error
		w.do(func() { session, err = o.open(length, o.config.profileOf(plan, number, length)) })
		if err != nil {
			return err
		}
		w.sessions = append(w.sessions, session)
	}
	return nil
}

func (w *worker) do(run func()) {
	if w.thread == nil {
		run()
		return
	}
	w.thread.do(run)
}

// score returns the logits of batch, padded with pad to the length of its bucket.
func (w *worker) score(ctx context.Context, batch model.Batch, pad int64) (logits []model.Logits, err error) {
	place, length, err := bucketOf(w.buckets, batch.Length)
	if err != nil {
		return nil, err
	}
	w.do(func() { logits, err = w.slot.score(ctx, w.sessions[place], batch, length, pad) })
	return logits, err
}

// dismiss frees the worker's native memory. Nothing may be running on it.
func (w *worker) dismiss() error {
	var problems []error
	if !w.shared {
		for _, session := range w.sessions {
			if err := session.Destroy(); err != nil {
				problems = append(problems, fmt.Errorf("destroy session: %w", err))
			}
		}
	}
	if w.thread != nil {
		w.thread.stop()
	}
	if w.slot != nil {
		problems = append(problems, w.slot.destroy())
	}
	return errors.Join(problems...)
}
