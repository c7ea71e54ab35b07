//go:build cgo

package onnx

import (
	"errors"
	"fmt"
	"os"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/winnowgate/winnow/model"
)

// opener opens the sessions of one graph.
type opener struct {
	graph     []byte
	at        place
	config    Config
	providers []string // the one in use, then those behind it
}

// open opens a session for rows of length tokens, 0 being any.
func (o opener) open(length int, profile string) (*ort.DynamicAdvancedSession, error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	session, err := o.configured(options, length, profile)
	return session, errors.Join(err, options.Destroy())
}

func (o opener) configured(options *ort.SessionOptions, length int, profile string) (*ort.DynamicAdvancedSession, error) {
	if err := errors.Join(
		options.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		options.SetIntraOpNumThreads(o.config.Threads),
		options.SetInterOpNumThreads(1),
		// A memory pattern is planned for each input shape it sees and kept; batches come in hundreds of shapes.
		options.SetMemPattern(false),
		o.register(options, length),
		o.registerOperators(options),
	); err != nil {
		return nil, err
	}
	if profile != "" {
		// The session writes the profile when it is destroyed.
		if err := options.EnableProfiling(profile); err != nil {
			return nil, fmt.Errorf("profile %s: %w", profile, err)
		}
	}
	return ort.NewDynamicAdvancedSessionWithONNXData(o.graph, []string{inputIDs, inputMask}, []string{output}, options)
}

// register appends the providers to options in their order. CPU needs no registration: it is always last.
func (o opener) register(options *ort.SessionOptions, length int) error {
	for _, provider := range o.providers {
		var err error
		switch provider {
		case model.TensorRT:
			err = o.registerTensorRT(options, length)
		case model.CUDA:
			err = o.registerCUDA(options)
		case model.CPU:
		default:
			err = fmt.Errorf("unknown execution provider, must be one of %v", model.Providers())
		}
		if err != nil {
			return fmt.Errorf("register %s: %w", provider, explain(err))
		}
	}
	return nil
}

// registerOperators lets the CPU run a graph's operators in one step each. Other providers take them as the functions that
// the graph defines, which they can optimise; an operator of the CPU's would only cut the graph in pieces for them.
func (o opener) registerOperators(options *ort.SessionOptions) error {
	if o.providers[0] != model.CPU {
		return nil
	}
	library, err := FindOperators()
	if err != nil {
		return err
	}
	return options.RegisterCustomOpsLibrary(library)
}

func (o opener) registerTensorRT(options *ort.SessionOptions, length int) error {
	if o.config.EngineCache == "" {
		return errors.New("there is no folder for its engines: set model.engine_cache")
	}
	// The provider makes one folder, not the way to it.
	if err := os.MkdirAll(engineFolder(o.config, o.at, length), 0o700); err != nil {
		return fmt.Errorf("model.engine_cache: %w", err)
	}
	provider, err := ort.NewTensorRTProviderOptions()
	if err != nil {
		return err
	}
	if err = provider.Update(tensorRTOptions(o.config, o.at, length)); err == nil {
		err = options.AppendExecutionProviderTensorRT(provider)
	}
	return errors.Join(err, provider.Destroy())
}

func (o opener) registerCUDA(options *ort.SessionOptions) error {
	provider, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	if err = provider.Update(cudaOptions(o.config)); err == nil {
		err = options.AppendExecutionProviderCUDA(provider)
	}
	return errors.Join(err, provider.Destroy())
}
