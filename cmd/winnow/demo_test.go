//go:build cgo

package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The command leaves its summary on standard output: words with the board, or one JSON object alone.
func TestDemo_EndsWithItsSummary(t *testing.T) {
	run := func(arguments ...string) (out, shown string) {
		var stdout, stderr bytes.Buffer
		root := rootCommand()
		root.SetOut(&stdout)
		root.SetErr(&stderr)
		root.SetArgs(append([]string{"demo", "--placements", "20"}, arguments...))
		require.NoError(t, root.ExecuteContext(t.Context()))
		return stdout.String(), stderr.String()
	}
	words, _ := run()
	require.Contains(t, words, "20 candidates = ")
	require.Contains(t, words, "100 %")
	require.Regexp(t, `(?m)^\d+ hits, \d+ misses, \d+ false alarms$`, words)

	text, shown := run("--json")
	require.Contains(t, shown, "100 %")
	var summary map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &summary))
	require.Equal(t, []string{
		"approved", "candidates", "clean_approved", "clean_held", "clean_killed", "dead_letter", "false_alarms", "hits", "misses", "model",
		"pairs", "pairs_per_second", "provider", "relevant_kept", "review", "seconds", "severe", "severe_shown",
	}, slices.Sorted(maps.Keys(summary)))
	require.InDelta(t, 20, summary["candidates"], 0)
}
