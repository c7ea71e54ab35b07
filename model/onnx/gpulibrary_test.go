//go:build cgo && gpulibrary

package onnx

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/winnowgate/winnow/model"
)

// These tests run against the GPU build of ONNX Runtime on a machine without CUDA (make test-providers). They fail, and
// do not skip, where the library is another one.

func providerLibrary(t *testing.T, provider string) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(os.Getenv(model.LibraryVariable)), "libonnxruntime_providers_"+provider+".so")
	require.FileExists(t, path, "%s must name the GPU build's library: make test-providers", model.LibraryVariable)
	return path
}

func TestGPULibrary_IsTheVersionWhoseOptionsAreListed(t *testing.T) {
	require.NoError(t, acquireEnvironment())
	defer func() { require.NoError(t, releaseEnvironment()) }()
	require.Equal(t, keysVersion, ort.GetVersion())
}

// Both providers' libraries load only where CUDA is; each reason says what is missing and what to do.
func TestGPULibrary_FallsBackToTheCPUWithAReasonForEachProvider(t *testing.T) {
	config := cpu()
	config.Providers, config.EngineCache, config.Probes = model.Providers(), t.TempDir(), randomProbes(20, 48)
	engine := openEngine(t, tiny(t), config)
	require.Equal(t, model.CPU, engine.Provider())
	require.Nil(t, engine.Lengths())
	require.Len(t, engine.Skipped(), 2)
	for i, provider := range []string{model.TensorRT, model.CUDA} {
		require.Equal(t, provider, engine.Skipped()[i].Provider)
		reason := engine.Skipped()[i].Err
		require.ErrorContains(t, reason, "Failed to load library")
		require.Regexp(t, `lib\S+ is missing: install CUDA 13 with cuDNN 9; deploy/Dockerfile.tensorrt brings everything`, reason.Error())
	}
}

func TestGPULibrary_ARequiredProviderIsRefusedWithWhatIsMissing(t *testing.T) {
	for _, provider := range []string{model.TensorRT, model.CUDA} {
		config := cpu()
		config.Providers, config.Require, config.EngineCache = model.Providers(), provider, t.TempDir()
		_, err := Open(t.Context(), tiny(t), config)
		require.ErrorContains(t, err, "model.require is "+provider+", and that does not work here")
		require.Regexp(t, `lib\S+ is missing: install CUDA 13`, err.Error())
	}
}

// The starter in 8 bits never reaches TensorRT, whatever is installed.
func TestGPULibrary_TheStarterIsScoredOnTheCPUAsEver(t *testing.T) {
	bundle, err := model.Open(model.Starter)
	require.NoError(t, err)
	config := cpu()
	config.Providers, config.EngineCache = model.Providers(), t.TempDir()
	engine := openEngine(t, bundle, config)
	require.Equal(t, model.CPU, engine.Provider())
	require.ErrorContains(t, engine.Skipped()[0].Err, "winnow model build --arithmetic fp32")
	for _, golden := range readGoldens(t) {
		logits, err := engine.Score(t.Context(), bundle.Manifest.NewBatch([][]int64{golden.IDs}))
		require.NoError(t, err)
		require.Less(t, largestDifference(t, golden.Logits, logits[0]), 0.05)
	}
}
