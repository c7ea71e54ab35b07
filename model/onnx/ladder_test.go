package onnx

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/winnowgate/winnow/model"
)

// works opens only the providers that it lists.
func works(names ...string) func([]string) (string, error) {
	return func(providers []string) (string, error) {
		for _, name := range names {
			if providers[0] == name {
				return name, nil
			}
		}
		return "", errors.New(providers[0] + " is broken")
	}
}

func TestClimb_TakesTheFirstThatWorksAndSaysWhyNotTheOthers(t *testing.T) {
	opened, skipped, err := climb(model.Providers(), "", works(model.CUDA, model.CPU))
	require.NoError(t, err)
	require.Equal(t, model.CUDA, opened)
	require.Len(t, skipped, 1)
	require.Equal(t, model.TensorRT, skipped[0].Provider)
	require.ErrorContains(t, skipped[0].Err, "tensorrt is broken")
}

func TestClimb_NeverReplacesARequiredProvider(t *testing.T) {
	_, _, err := climb(model.Providers(), model.TensorRT, works(model.CUDA, model.CPU))
	require.EqualError(t, err, "model.require is tensorrt, and that does not work here: tensorrt: tensorrt is broken")
	_, _, err = climb([]string{model.CPU}, model.CUDA, works(model.CPU))
	require.EqualError(t, err, "model.require is cuda, which is not among model.providers [cpu]")
	opened, skipped, err := climb(model.Providers(), model.CPU, works(model.TensorRT, model.CPU))
	require.NoError(t, err)
	require.Equal(t, model.CPU, opened)
	require.Empty(t, skipped)
}

func TestClimb_NamesEveryFailureWhenNothingWorks(t *testing.T) {
	_, _, err := climb(model.Providers(), "", works())
	for _, provider := range model.Providers() {
		require.ErrorContains(t, err, provider+" is broken")
	}
}

func TestCheckArithmetic_KeepsUnsigned8BitsFromTensorRTAlone(t *testing.T) {
	require.ErrorContains(t, checkArithmetic(model.TensorRT, &model.Manifest{Arithmetic: model.INT8}), "winnow model build --arithmetic fp32")
	require.NoError(t, checkArithmetic(model.CUDA, &model.Manifest{Arithmetic: model.INT8}))
	require.NoError(t, checkArithmetic(model.CPU, &model.Manifest{Arithmetic: model.INT8}))
	require.NoError(t, checkArithmetic(model.TensorRT, &model.Manifest{Arithmetic: model.FP32}))
}

// ONNX Runtime names a file; whoever reads the log needs to know what to install.
func TestExplain_SaysWhatToDo(t *testing.T) {
	for message, says := range map[string]string{
		"TensorRT execution provider is not enabled in this build.":                                      "CPU build of ONNX Runtime",
		"Failed to load library X with error: libcublas.so.13: cannot open shared object file: No such":  "libcublas.so.13 is missing: install CUDA 13",
		"libnvinfer.so.10: cannot open shared object file: No such file or directory":                    "libnvinfer.so.10 is missing: install TensorRT 10",
		"libcuda.so.1: cannot open shared object file: No such file or directory":                        "NVIDIA driver",
		"/opt/libonnxruntime_providers_shared.so: cannot open shared object file: No such file":          "beside libonnxruntime.so",
		"libonnxruntime_providers_cuda.so: cannot open shared object file: No such file or directory, x": "make native-gpu",
	} {
		err := explain(errors.New(message))
		require.ErrorContains(t, err, message)
		require.ErrorContains(t, err, says)
	}
	require.EqualError(t, explain(errors.New("out of memory")), "out of memory")
}
