//go:build cgo

package onnx

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/winnowgate/winnow/model"
)

// prove holds candidate's decisions about the probes against the same graph's on the CPU.
func prove(ctx context.Context, bundle *model.Bundle, config Config, candidate *Engine) error {
	if candidate.provider == model.CPU || len(config.Probes) == 0 {
		return nil
	}
	config.Workers, config.Threads, config.Profile = 1, runtime.GOMAXPROCS(0), ""
	reference, err := open(ctx, bundle, config, []string{model.CPU})
	if err != nil {
		return fmt.Errorf("open the CPU for comparison: %w", err)
	}
	agreed, err := hold(ctx, &bundle.Manifest, config, reference, candidate)
	if err = errors.Join(err, reference.stop()); err != nil {
		return fmt.Errorf("compare with the CPU: %w", err)
	}
	return agreed.err()
}
