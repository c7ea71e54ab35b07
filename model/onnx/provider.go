//go:build cgo

package onnx

import (
	"errors"
	"fmt"
	"slices"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/winnowgate/winnow/model"
)

// Skipped is a provider of the ladder that could not be used, and why.
type Skipped struct {
	Provider string
	Err      error
}

// climb opens a session on the first provider of the ladder that works. Those after it stay registered behind it, for
// the parts of the graph that it does not take.
func climb(ladder []string, require string, open func(providers []string) (*ort.DynamicAdvancedSession, error)) (*ort.DynamicAdvancedSession, string, []Skipped, error) {
	var skipped []Skipped
	var failures []error
	for i, provider := range ladder {
		if require != "" && provider != require {
			continue
		}
		session, err := open(ladder[i:])
		if err == nil {
			return session, provider, skipped, nil
		}
		skipped = append(skipped, Skipped{provider, err})
		failures = append(failures, fmt.Errorf("%s: %w", provider, err))
	}
	if require != "" && !slices.Contains(ladder, require) {
		failures = append(failures, fmt.Errorf("%s is required but not among the providers %v", require, ladder))
	}
	return nil, "", skipped, fmt.Errorf("no execution provider works: %w", errors.Join(failures...))
}

// register appends the providers to options in their order. CPU needs no registration: it is always last.
func register(options *ort.SessionOptions, providers []string) error {
	for _, provider := range providers {
		var err error
		switch provider {
		case model.TensorRT:
			err = registerTensorRT(options)
		case model.CUDA:
			err = registerCUDA(options)
		case model.CPU:
		default:
			err = fmt.Errorf("unknown execution provider, must be one of %v", model.Providers())
		}
		if err != nil {
			return fmt.Errorf("register %s: %w", provider, err)
		}
	}
	return nil
}

func registerTensorRT(options *ort.SessionOptions) error {
	provider, err := ort.NewTensorRTProviderOptions()
	if err != nil {
		return err
	}
	return errors.Join(options.AppendExecutionProviderTensorRT(provider), provider.Destroy())
}

func registerCUDA(options *ort.SessionOptions) error {
	provider, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	return errors.Join(options.AppendExecutionProviderCUDA(provider), provider.Destroy())
}
