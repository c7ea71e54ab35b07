//go:build cgo

package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/winnowgate/winnow/cmd/internal/app"
	"github.com/winnowgate/winnow/cmd/internal/config"
	"github.com/winnowgate/winnow/schema"
)

// EngineResult is one row of bench engine: one setting of the gate without Kafka.
type EngineResult struct {
	Model       string `json:"model,omitempty"`
	Provider    string `json:"provider"`
	Workers     int    `json:"workers,omitempty"`
	Threads     int    `json:"threads,omitempty"` // a worker
	Lanes       int    `json:"lanes,omitempty"`
	BatchTokens int    `json:"batch_tokens,omitempty"`
	Pairs       int    `json:"pairs"` // offered; duplicates within a poll are scored once
	Scoring
	PairsPerSecond     float64            `json:"pairs_per_second"`     // scored and remembered
	MatrixProductShare float64            `json:"matrix_product_share"` // of the time in which the graph runs
	Operators          map[string]float64 `json:"operators,omitempty"`  // that time, by operator
	Error              string             `json:"error,omitempty"`
}

// profiledPairs is how many pairs are scored once more under ONNX Runtime's profiler, which costs some speed itself.
const profiledPairs = 2000

// Engine measures the gate of settings on workload: polls are judged as lanes would, with nothing before and behind them.
// warm returns pairs for warming up and for the profiler.
func Engine(ctx context.Context, settings config.Config, workload, warm Workload, logger *zap.Logger) (EngineResult, error) {
	result := EngineResult{Lanes: settings.Kafka.Lanes, BatchTokens: settings.Gate.BatchTokens, Threads: max(settings.Model.Threads, 1)}
	warming := take(warm, profiledPairs)
	var err error
	if result.Operators, result.MatrixProductShare, err = profiled(ctx, settings, warming, logger); err != nil {
		return result, err
	}
	running, err := start(ctx, settings, logger)
	if err != nil {
		return result, err
	}
	err = running.measure(ctx, settings, workload, warming, &result)
	return result, errors.Join(err, running.engine.Close())
}

// running is an engine with the registry of its metrics.
type running struct {
	engine   *app.Engine
	registry *prometheus.Registry
}

func start(ctx context.Context, settings config.Config, logger *zap.Logger) (*running, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	engine, err := app.OpenEngine(ctx, settings, logger, registry)
	if err != nil {
		return nil, err
	}
	return &running{engine, registry}, nil
}

func (r *running) measure(ctx context.Context, settings config.Config, workload Workload, warming []schema.Candidate, result *EngineResult) error {
	if _, err := r.engine.Gate.Judge(ctx, warming); err != nil {
		return fmt.Errorf("warm-up: %w", err)
	}
	before, err := r.read()
	if err != nil {
		return err
	}
	started := time.Now()
	if result.Pairs, err = r.judge(ctx, settings, workload); err != nil {
		return err
	}
	seconds := time.Since(started).Seconds()
	after, err := r.read()
	if err != nil {
		return err
	}
	result.Model, result.Provider, result.Workers = r.engine.Bundle.ID(), r.engine.Gate.Provider(), int(after.workers)
	result.Scoring = scoringOf(before, after, seconds, settings.Gate.BatchTokens)
	result.PairsPerSecond = float64(result.Scored+result.Cached) / seconds
	return nil
}

// judge decides the whole workload, poll after poll on every lane, and returns how many pairs it held.
func (r *running) judge(ctx context.Context, settings config.Config, workload Workload) (int, error) {
	var mu sync.Mutex
	pairs := 0
	poll := func() []schema.Candidate {
		mu.Lock()
		defer mu.Unlock()
		var polled []schema.Candidate
		for len(polled) < settings.Kafka.PollRecords {
			candidate, ok := workload.Next()
			if !ok {
				break
			}
			pairs += len(candidate.Products)
			polled = append(polled, candidate)
		}
		return polled
	}
	group, ctx := errgroup.WithContext(ctx)
	for range settings.Kafka.Lanes {
		group.Go(func() error {
			for polled := poll(); len(polled) > 0; polled = poll() {
				outcomes, err := r.engine.Gate.Judge(ctx, polled)
				if err != nil {
					return err
				}
				for i, outcome := range outcomes {
					if outcome.Err != nil {
						return fmt.Errorf("candidate %s: %w", polled[i].PlacementID, outcome.Err)
					}
				}
			}
			return nil
		})
	}
	return pairs, group.Wait()
}

func (r *running) read() (reading, error) {
	gathered, err := r.registry.Gather()
	if err != nil {
		return reading{}, err
	}
	families := map[string]*dto.MetricFamily{}
	for _, family := range gathered {
		families[family.GetName()] = family
	}
	return readingOf(families), nil
}

// take returns candidates with at least so many pairs, if there are.
func take(workload Workload, pairs int) []schema.Candidate {
	var taken []schema.Candidate
	for pairs > 0 {
		candidate, ok := workload.Next()
		if !ok {
			break
		}
		taken, pairs = append(taken, candidate), pairs-len(candidate.Products)
	}
	return taken
}

// profiled scores candidates under ONNX Runtime's profiler and returns where the time went.
func profiled(ctx context.Context, settings config.Config, candidates []schema.Candidate, logger *zap.Logger) (operators map[string]float64, products float64, err error) {
	folder, err := os.MkdirTemp("", "winnow-profile-")
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	settings.Model.Profile = filepath.Join(folder, "profile")
	engine, err := app.OpenEngine(ctx, settings, logger, prometheus.NewRegistry())
	if err != nil {
		return nil, 0, err
	}
	_, err = engine.Gate.Judge(ctx, candidates)
	if err = errors.Join(err, engine.Close()); err != nil { // closing writes the profile
		return nil, 0, err
	}
	return readProfiles(folder)
}
