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

// OpenEngine verifies the bundle, loads it, and scores one pair, so that whatever is wrong with it shows now. The caller
// must Close the engine.
func OpenEngine(ctx context.Context, settings config.Config, logger *zap.Logger, registerer prometheus.Registerer) (*Engine, error) {
	bundle, err := model.Open(settings.Model.Bundle)
	if err != nil {
		return nil, &config.InvalidError{Err: err}
	}
	engine := &Engine{Bundle: bundle}
	if err := engine.open(ctx, settings, logger, registerer); err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return engine, nil
}

func (e *Engine) open(ctx context.Context, settings config.Config, logger *zap.Logger, registerer prometheus.Registerer) (err error) {
	if e.tokenizer, err = tokenize.Open(e.Bundle.Tokenizer); err != nil {
		return fmt.Errorf("bundle %s: %w", e.Bundle.ID(), err)
	}
	if e.scorer, err = onnx.Open(e.Bundle, onnx.Config{
		Providers: settings.Model.Providers, Require: settings.Model.Require,
		Workers: settings.Model.Workers, BatchTokens: settings.Gate.BatchTokens,
	}); err != nil {
		return fmt.Errorf("bundle %s: %w", e.Bundle.ID(), err)
	}
	for _, skipped := range e.scorer.Skipped() {
		logger.Info("execution provider not available", zap.String("provider", skipped.Provider), zap.Error(skipped.Err))
	}
	if e.Gate, err = gate.New(e.Bundle, e.tokenizer, e.scorer, policyOf(settings.Policy, e.Bundle), gate.Config{
		BatchTokens: settings.Gate.BatchTokens, CacheEntries: settings.Gate.CacheEntries,
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

func policyOf(settings config.Policy, bundle *model.Bundle) judge.Policy {
	policy := judge.Policy{
		MinProducts: settings.MinProducts, PruneWeak: settings.PruneWeak,
		SevereThreshold: settings.SevereThreshold, ReviewThreshold: settings.ReviewThreshold,
	}
	if policy.SevereThreshold == 0 {
		policy.SevereThreshold = bundle.Manifest.Thresholds.Severe
	}
	if policy.ReviewThreshold == 0 {
		policy.ReviewThreshold = bundle.Manifest.Thresholds.Review
	}
	return policy
}

// Close frees the native memory: first the scorer, which stops what runs, then the tokenizer.
func (e *Engine) Close() error {
	var problems []error
	if e.scorer != nil {
		problems = append(problems, e.scorer.Close())
	}
	if e.tokenizer != nil {
		problems = append(problems, e.tokenizer.Close())
	}
	return errors.Join(problems...)
}
