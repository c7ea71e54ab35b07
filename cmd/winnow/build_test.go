//go:build cgo

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// builderThat is a stand-in for Python and the builder: it notes its arguments in the file ran, and ends with that exit code.
func builderThat(t *testing.T, ends int) (flags []string, ran string) {
	t.Helper()
	folder := t.TempDir()
	ran = filepath.Join(folder, "ran")
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "winnow_training"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "winnow_training", "bundle.py"), nil, 0o600))
	script := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = -c ] && exit 0\necho \"$@\" > %s\necho 'error: its reason' >&2\nexit %d\n", ran, ends)
	python := filepath.Join(folder, "python")
	require.NoError(t, os.WriteFile(python, []byte(script), 0o700))
	return []string{"model", "build", "--training", folder, "--python", python, "--checkpoint", "c", "--out", filepath.Join(folder, "out")}, ran
}

// Whoever calls winnow model build in a script sees the builder's own exit code, and reads its own words.
func TestExecute_TheBuildersExitCodePassesThrough(t *testing.T) {
	for ends, want := range map[int]int{1: exitFailed, 2: exitUsage, 3: exitFailed} {
		flags, ran := builderThat(t, ends)
		said, code := standardError(t, func() int { return execute(t.Context(), append(flags, "--name", "snacks")) })
		require.Equal(t, want, code)
		require.FileExists(t, ran)
		require.Equal(t, fmt.Sprintf("error: its reason\nwinnow: the builder stopped: exit status %d\n", ends), said)
	}
}

func TestExecute_ABuildThatEndsWellWithoutABundleFails(t *testing.T) {
	flags, _ := builderThat(t, 0)
	require.Equal(t, exitFailed, execute(t.Context(), append(flags, "--name", "snacks")))
}

func TestExecute_AWrongFlagIsRefusedBeforeTheBuilderRuns(t *testing.T) {
	for _, wrong := range [][]string{
		{"--name", "snack gate"}, {"--name", "snack@gate"}, {"--name", "snack\u00a0gate"}, {"--name", ""},
		{"--name", "n", "--max-tokens", "4"}, {"--name", "n", "--max-tokens", "513"}, {"--name", "n", "--max-tokens", "many"},
		{"--name", "n", "--missed-severe", "2"}, {"--name", "n", "--missed-severe", "NaN"}, {"--name", "n", "--severe-precision", "-0.1"},
	} {
		flags, ran := builderThat(t, 0)
		require.Equal(t, exitUsage, execute(t.Context(), append(flags, wrong...)), wrong)
		require.NoFileExists(t, ran, wrong)
	}
}

// standardError returns what run and the processes that it starts write there.
func standardError(t *testing.T, run func() int) (string, int) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	require.NoError(t, err)
	before := os.Stderr
	os.Stderr = file
	code := run()
	os.Stderr = before
	require.NoError(t, file.Close())
	said, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	return string(said), code
}
