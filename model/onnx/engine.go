//go:build cgo

// Package onnx scores batches with ONNX Runtime. It is one of the two packages that need cgo; the library itself is
// loaded when an engine opens.
package onnx

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/winnowgate/winnow/model"
)

// Config says where and how wide a graph runs.
type Config struct {
	Providers   []string // ladder of execution providers, tried in order
	Require     string   // refuse to run on any other provider; "" accepts the whole ladder
	Workers     int      // batches scored at once, a thread each on the CPU; 0: one a processor
	BatchTokens int      // the largest Rows * Length of one batch
}

// Engine runs one graph on one provider. It is safe for concurrent use; at most Workers batches run at a time, and
// further calls of Score wait.
type Engine struct {
	session  *ort.DynamicAdvancedSession
	provider string
	skipped  []Skipped
	slots    chan *slot // the free ones
	all      []*slot
	closing  chan struct{}
	close    sync.Once
	closed   error
}

// Open loads the bundle's graph. The caller must Close the engine.
func Open(bundle *model.Bundle, config Config) (*Engine, error) {
	if config.Workers == 0 {
		config.Workers = runtime.NumCPU()
	}
	if err := acquireEnvironment(); err != nil {
		return nil, err
	}
	engine, err := open(bundle, config)
	if err != nil {
		return nil, errors.Join(err, releaseEnvironment())
	}
	return engine, nil
}

func open(bundle *model.Bundle, config Config) (*Engine, error) {
	session, provider, skipped, err := climb(config.Providers, config.Require, func(providers []string) (*ort.DynamicAdvancedSession, error) {
		return newSession(bundle.Graph, providers)
	})
	if err != nil {
		return nil, err
	}
	engine := &Engine{
		session: session, provider: provider, skipped: skipped,
		slots: make(chan *slot, config.Workers), closing: make(chan struct{}),
	}
	for range config.Workers {
		slot, err := newSlot(config.BatchTokens)
		if err != nil {
			return nil, errors.Join(err, engine.destroy())
		}
		engine.all = append(engine.all, slot)
		engine.slots <- slot
	}
	return engine, nil
}

func newSession(graph []byte, providers []string) (*ort.DynamicAdvancedSession, error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	session, err := configured(options, graph, providers)
	return session, errors.Join(err, options.Destroy())
}

func configured(options *ort.SessionOptions, graph []byte, providers []string) (*ort.DynamicAdvancedSession, error) {
	if err := errors.Join(
		options.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		// One thread a worker: two batches side by side outrun two threads that meet after every operator.
		options.SetIntraOpNumThreads(1),
		options.SetInterOpNumThreads(1),
		// A memory pattern is planned for each input shape it sees and kept; batches come in hundreds of shapes.
		options.SetMemPattern(false),
		register(options, providers),
	); err != nil {
		return nil, err
	}
	return ort.NewDynamicAdvancedSessionWithONNXData(graph, []string{"input_ids", "attention_mask"}, []string{"logits"}, options)
}

// Provider returns the execution provider in use.
func (e *Engine) Provider() string { return e.provider }

// Skipped returns the providers of the ladder that were tried first and do not work here.
func (e *Engine) Skipped() []Skipped { return e.skipped }

// Workers returns how many batches run at a time.
func (e *Engine) Workers() int { return len(e.all) }

// Score returns the logits of each row of batch. It returns early when ctx ends, and model.ErrClosed once Close has begun,
// also for a batch that Close stopped.
func (e *Engine) Score(ctx context.Context, batch model.Batch) ([]model.Logits, error) {
	if e.isClosing() { // asked alone first: a select with several ready cases picks any
		return nil, model.ErrClosed
	}
	select {
	case slot := <-e.slots:
		defer func() { e.slots <- slot }()
		logits, err := slot.score(ctx, e.session, batch)
		if err != nil && e.isClosing() {
			return nil, model.ErrClosed
		}
		return logits, err
	case <-e.closing:
		return nil, model.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (e *Engine) isClosing() bool {
	select {
	case <-e.closing:
		return true
	default:
		return false
	}
}

// Close stops running batches, waits for them, and frees all native memory. Calling it again returns the same result.
func (e *Engine) Close() error {
	e.close.Do(func() {
		close(e.closing)
		var problems []error
		for _, slot := range e.all {
			problems = append(problems, slot.options.Terminate())
		}
		for range e.all {
			<-e.slots // no native code reads a slot's buffers once the slot is back
		}
		e.closed = errors.Join(append(problems, e.destroy(), releaseEnvironment())...)
	})
	return e.closed
}

func (e *Engine) destroy() error {
	var problems []error
	for _, slot := range e.all {
		problems = append(problems, slot.destroy())
	}
	if err := e.session.Destroy(); err != nil {
		problems = append(problems, fmt.Errorf("destroy session: %w", err))
	}
	return errors.Join(problems...)
}
