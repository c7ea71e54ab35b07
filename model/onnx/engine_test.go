//go:build cgo

package onnx

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/winnowgate/winnow/model"
)

func cpu() Config { return Config{Providers: []string{model.CPU}, Workers: 2, BatchTokens: 1024} }

func openEngine(t *testing.T, bundle *model.Bundle, config Config) *Engine {
	t.Helper()
	engine, err := Open(t.Context(), bundle, config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	return engine
}

// tiny is a random DeBERTa of a few thousand weights (winnow_training.tiny): 40 pieces, 48 tokens.
func tiny(t *testing.T) *model.Bundle {
	t.Helper()
	graph, err := os.ReadFile("testdata/tiny.onnx")
	require.NoError(t, err)
	return &model.Bundle{Graph: graph, Digest: "tiny", Manifest: model.Manifest{
		Labels: []string{model.LabelRelevant, model.LabelWeak, model.LabelSevere}, MaxTokens: 48, Arithmetic: model.FP32,
		Calibration: model.Calibration{Temperature: 1}, Thresholds: model.Thresholds{Severe: model.Threshold{Value: 0.5}, Review: model.Threshold{Value: 0.2}, Weak: model.Threshold{Value: 0.5}},
		SpecialTokens: model.SpecialTokens{CLS: 1, SEP: 2, PAD: 0, UNK: 3},
	}}
}

type golden struct {
	IDs        []int64
	Checkpoint []float32 // its logits, by PyTorch
	Logits     []float32 // the graph's, pair by pair
}

func readGoldens(t *testing.T) []golden {
	t.Helper()
	data, err := os.ReadFile("../testdata/goldens.json")
	require.NoError(t, err)
	var goldens []golden
	require.NoError(t, json.Unmarshal(data, &goldens))
	return goldens
}

func largestDifference(t *testing.T, want []float32, got model.Logits) float64 {
	t.Helper()
	largest := 0.0
	for i := range got {
		largest = math.Max(largest, math.Abs(float64(got[i]-want[i])))
	}
	return largest
}

// A pair's logits are those that it gets alone, in Python, whatever shares its batch here: the products in 8 bits have
// scales of their own, not of the batch. The last bits of fp32 differ between processors and may move a rounded input by one
// step, which is what the tolerance leaves room for.
func TestEngine_StarterScoresAPairTheSameInAnyBatch(t *testing.T) {
	bundle, err := model.Open(model.Starter)
	require.NoError(t, err)
	engine := openEngine(t, bundle, cpu())
	goldens := readGoldens(t)
	alone := make([]model.Logits, len(goldens))
	for _, size := range []int{1, 4, 7} {
		for start := 0; start+size <= len(goldens); start += size {
			var rows [][]int64
			for _, golden := range goldens[start : start+size] {
				rows = append(rows, golden.IDs)
			}
			logits, err := engine.Score(t.Context(), bundle.Manifest.NewBatch(rows))
			require.NoError(t, err)
			for i, row := range logits {
				if size == 1 {
					alone[start+i] = row
				}
				require.Less(t, largestDifference(t, goldens[start+i].Logits, row), 0.05)
				require.Less(t, largestDifference(t, alone[start+i][:], row), 1e-4)
			}
		}
	}
}

// The starter is as near to its checkpoint in PyTorch as its manifest says.
func TestEngine_StarterIsAsNearToItsCheckpointAsItSays(t *testing.T) {
	bundle, err := model.Open(model.Starter)
	require.NoError(t, err)
	engine := openEngine(t, bundle, cpu())
	allowed := bundle.Manifest.Parity.LargestLogitDifference + 1e-5 // the goldens' own rounding and another processor
	if quantisation := bundle.Manifest.Quantisation; quantisation != nil {
		allowed += 1.5 * quantisation.LargestLogitDifference // awkward texts were not among its pairs
	}
	for _, golden := range readGoldens(t) {
		logits, err := engine.Score(t.Context(), bundle.Manifest.NewBatch([][]int64{golden.IDs}))
		require.NoError(t, err)
		require.Less(t, largestDifference(t, golden.Checkpoint, logits[0]), allowed)
	}
}

func TestEngine_RefusesABatchThatDoesNotFitItsBuffers(t *testing.T) {
	engine := openEngine(t, tiny(t), Config{Providers: []string{model.CPU}, Workers: 1, BatchTokens: 48})
	manifest := &model.Manifest{}
	_, err := engine.Score(t.Context(), manifest.NewBatch([][]int64{make([]int64, 25), make([]int64, 25)}))
	require.ErrorContains(t, err, "2 x 25 tokens exceeds the engine's 48")
	_, err = engine.Score(t.Context(), model.Batch{Rows: 2, Length: 2, IDs: make([]int64, 3), Mask: make([]int64, 4)})
	require.ErrorContains(t, err, "holds 3 ids")
	_, err = engine.Score(t.Context(), model.Batch{})
	require.Error(t, err)
}

// Native code that fails (an id beyond the vocabulary) is an error of that batch, and the slot serves the next one.
func TestEngine_ABatchThatFailsLeavesTheEngineWorking(t *testing.T) {
	engine := openEngine(t, tiny(t), Config{Providers: []string{model.CPU}, Workers: 1, BatchTokens: 48})
	manifest := &model.Manifest{}
	_, err := engine.Score(t.Context(), manifest.NewBatch([][]int64{{1, 40_000, 2}}))
	require.Error(t, err)
	_, err = engine.Score(t.Context(), manifest.NewBatch([][]int64{{1, 4, 2}}))
	require.NoError(t, err)
}

// A run that is stopped by its context must not stop the runs that come after it on the same slot.
func TestEngine_ACancelledRunLeavesTheSlotClean(t *testing.T) {
	engine := openEngine(t, tiny(t), Config{Providers: []string{model.CPU}, Workers: 1, BatchTokens: 1024})
	batch := (&model.Manifest{}).NewBatch([][]int64{make([]int64, 48), make([]int64, 48)})
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel() // before, during or after the run
		if _, err := engine.Score(ctx, batch); err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
		cancel()
		_, err := engine.Score(t.Context(), batch)
		require.NoError(t, err)
	}
}

