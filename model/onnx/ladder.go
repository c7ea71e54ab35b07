package onnx

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/winnowgate/winnow/model"
)

// Skipped is a provider of the ladder that could not be used, and why.
type Skipped struct {
	Provider string
	Err      error
}

// climb opens the first provider of the ladder that works. Those after it are given too, for the parts of the graph that
// it does not take.
func climb[T any](ladder []string, require string, open func(providers []string) (T, error)) (opened T, skipped []Skipped, err error) {
	var failures []error
	for i, provider := range ladder {
		if require != "" && provider != require {
			continue
		}
		opened, err := open(ladder[i:])
		if err == nil {
			return opened, skipped, nil
		}
		skipped = append(skipped, Skipped{provider, err})
		failures = append(failures, fmt.Errorf("%s: %w", provider, err))
	}
	switch {
	case require != "" && !slices.Contains(ladder, require):
		err = fmt.Errorf("model.require is %s, which is not among model.providers %v", require, ladder)
	case require != "":
		err = fmt.Errorf("model.require is %s, and that does not work here: %w", require, errors.Join(failures...))
	default:
		err = fmt.Errorf("no execution provider works: %w", errors.Join(failures...))
	}
	return opened, skipped, err
}

// checkArithmetic refuses what TensorRT's parser would: it takes signed 8 bits without a zero point alone (TensorRT's
// documentation, "Working with Quantized Types"; NVIDIA/TensorRT issue 4698), and would leave every product to others.
func checkArithmetic(provider string, manifest *model.Manifest) error {
	if provider == model.TensorRT && manifest.Arithmetic == model.INT8 {
		return errors.New("the bundle's activations are unsigned 8-bit integers with zero points, and TensorRT takes symmetric ones alone: build the bundle with winnow model build --arithmetic fp32, and model.precision lets TensorRT make it fast")
	}
	return nil
}

// explain adds to what ONNX Runtime says what can be done about it.
func explain(err error) error {
	if advice := adviceOn(err.Error()); advice != "" {
		return fmt.Errorf("%w: %s", err, advice)
	}
	return err
}

func adviceOn(message string) string {
	const image = "deploy/Dockerfile.tensorrt brings everything"
	missing := regexp.MustCompile(`(lib[\w.+-]+\.so[\w.]*): cannot open shared object file`).FindStringSubmatch(message)
	switch {
	case strings.Contains(message, "not enabled in this build"):
		return "the library is the CPU build of ONNX Runtime; make native-gpu fetches the GPU build, and " + image
	case missing == nil:
		return ""
	case strings.HasPrefix(missing[1], "libcuda.so"):
		return "the NVIDIA driver is missing; a container needs --gpus all"
	case strings.HasPrefix(missing[1], "libonnxruntime_providers"):
		return "the provider's library must lie beside libonnxruntime.so; make native-gpu puts it there, and " + image
	case strings.HasPrefix(missing[1], "libnv"):
		return missing[1] + " is missing: install TensorRT 10 for CUDA 13; " + image
	default:
		return missing[1] + " is missing: install CUDA 13 with cuDNN 9; " + image
	}
}
