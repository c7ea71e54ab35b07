//go:build cgo

package onnx

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/winnowgate/winnow/model"
)

// likeGPU opens an engine that is cut as TensorRT's is, a session for every bucket and worker on threads of their own, but
// computes on the CPU.
func likeGPU(t *testing.T, bundle *model.Bundle, config Config) *Engine {
	t.Helper()
	require.NoError(t, acquireEnvironment())
	config = config.complete(&bundle.Manifest)
	o := opener{graph: bundle.Graph, config: config, providers: []string{model.CPU}}
	engine, err := assemble(t.Context(), o, config.layoutOf(model.TensorRT), &bundle.Manifest)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	return engine
}

func randomProbes(count, longest int) [][]int64 {
	random := rand.New(rand.NewPCG(1, 2))
	probes := make([][]int64, count)
	for i := range probes {
		probes[i] = make([]int64, 5+random.IntN(longest-4))
		for j := range probes[i] {
			probes[i][j] = random.Int64N(40)
		}
	}
	return probes
}

// Whatever bucket a batch is padded to, whichever worker takes it: its logits are those of one session that takes any
// length.
func TestEngine_BucketsOfTheirOwnWorkersScoreLikeOneSession(t *testing.T) {
	bundle := tiny(t)
	config := Config{Providers: []string{model.CPU}, Workers: 2, BatchTokens: 256, Buckets: []int{16, 32, 48}, Probes: randomProbes(64, 48)}
	parted, whole := likeGPU(t, bundle, config), openEngine(t, bundle, config)
	require.Equal(t, []int{16, 32, 48}, parted.Lengths())
	require.Nil(t, whole.Lengths())
	wanted, err := scoreAll(t.Context(), &bundle.Manifest, config, whole)
	require.NoError(t, err)
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			got, err := scoreAll(t.Context(), &bundle.Manifest, config, parted)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range got {
				if difference := largestOf(wanted[i], got[i]); difference > 1e-5 {
					t.Errorf("probe %d differs by %g", i, difference)
				}
			}
		})
	}
	callers.Wait()
	_, err = parted.Score(t.Context(), full(shape{1, 49}, 1))
	require.ErrorContains(t, err, "49 tokens a row is longer than the engine's longest bucket, 48")
}

func largestOf(a, b model.Logits) float64 {
	return compare(plain(), []model.Logits{a}, []model.Logits{b}).largest
}

// What is built or allocated at the first use must be there before the first candidate is.
func TestOpen_WarmsUpTheLargestBatchOfEveryLength(t *testing.T) {
	config := Config{Providers: []string{model.CPU}, Workers: 2, BatchTokens: 256, Buckets: []int{16, 32, 48}}
	var lengths, rows []int
	for _, warmed := range likeGPU(t, tiny(t), config).Warmed() {
		lengths, rows = append(lengths, warmed.Length), append(rows, warmed.Rows)
		require.Positive(t, warmed.Duration)
	}
	require.Equal(t, []int{16, 32, 48}, lengths)
	require.Equal(t, []int{16, 8, 5}, rows)
	warmed := openEngine(t, tiny(t), config).Warmed()
	require.Len(t, warmed, 1)
	require.Equal(t, 48, warmed[0].Length)
	require.Equal(t, 5, warmed[0].Rows)
}

// A provider that computes another graph's decisions is refused, and one that computes this graph's is not.
func TestProve_RefusesAnEngineWhoseDecisionsFlip(t *testing.T) {
	bundle := tiny(t)
	config := Config{Providers: []string{model.CPU}, Workers: 1, BatchTokens: 256, Buckets: []int{16, 32, 48}, Probes: randomProbes(400, 48)}
	bundle.Manifest.Thresholds = medianThresholds(t, bundle, config)
	config = config.complete(&bundle.Manifest)

	same := likeGPU(t, bundle, config)
	same.provider = model.TensorRT
	require.NoError(t, prove(t.Context(), bundle, config, same))

	perturbed := tiny(t)
	perturbed.Graph = negate(t, perturbed.Graph, "classifier.weight")
	other := likeGPU(t, perturbed, config)
	other.provider = model.TensorRT
	err := prove(t.Context(), bundle, config, other)
	require.ErrorContains(t, err, "it decides unlike the CPU: of 400 pairs")
	other.provider = model.CPU
	require.NoError(t, prove(t.Context(), bundle, config, other), "the CPU is what the others are held against")
}

// medianThresholds lets half of the probes be severe.
func medianThresholds(t *testing.T, bundle *model.Bundle, config Config) model.Thresholds {
	t.Helper()
	logits, err := scoreAll(t.Context(), &bundle.Manifest, config, openEngine(t, bundle, config))
	require.NoError(t, err)
	severe := make([]float64, len(logits))
	for i, row := range logits {
		severe[i] = bundle.Manifest.Calibrate(row).Severe
	}
	slices.Sort(severe)
	middle := len(severe) / 2
	return model.Thresholds{Severe: model.Threshold{Value: (severe[middle-1] + severe[middle]) / 2}, Review: model.Threshold{Value: severe[middle/2]}}
}

// negate turns the signs of an initializer's numbers, which stand right behind its name.
func negate(t *testing.T, graph []byte, name string) []byte {
	t.Helper()
	const rawData = 0x4a // the field's tag
	start := bytes.LastIndex(graph, []byte(name))
	require.Positive(t, start)
	start += len(name)
	require.EqualValues(t, rawData, graph[start])
	size, offset := int(graph[start+1]&0x7f), start+2
	if graph[start+1]&0x80 != 0 {
		size, offset = size|int(graph[start+2])<<7, start+3
	}
	changed := bytes.Clone(graph)
	for i := offset + 3; i < offset+size; i += 4 {
		changed[i] ^= 0x80
	}
	return changed
}

// event is one line of a profile.
type event struct {
	Category  string         `json:"cat"`
	Arguments map[string]any `json:"args"`
}

// The session writes its profile when it is destroyed: one file, whose events name operators and providers.
func TestEngine_WritesAProfileWhenItCloses(t *testing.T) {
	config := cpu()
	config.Profile = filepath.Join(t.TempDir(), "profile")
	engine, err := Open(t.Context(), tiny(t), config)
	require.NoError(t, err)
	require.NoError(t, engine.Close())
	files, err := filepath.Glob(config.Profile + "*.json")
	require.NoError(t, err)
	require.Len(t, files, 1)
	data, err := os.ReadFile(files[0])
	require.NoError(t, err)
	var events []event
	require.NoError(t, json.Unmarshal(data, &events))
	require.True(t, slices.ContainsFunc(events, func(e event) bool {
		return e.Category == "Node" && e.Arguments["op_name"] == "MatMul" && e.Arguments["provider"] == "CPUExecutionProvider"
	}), "no event of a matrix product")
}
