//go:build cgo

package app

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/winnowgate/winnow/cmd/internal/config"
	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/model/tokenize"
)

// What a provider or the bundle makes impossible is the configuration's error, as any other value out of bounds.
func TestOpenEngine_RefusesWhatTheProvidersOrTheBundleDoNotAllow(t *testing.T) {
	for says, change := range map[string]func(*config.Config){
		"model.tensorrt_options holds \"trt_fast\" with value \"1\", which ONNX Runtime 1.31.1 does not know": func(c *config.Config) { c.Model.TensorRTOptions = map[string]string{"trt_fast": "1"} },
		"model.cuda_options holds enable_cuda_graph":                                                          func(c *config.Config) { c.Model.CUDAOptions = map[string]string{"enable_cuda_graph": "1"} },
		"model.buckets ends at 64, must end at the 128 tokens":                                                func(c *config.Config) { c.Model.Buckets = []int{32, 64} },
	} {
		settings := config.Default()
		change(&settings)
		_, err := OpenEngine(t.Context(), settings, zap.NewNop(), prometheus.NewRegistry())
		require.ErrorContains(t, err, says)
		var invalid *config.InvalidError
		require.ErrorAs(t, err, &invalid)
	}
}

// The log says which providers were passed over and why, and that the engine is warm, before anything else happens.
func TestOpenEngine_LogsTheLadderAndTheWarmUp(t *testing.T) {
	core, logged := observer.New(zap.InfoLevel)
	engine, err := OpenEngine(t.Context(), config.Default(), zap.New(core), prometheus.NewRegistry())
	require.NoError(t, err)
	require.NoError(t, engine.Close())
	skipped := logged.FilterMessage("execution provider not available").All()
	require.Len(t, skipped, 2)
	require.Equal(t, model.TensorRT, skipped[0].ContextMap()["provider"])
	require.Equal(t, model.CUDA, skipped[1].ContextMap()["provider"])
	warmed := logged.FilterMessage("warmed up").All()
	require.Len(t, warmed, 1)
	require.EqualValues(t, 128, warmed[0].ContextMap()["length"])
}

// Every probe is within what the starter reads, so that none is compared cut off.
func TestEngine_ReadsEveryProbe(t *testing.T) {
	bundle, err := model.Open(model.Starter)
	require.NoError(t, err)
	tokenizer, err := tokenize.Open(bundle.Tokenizer, bundle.Manifest.SpecialTokens.UNK)
	require.NoError(t, err)
	engine := &Engine{Bundle: bundle, tokenizer: tokenizer}
	defer func() { require.NoError(t, engine.Close()) }()
	pairs, err := engine.probes()
	require.NoError(t, err)
	require.Len(t, pairs, 402)
	for _, pair := range pairs {
		require.Less(t, len(pair), bundle.Manifest.MaxTokens)
		require.NotContains(t, pair, bundle.Manifest.SpecialTokens.PAD)
	}
}