// Close while batches run: they end, nothing native is freed under them, and later calls say so.
func TestEngine_CloseStopsRunningBatches(t *testing.T) {
	bundle, err := model.Open(model.Starter)
	require.NoError(t, err)
	engine, err := Open(t.Context(), bundle, cpu())
	require.NoError(t, err)
	rows := make([][]int64, 8)
	for i := range rows {
		rows[i] = make([]int64, 128)
	}
	var running sync.WaitGroup
	started := make(chan struct{}, 4)
	for range 4 {
		running.Go(func() {
			started <- struct{}{}
			for {
				if _, err := engine.Score(context.WithoutCancel(t.Context()), bundle.Manifest.NewBatch(rows)); err != nil {
					if !errors.Is(err, model.ErrClosed) {
						t.Errorf("a batch that Close stopped: %v", err)
					}
					return
				}
			}
		})
	}
	for range 4 {
		<-started
	}
	require.NoError(t, engine.Close())
	running.Wait()
	_, err = engine.Score(t.Context(), bundle.Manifest.NewBatch(rows))
	require.ErrorIs(t, err, model.ErrClosed)
	require.NoError(t, engine.Close())
}

// The CPU build of ONNX Runtime has neither provider: the ladder says why and goes on.
func TestOpen_FallsBackDownTheLadderAndSaysWhy(t *testing.T) {
	config := cpu()
	config.Providers = model.Providers()
	engine := openEngine(t, tiny(t), config)
	require.Equal(t, model.CPU, engine.Provider())
	require.Len(t, engine.Skipped(), 2)
	require.Equal(t, model.TensorRT, engine.Skipped()[0].Provider)
	require.Error(t, engine.Skipped()[0].Err)
}

func TestOpen_ARequiredProviderIsNotReplaced(t *testing.T) {
	config := cpu()
	config.Providers, config.Require = model.Providers(), model.TensorRT
	_, err := Open(t.Context(), tiny(t), config)
	require.ErrorContains(t, err, "tensorrt")
}

func TestOpen_AGraphThatIsNoneIsAnError(t *testing.T) {
	bundle := tiny(t)
	bundle.Graph = []byte("nonsense")
	_, err := Open(t.Context(), bundle, cpu())
	require.ErrorContains(t, err, "no execution provider works")
}

// Without the operators a graph would still run, only slower: that must not go unnoticed.
func TestOpen_NamesTheOperatorsThatDoNotExist(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "libwinnow_operators.so")
	t.Setenv(model.OperatorsVariable, missing)
	_, err := Open(t.Context(), tiny(t), cpu())
	require.ErrorContains(t, err, missing)
	require.ErrorContains(t, err, model.OperatorsVariable)
}

func TestOpen_NamesALevelOfTheOperatorsThatIsNone(t *testing.T) {
	t.Setenv(model.OperatorsLevelVariable, "sse")
	_, err := Open(t.Context(), tiny(t), cpu())
	require.ErrorContains(t, err, "WINNOW_OPERATORS_LEVEL is sse, must be base, avx2, avx512 or amx")
}

func TestOpen_NamesTheLibraryThatDoesNotExist(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "libonnxruntime.so")
	t.Setenv(model.LibraryVariable, missing)
	_, err := Open(t.Context(), tiny(t), cpu())
	require.ErrorContains(t, err, missing)
	require.ErrorContains(t, err, model.LibraryVariable)
}
