// Package onnx scores batches with ONNX Runtime. It is one of the two packages that need cgo; what it asks of an
// execution provider is worked out in plain Go. The library itself is loaded when an engine opens.
package onnx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/winnowgate/winnow/model"
)

// Config says where and how wide a graph runs.
type Config struct {
	Providers   []string  // ladder of execution providers, tried in order
	Require     string    // refuse to run on any other provider; "" accepts the whole ladder
	Workers     int       // batches scored at once; 0: two on a GPU, on the CPU one for every Threads processors
	Threads     int       // of one worker on the CPU; 0: 1
	BatchTokens int       // the largest Rows * Length of one batch
	Probes      [][]int64 // token ids of real pairs: a provider that decides them unlike the CPU is passed over; none: no proof
	Profile     string    // where ONNX Runtime's profiles go: a path that their names start with; "": none

	Device          int               // the GPU's number
	Precision       string            // of TensorRT; "": model.FP16
	Buckets         []int             // lengths that TensorRT pads to, ascending; none: DefaultBuckets
	WorkspaceBytes  int               // of GPU memory while TensorRT builds an engine; 0: the provider's default
	EngineCache     string            // folder of TensorRT's engines; "": winnow/engines in the user's cache folder
	TensorRTOptions map[string]string // further options of TensorRT's provider
	CUDAOptions     map[string]string // further options of CUDA's provider
}

// Validate reports every problem with its key, its value and its bound.
func (c Config) Validate(manifest *model.Manifest) error {
	problems := []error{
		checkOptions("model.tensorrt_options", c.TensorRTOptions, tensorRTKeys(), tensorRTOwned()),
		checkOptions("model.cuda_options", c.CUDAOptions, cudaKeys(), cudaOwned()),
	}
	if c.Precision != "" && !slices.Contains(model.Precisions(), c.Precision) {
		problems = append(problems, fmt.Errorf("model.precision is %q, must be one of %v", c.Precision, model.Precisions()))
	}
	if c.BatchTokens < manifest.MaxTokens {
		problems = append(problems, fmt.Errorf("gate.batch_tokens is %d, below the %d tokens of the bundle's longest pair", c.BatchTokens, manifest.MaxTokens))
	}
	if len(c.Buckets) > 0 {
		problems = append(problems, checkBuckets(c.Buckets, manifest.MaxTokens))
	}
	return errors.Join(problems...)
}

// complete fills in what was left to the engine.
func (c Config) complete(manifest *model.Manifest) Config {
	c.Threads = max(c.Threads, 1) // two batches side by side outrun two threads that meet after every operator
	if c.Precision == "" {
		c.Precision = model.FP16
	}
	if len(c.Buckets) == 0 {
		c.Buckets = DefaultBuckets(manifest.MaxTokens)
	}
	if c.EngineCache == "" {
		if folder, err := os.UserCacheDir(); err == nil { // without one TensorRT says what to set
			c.EngineCache = filepath.Join(folder, "winnow", "engines")
		}
	}
	return c
}

// layout says how an engine is cut into workers and sessions.
type layout struct {
	workers int
	lengths []int // that batches are padded to, a session each; none: any length in one session
	apart   bool  // each worker has sessions and an operating-system thread of its own
}

// layoutOf returns the layout that suits provider. A CPU session serves any number of callers. A TensorRT session runs one
// batch at a time, so that copying one batch can overlap with computing another only across two of them; and CUDA keeps
// state for every thread that calls it, so that a worker must not wander from one thread to the next.
func (c Config) layoutOf(provider string) layout {
	plan := layout{workers: c.Workers}
	switch provider {
	case model.TensorRT:
		plan.lengths, plan.apart = c.Buckets, true
	case model.CUDA:
		plan.apart = true
	}
	if plan.workers == 0 && plan.apart {
		plan.workers = 2
	}
	if plan.workers == 0 {
		plan.workers = max(runtime.GOMAXPROCS(0)/max(c.Threads, 1), 1)
	}
	return plan
}

// profileOf returns where the profile of one session goes. Sessions of one second would otherwise share a file.
func (c Config) profileOf(plan layout, worker, length int) string {
	if c.Profile == "" || !plan.apart {
		return c.Profile
	}
	if length == 0 {
		return fmt.Sprintf("%s-worker%d", c.Profile, worker)
	}
	return fmt.Sprintf("%s-worker%d-length%d", c.Profile, worker, length)
}
