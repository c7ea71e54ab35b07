//go:build cgo

// Package app is the only wiring: it builds the parts from the configuration, starts and stops them in order.
package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/winnowgate/winnow/cmd/internal/config"
	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/model/onnx"
	"github.com/winnowgate/winnow/model/tokenize"
	"github.com/winnowgate/winnow/processor/gate"
	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/schema"
)

// Engine is a gate with the native parts under it.
type Engine struct {
	Gate   *gate.Gate
	Bundle *model.Bundle

	tokenizer *tokenize.Tokenizer
	scorer    *onnx.Engine
}

// OpenEngine verifies the bundle, loads it, warms it up and judges one candidate, so that whatever is wrong with it shows
// now. The caller must Close the engine.
func OpenEngine(ctx context.Context, settings config.Config, logger *zap.Logger, registerer prometheus.Registerer) (*Engine, error) {
	bundle, err := model.Open(settings.Model.Bundle)
	if err != nil {
		return nil, &config.InvalidError{Err: err}
	}
	if lacks := bundle.Manifest.Lacks(); lacks != "" {
		logger.Warn(lacks)
	}
	engine := &Engine{Bundle: bundle}
	if err := engine.open(ctx, settings, logger, registerer); err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return engine, nil
}

func (e *Engine) open(ctx context.Context, settings config.Config, logger *zap.Logger, registerer prometheus.Registerer) (err error) {
	if e.tokenizer, err = tokenize.Open(e.Bundle.Tokenizer, e.Bundle.Manifest.SpecialTokens.UNK); err != nil {
		return fmt.Errorf("bundle %s: %w", e.Bundle.ID(), err)
	}
	if e.scorer, err = e.openScorer(ctx, settings); err != nil {
		return fmt.Errorf("bundle %s: %w", e.Bundle.ID(), err)
	}
	for _, skipped := range e.scorer.Skipped() {
		logger.Info("execution provider not available", zap.String("provider", skipped.Provider), zap.Error(skipped.Err))
	}
	for _, warmed := range e.scorer.Warmed() {
		logger.Info("warmed up", zap.String("provider", e.scorer.Provider()), zap.Int("rows", warmed.Rows), zap.Int("length", warmed.Length), zap.Float64("seconds", warmed.Duration.Seconds()))
	}
	if settings.Policy.PruneWeak != nil {
		logger.Warn("policy.prune_weak is of an earlier policy: use policy.weak_threshold, where 1 keeps weak products")
	}
	policy, err := policyOf(settings.Policy, e.Bundle)
	if err != nil {
		return &config.InvalidError{Err: err}
	}
	if e.Gate, err = gate.New(e.Bundle, e.tokenizer, e.scorer, policy, gate.Config{
		BatchTokens: settings.Gate.BatchTokens, PendingTokens: settings.Gate.PendingTokens, CacheEntries: settings.Gate.CacheEntries,
	}, registerer); err != nil {
		return &config.InvalidError{Err: err}
	}
	outcomes, err := e.Gate.Judge(ctx, []schema.Candidate{{PlacementID: "warm-up", Theme: "Breakfast", Products: []schema.Product{{ProductID: "1", Title: "Oat flakes"}}}})
	if err == nil {
		err = outcomes[0].Err
	}
	if err != nil {
		return fmt.Errorf("bundle %s: warm-up: %w", e.Bundle.ID(), err)
	}
	logger.Info("model loaded", zap.String("model", e.Bundle.ID()), zap.String("provider", e.scorer.Provider()),
		zap.Int("workers", e.scorer.Workers()), zap.String("policy", e.Gate.Policy().Version()))
	return nil
}

func (e *Engine) openScorer(ctx context.Context, settings config.Config) (*onnx.Engine, error) {
	probes, err := e.probes()
	if err != nil {
		return nil, err
	}
	wanted := onnx.Config{
		Providers: settings.Model.Providers, Require: settings.Model.Require,
		Workers: settings.Model.Workers, Threads: settings.Model.Threads, BatchTokens: settings.Gate.BatchTokens,
		Probes: probes, Profile: settings.Model.Profile,
		Device: settings.Model.Device, Precision: settings.Model.Precision, Buckets: settings.Model.Buckets,
		WorkspaceBytes: settings.Model.WorkspaceBytes, EngineCache: settings.Model.EngineCache,
		TensorRTOptions: settings.Model.TensorRTOptions, CUDAOptions: settings.Model.CUDAOptions,
	}
	if err := wanted.Validate(&e.Bundle.Manifest); err != nil {
		return nil, &config.InvalidError{Err: err}
	}
	return onnx.Open(ctx, e.Bundle, wanted)
}

// probes returns the pairs on which a provider proves that it decides like the CPU, as the bundle's tokenizer reads them.
func (e *Engine) probes() ([][]int64, error) {
	texts, err := model.Probes()
	if err != nil {
		return nil, err
	}
	manifest := &e.Bundle.Manifest
	pairs := make([][]int64, 0, len(texts))
	for _, text := range texts {
		theme, err := e.tokenizer.Encode(text.Theme)
		if err != nil {
			return nil, fmt.Errorf("probe %q: %w", text.Theme, err)
		}
		title, err := e.tokenizer.Encode(text.Title)
		if err != nil {
			return nil, fmt.Errorf("probe %q: %w", text.Title, err)
		}
		pairs = append(pairs, manifest.JoinPair(theme.IDs, title.IDs))
	}
	return pairs, nil
}

func policyOf(settings config.Policy, bundle *model.Bundle) (judge.Policy, error) {
	set, err := settings.CompileRules()
	if err != nil {
		return judge.Policy{}, err
	}
	policy := judge.Policy{
		MinProducts: settings.MinProducts, Uncertain: settings.Uncertain, Severe: settings.Severe,
		SevereThreshold: settings.SevereThreshold, ReviewThreshold: settings.ReviewThreshold, WeakThreshold: settings.WeakThreshold,
		Rules: set,
	}
	fitted := bundle.Manifest.Thresholds
	if policy.SevereThreshold == 0 {
		policy.SevereThreshold = fitted.Severe.Value
	}
	if policy.ReviewThreshold == 0 {
		policy.ReviewThreshold = fitted.Review.Value
	}
	switch {
	case policy.WeakThreshold != 0:
	case settings.KeepsWeak():
		policy.WeakThreshold = 1
	default:
		policy.WeakThreshold = fitted.Weak.Value
	}
	return policy, nil
}

// Close stops scoring and frees the native memory, the scorer's and then the tokenizer's.
func (e *Engine) Close() error {
	var problems []error
	if e.Gate != nil {
		e.Gate.Close()
	}
	if e.scorer != nil {
		problems = append(problems, e.scorer.Close())
	}
	if e.tokenizer != nil {
		problems = append(problems, e.tokenizer.Close())
	}
	return errors.Join(problems...)
}
