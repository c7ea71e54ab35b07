package onnx

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/winnowgate/winnow/model"
)

func gpu() Config {
	return Config{
		BatchTokens: 1024, Device: 1, Precision: model.FP16, Buckets: []int{16, 64, 128}, WorkspaceBytes: 1 << 30,
		EngineCache: "/cache",
	}
}

var somewhere = place{digest: "0123456789abcdef", version: "1.31.1"}

func render(options map[string]string) string {
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(options)) {
		fmt.Fprintf(&text, "%s=%s\n", key, options[key])
	}
	return text.String()
}

func requireGolden(t *testing.T, name string, options map[string]string) {
	t.Helper()
	want, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	require.Equal(t, string(want), render(options))
}

// What each provider is told, option by option. A change here changes what runs on a GPU.
func TestOptions_AreTheGoldenOnes(t *testing.T) {
	requireGolden(t, "tensorrt-fp16.golden", tensorRTOptions(gpu(), somewhere, 64))
	bf16 := gpu()
	bf16.Precision, bf16.WorkspaceBytes, bf16.TensorRTOptions = model.BF16, 0, map[string]string{"trt_builder_optimization_level": "5"}
	requireGolden(t, "tensorrt-bf16.golden", tensorRTOptions(bf16, somewhere, 128))
	requireGolden(t, "cuda-fp16.golden", cudaOptions(gpu()))
	fp32 := gpu()
	fp32.Precision, fp32.CUDAOptions = model.FP32, map[string]string{"gpu_mem_limit": "1073741824", "arena_extend_strategy": "kNextPowerOfTwo"}
	requireGolden(t, "cuda-fp32.golden", cudaOptions(fp32))
}

func configs() *rapid.Generator[Config] {
	return rapid.Custom(func(t *rapid.T) Config {
		config := gpu()
		maxTokens := rapid.IntRange(5, 512).Draw(t, "max tokens")
		config.Buckets = DefaultBuckets(maxTokens)
		config.BatchTokens = rapid.IntRange(maxTokens, 1<<16).Draw(t, "batch tokens")
		config.Precision = rapid.SampledFrom(model.Precisions()).Draw(t, "precision")
		return config
	})
}

// Every batch that the budget allows lies within the profile of its bucket, and no profile exceeds the budget; min, opt
// and max name both inputs.
func TestTensorRTOptions_EachProfileHoldsWhatItsBucketMayHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := configs().Draw(t, "config")
		for _, length := range config.Buckets {
			options := tensorRTOptions(config, somewhere, length)
			var rows, tokens int
			_, err := fmt.Sscanf(options["trt_profile_max_shapes"], "input_ids:%dx%d,", &rows, &tokens)
			require.NoError(t, err)
			require.Equal(t, length, tokens)
			require.LessOrEqual(t, rows*tokens, config.BatchTokens)
			require.Greater(t, (rows+1)*tokens, config.BatchTokens)
			require.Equal(t, fmt.Sprintf("input_ids:%[1]dx%[2]d,attention_mask:%[1]dx%[2]d", rows, tokens), options["trt_profile_max_shapes"])
			require.Equal(t, options["trt_profile_max_shapes"], options["trt_profile_opt_shapes"])
			require.Equal(t, fmt.Sprintf("input_ids:1x%[1]d,attention_mask:1x%[1]d", length), options["trt_profile_min_shapes"])
		}
	})
}

// What the engine sets is known to the provider and refused to the user, so that nothing is set twice.
func TestOptions_TheEngineSetsOnlyKnownAndOwnedOptions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := configs().Draw(t, "config")
		for key := range tensorRTOptions(config, somewhere, config.Buckets[0]) {
			require.Contains(t, tensorRTKeys(), key)
			require.Contains(t, tensorRTOwned(), key)
		}
		for key := range cudaOptions(config) {
			require.Contains(t, cudaKeys(), key)
		}
	})
	for key := range tensorRTOwned() {
		require.Contains(t, tensorRTKeys(), key)
	}
	for key := range cudaOwned() {
		require.Contains(t, cudaKeys(), key)
	}
	require.Equal(t, "0", tensorRTOptions(gpu(), somewhere, 16)["trt_cuda_graph_enable"])
	require.Equal(t, "0", cudaOptions(gpu())["enable_cuda_graph"])
}

// Engines of different weights, versions, precisions, shapes or options never share a file.
func TestEngineFolder_DiffersWithEverythingThatAnEngineDependsOn(t *testing.T) {
	seen := map[string]string{}
	add := func(what string, change func(*Config, *place), length int) {
		config, at := gpu(), somewhere
		change(&config, &at)
		folder := engineFolder(config, at, length)
		require.Empty(t, seen[folder], "%s shares a folder", what)
		seen[folder] = what
	}
	add("as it is", func(*Config, *place) {}, 64)
	add("another bundle", func(_ *Config, p *place) { p.digest = "fedcba987654" }, 64)
	add("another ONNX Runtime", func(_ *Config, p *place) { p.version = "1.32.0" }, 64)
	add("another precision", func(c *Config, _ *place) { c.Precision = model.FP32 }, 64)
	add("another length", func(*Config, *place) {}, 128)
	add("another budget", func(c *Config, _ *place) { c.BatchTokens = 4096 }, 64)
	add("another option", func(c *Config, _ *place) { c.TensorRTOptions = map[string]string{"trt_sparsity_enable": "1"} }, 64)
	add("another value", func(c *Config, _ *place) { c.TensorRTOptions = map[string]string{"trt_sparsity_enable": "0"} }, 64)
}

func TestValidate_NamesKeyValueAndBound(t *testing.T) {
	bundle := &model.Manifest{MaxTokens: 128}
	require.NoError(t, gpu().Validate(bundle))
	require.NoError(t, Config{BatchTokens: 128}.Validate(bundle))
	config := gpu()
	config.BatchTokens, config.Precision = 100, "int4"
	config.Buckets = []int{16, 16, 96}
	config.TensorRTOptions = map[string]string{"trt_builder_optimisation_level": "5", "trt_cuda_graph_enable": "1", "trt_profile_max_shapes": "input_ids:1x1"}
	config.CUDAOptions = map[string]string{"memory": "1", "device_id": "2"}
	err := config.Validate(bundle)
	for _, says := range []string{
		`model.tensorrt_options holds "trt_builder_optimisation_level" with value "5", which ONNX Runtime 1.31.1 does not know: did you mean trt_builder_optimization_level?`,
		"model.tensorrt_options holds trt_cuda_graph_enable: a captured graph replays",
		"model.tensorrt_options holds trt_profile_max_shapes: it follows from model.buckets and gate.batch_tokens",
		`model.cuda_options holds "memory" with value "1", which ONNX Runtime 1.31.1 does not know: it knows arena_extend_strategy, cudnn_conv1d_pad_to_nc1d`,
		"model.cuda_options holds device_id: model.device sets it",
		`model.precision is "int4", must be one of [fp16 bf16 fp32]`,
		"gate.batch_tokens is 100, below the 128 tokens of the bundle's longest pair",
		"model.buckets holds 16 after 16, must ascend from 1",
		"model.buckets ends at 96, must end at the 128 tokens of the bundle's longest pair",
	} {
		require.ErrorContains(t, err, says)
	}
}
