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
