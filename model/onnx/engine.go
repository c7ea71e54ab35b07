//go:build cgo

package onnx

import (
	"context"
	"errors"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/winnowgate/winnow/model"
)

// Engine runs one graph on one provider. It is safe for concurrent use; at most Workers batches run at a time, and
// further calls of Score wait.
type Engine struct {
	provider string
	skipped  []Skipped
	warmed   []Warmed
	lengths  []int
	pad      int64
	workers  chan *worker // the free ones
	all      []*worker
	closing  chan struct{}
	close    sync.Once
	closed   error
}

// Open climbs the ladder of providers. One works when it loads the bundle's graph, scores the largest batch of every
// length that it will be given, and decides the probes like the CPU. The caller must Close the engine.
func Open(ctx context.Context, bundle *model.Bundle, config Config) (*Engine, error) {
	if err := config.Validate(&bundle.Manifest); err != nil {
		return nil, err
	}
	config = config.complete(&bundle.Manifest)
	if err := acquireEnvironment(); err != nil {
		return nil, err
	}
	engine, skipped, err := climb(config.Providers, config.Require, func(providers []string) (*Engine, error) {
		engine, err := open(ctx, bundle, config, providers)
		if err != nil {
			return nil, err
		}
		if err := prove(ctx, bundle, config, engine); err != nil {
			return nil, errors.Join(err, engine.stop())
		}
		return engine, nil
	})
	if err != nil {
		return nil, errors.Join(err, releaseEnvironment())
	}
	engine.skipped = skipped
	return engine, nil
}

// open opens an engine on the first of providers and warms it up.
func open(ctx context.Context, bundle *model.Bundle, config Config, providers []string) (*Engine, error) {
	if err := checkArithmetic(providers[0], &bundle.Manifest); err != nil {
		return nil, err
	}
	plan := config.layoutOf(providers[0])
	at := place{digest: bundle.Digest, version: ort.GetVersion()}
	return assemble(ctx, opener{graph: bundle.Graph, at: at, config: config, providers: providers}, plan, &bundle.Manifest)
}

func assemble(ctx context.Context, o opener, plan layout, manifest *model.Manifest) (*Engine, error) {
	workers, err := hire(o, plan)
	engine := &Engine{
		provider: o.providers[0], lengths: plan.lengths, pad: manifest.SpecialTokens.PAD, all: workers,
		workers: make(chan *worker, len(workers)), closing: make(chan struct{}),
	}
	if err == nil {
		err = engine.warm(ctx, manifest, o.config.BatchTokens)
	}
	if err != nil {
		return nil, errors.Join(err, engine.dismiss())
	}
	for _, worker := range workers {
		engine.workers <- worker
	}
	return engine, nil
}

// Provider returns the execution provider in use.
func (e *Engine) Provider() string { return e.provider }

// Skipped returns the providers of the ladder that were tried first and do not work here.
func (e *Engine) Skipped() []Skipped { return e.skipped }

// Lengths returns what batches are padded to, ascending, and nil where any length will do. A batch that is cut to
// BatchTokens by the length that it will have wastes the least.
func (e *Engine) Lengths() []int { return e.lengths }

// Workers returns how many batches run at a time.
func (e *Engine) Workers() int { return len(e.all) }

// Score returns the logits of each row of batch. It returns early when ctx ends, and model.ErrClosed once Close has begun,
// also for a batch that Close stopped.
func (e *Engine) Score(ctx context.Context, batch model.Batch) ([]model.Logits, error) {
	if e.isClosing() { // asked alone first: a select with several ready cases picks any
		return nil, model.ErrClosed
	}
	select {
	case worker := <-e.workers:
		defer func() { e.workers <- worker }()
		logits, err := worker.score(ctx, batch, e.pad)
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
	e.close.Do(func() { e.closed = errors.Join(e.stop(), releaseEnvironment()) })
	return e.closed
}

func (e *Engine) stop() error {
	close(e.closing)
	var problems []error
	for _, worker := range e.all {
		problems = append(problems, worker.slot.options.Terminate())
	}
	for range e.all {
		<-e.workers // no native code reads a worker's buffers once it is back
	}
	return errors.Join(append(problems, e.dismiss())...)
}

func (e *Engine) dismiss() error {
	var problems []error
	for _, worker := range e.all {
		problems = append(problems, worker.dismiss())
	}
	return errors.Join(problems...)
}
