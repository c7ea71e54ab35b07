//go:build cgo

package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/winnowgate/winnow/cmd/internal/bench"
	"github.com/winnowgate/winnow/cmd/internal/config"
)

// What the bench prints adds up: every pair is scored once, and the profile's shares are of one whole.
func TestBenchEngine_AccountsForEveryPair(t *testing.T) {
	settings := config.Default()
	settings.Gate.CacheEntries = 0
	row, err := bench.Engine(t.Context(), settings, bench.NewSynthetic("p", 1, 5, 20), bench.NewSynthetic("w", 2, 5, 20), zap.NewNop())
	require.NoError(t, err)
	require.Equal(t, 100, row.Pairs)
	require.InDelta(t, 100, row.Scored, 10, "but for duplicates")
	require.Zero(t, row.Cached)
	require.Equal(t, "cpu", row.Provider)
	require.Greater(t, row.MatrixProductShare, 0.1)
	require.Contains(t, row.Operators, "QuantisedAttention", "the CPU runs the operators itself, it does not inline their functions")
	sum := 0.0
	for _, share := range row.Operators {
		sum += share
	}
	require.InDelta(t, 0.9, sum, 0.1)
	require.Positive(t, row.ResidentBytes)
}

func TestBench_NamesTheFlagTheValueAndTheBound(t *testing.T) {
	for says, flags := range map[string]pipelineFlags{
		"--replicas is 0, must be at least 1":                {replicas: []int{0}},
		"--load is 2, must be 0 to 1":                        {options: bench.PipelineOptions{Load: 2}},
		"--sampling is 1ms, must be at least 1s":             {options: bench.PipelineOptions{Load: 0.1, Sampling: time.Millisecond}},
		`--brokers holds "nowhere", must be host:port`:       {brokers: []string{"nowhere"}},
		"gate.batch_tokens is 2097152, must be 1 to 1048576": {batchTokens: []int{1 << 21}},
	} {
		flags.options.Placements, flags.options.Products, flags.options.Rounds = 1, 1, 1
		_, err := flags.settings()
		require.ErrorContains(t, err, says)
		require.ErrorAs(t, err, &usageError{})
	}
	_, err := engineFlags{workers: []int{4096}}.settings()
	require.ErrorContains(t, err, "model.workers is 4096, must be 0 to ")
}
