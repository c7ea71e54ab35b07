package onnx

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/winnowgate/winnow/model"
)

// The graph's inputs and output. Both inputs are rows x length, and both dimensions are dynamic.
const (
	inputIDs  = "input_ids"
	inputMask = "attention_mask"
	output    = "logits"
)

// place says where the engines of one graph are kept: TensorRT names their files after the names in the graph and the
// GPU's architecture, but not after the weights.
type place struct {
	digest  string // of the bundle
	version string // of ONNX Runtime
}

// tensorRTOptions returns what TensorRT's provider is told in the session for rows of length tokens. Each session has one
// profile: the provider builds engines with several, but never leaves the first when it runs them (microsoft/onnxruntime
// pull request 31624).
func tensorRTOptions(config Config, at place, length int) map[string]string {
	rows := config.BatchTokens / length
	options := maps.Clone(config.TensorRTOptions)
	if options == nil {
		options = map[string]string{}
	}
	maps.Copy(options, map[string]string{
		"device_id":                    strconv.Itoa(config.Device),
		"trt_fp16_enable":              flag(config.Precision == model.FP16),
		"trt_bf16_enable":              flag(config.Precision == model.BF16),
		"trt_layer_norm_fp32_fallback": flag(config.Precision == model.FP16), // its squares leave the range of fp16
		"trt_int8_enable":              "0",
		"trt_profile_min_shapes":       profile(1, length),
		"trt_profile_opt_shapes":       profile(rows, length),
		"trt_profile_max_shapes":       profile(rows, length),
		"trt_engine_cache_enable":      "1",
		"trt_engine_cache_path":        engineFolder(config, at, length),
		"trt_engine_cache_prefix":      short(at.digest),
		"trt_timing_cache_enable":      "1",
		"trt_timing_cache_path":        timingFolder(config, at),
		"trt_cuda_graph_enable":        "0",
	})
	if config.WorkspaceBytes > 0 {
		options["trt_max_workspace_size"] = strconv.Itoa(config.WorkspaceBytes)
	}
	return options
}

// cudaOptions returns what CUDA's provider is told. It computes in the graph's own precision, but for the products, which
// TF32 rounds unless fp32 was asked for.
func cudaOptions(config Config) map[string]string {
	options := map[string]string{"arena_extend_strategy": "kSameAsRequested"} // warm-up asks for the largest batch first
	maps.Copy(options, config.CUDAOptions)
	maps.Copy(options, map[string]string{
		"device_id":         strconv.Itoa(config.Device),
		"use_tf32":          flag(config.Precision != model.FP32),
		"enable_cuda_graph": "0",
	})
	return options
}

func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

func profile(rows, length int) string {
	return fmt.Sprintf("%s:%dx%d,%s:%dx%d", inputIDs, rows, length, inputMask, rows, length)
}

// engineFolder is one folder for each thing that an engine depends on and its file name lacks.
func engineFolder(config Config, at place, length int) string {
	key := config.Precision
	if len(config.TensorRTOptions) > 0 {
		hash := sha256.New()
		for _, name := range slices.Sorted(maps.Keys(config.TensorRTOptions)) {
			fmt.Fprintf(hash, "%s=%s\n", name, config.TensorRTOptions[name])
		}
		key += fmt.Sprintf("-%x", hash.Sum(nil)[:4])
	}
	return filepath.Join(timingFolder(config, at), short(at.digest), key, fmt.Sprintf("%dx%d", config.BatchTokens/length, length))
}

// timingFolder is shared by all graphs: the cache holds how fast kernels are, whatever they compute.
func timingFolder(config Config, at place) string {
	return filepath.Join(config.EngineCache, "onnxruntime-"+at.version)
}

// short is as much of a digest as verdicts carry.
func short(digest string) string { return digest[:min(len(digest), 12)] }

// checkOptions refuses what the provider does not know, and what the engine sets itself.
func checkOptions(key string, given map[string]string, known []string, owned map[string]string) error {
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if why, ok := owned[name]; ok {
			problems = append(problems, fmt.Errorf("%s holds %s: %s", key, name, why))
		} else if !slices.Contains(known, name) {
			problems = append(problems, fmt.Errorf("%s holds %q with value %q, which ONNX Runtime %s does not know: %s", key, name, given[name], keysVersion, suggest(name, known)))
		}
	}
	return errors.Join(problems...)
}

// suggest names the known option that is nearest to name, or all of them where none is near.
func suggest(name string, known []string) string {
	nearest := slices.MinFunc(known, func(a, b string) int { return distance(name, a) - distance(name, b) })
	if distance(name, nearest) <= len(name)/3 {
		return "did you mean " + nearest + "?"
	}
	return "it knows " + strings.Join(known, ", ")
}

// distance is how many letters must be added, removed or replaced to turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
