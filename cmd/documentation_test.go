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
