package cmd

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	link = regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)
	// A name in backticks that looks like a file or folder of this repository.
	path   = regexp.MustCompile("`((?:cmd|processor|schema|model|deploy|bench|docs)/[a-zA-Z0-9_./-]*)`")
	target = regexp.MustCompile(`make ([a-z]+(?:-[a-z]+)*)`)
)

// Documentation drifts where nobody checks it: links lead to files, file names exist, make targets too.
func TestDocumentation_NamesOnlyWhatExists(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	require.NoError(t, err)
	documents := 0
	require.NoError(t, filepath.WalkDir("..", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".md") {
			return err
		}
		documents++
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(match[1], "://") {
				require.FileExists(t, filepath.Join(filepath.Dir(name), match[1]), "linked from %s", name)
			}
		}
		for _, match := range path.FindAllStringSubmatch(string(text), -1) {
			_, err := os.Stat(filepath.Join("..", match[1]))
			require.NoError(t, err, "named in %s", name)
		}
		for _, code := range regexp.MustCompile("(?s)`[^`]+`").FindAllString(string(text), -1) {
			for _, match := range target.FindAllStringSubmatch(code, -1) {
				require.Contains(t, string(makefile), "\n"+match[1]+":", "make %s, named in %s", match[1], name)
			}
		}
		return nil
	}))
	require.Greater(t, documents, 5)
}

// Every metric that the code registers stands in docs/operations.md, and that page names no other.
func TestOperations_NamesEveryMetricAndNoOther(t *testing.T) {
	page, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	named := regexp.MustCompile("`(winnow_[a-z_]+)`").FindAllStringSubmatch(string(page), -1)
	registered := registeredMetrics(t)
	require.NotEmpty(t, registered)
	documented := map[string]bool{}
	for _, name := range named {
		documented[name[1]] = true
		require.Contains(t, registered, name[1], "docs/operations.md names a metric that nothing registers")
	}
	for name := range registered {
		require.True(t, documented[name], "docs/operations.md does not name %s", name)
	}
}

// registeredMetrics returns what stands behind Name in the options of a metric.
func registeredMetrics(t *testing.T) map[string]bool {
	t.Helper()
	option := regexp.MustCompile(`Name:\s+"(winnow_[a-z_]+)"`)
	found := map[string]bool{}
	for _, root := range []string{".", "../processor", "../model"} {
		require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			for _, match := range option.FindAllStringSubmatch(string(source), -1) {
				found[match[1]] = true
			}
			return err
		}))
	}
	return found
}
