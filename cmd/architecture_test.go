package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/winnowgate/winnow/"

// allowed lists, for each package, which of ours it may import. A package that is missing here fails the test: decide
// where it belongs first.
var allowed = map[string][]string{
	"schema":                  {},
	"model":                   {},
	"model/text":              {},
	"model/tokenize":          {"model", "model/text"},
	"model/onnx":              {"model"},
	"processor/judge/rules":   {"model"},
	"processor/judge":         {"processor/judge/rules", "model", "model/text"},
	"processor/gate":          {"processor/judge", "model", "schema"},
	"processor":               {"processor/gate", "processor/judge", "schema"},
	"processor/table":         {},
	"processor/eval":          {"processor/gate", "processor/judge", "processor/judge/rules", "processor/table", "model", "schema"},
	"processor/kafka":         {},
	"processor/processortest": {"processor/gate", "processor/judge", "model", "schema"},
	"deploy/rules":            {},
	"cmd":                     {},
	"cmd/internal/config":     {"deploy/rules", "model", "processor/judge", "processor/judge/rules", "processor/kafka", "schema"},
	"cmd/internal/admin":      {},
	"cmd/internal/app":        {"cmd/internal/admin", "cmd/internal/config", "model", "model/onnx", "model/tokenize", "processor", "processor/gate", "processor/judge", "processor/kafka", "schema"},
	"cmd/internal/bench":      {"cmd/internal/app", "cmd/internal/config", "model", "processor", "processor/kafka", "schema"},
	"cmd/internal/demo":       {"cmd/internal/app", "cmd/internal/config", "deploy/rules", "model", "processor", "processor/judge", "processor/judge/rules", "processor/kafka", "schema"},
	"cmd/winnow":              {"cmd/internal/app", "cmd/internal/bench", "cmd/internal/config", "cmd/internal/demo", "model", "model/onnx", "processor", "processor/eval", "processor/gate", "processor/judge", "processor/judge/rules", "processor/kafka", "schema"},
}

// Packages that must not know what another layer is made of.
var forbidden = map[string][]string{
	"github.com/twmb/franz-go/": {"model", "model/text", "model/tokenize", "model/onnx", "processor/judge", "processor/gate"},
	"C":                         {"schema", "model", "model/text", "processor/judge", "processor/gate", "processor", "processor/kafka"},
}

// Imports only point down; what scores knows no Kafka, and cgo lives in two leaves.
func TestArchitecture_ImportsOnlyPointDown(t *testing.T) {
	for name, imports := range listImports(t) {
		permitted, known := allowed[name]
		require.True(t, known, "package %s is not in the list of allowed imports", name)
		for _, imported := range imports {
			if ours, ok := strings.CutPrefix(imported, module); ok {
				require.Contains(t, permitted, ours, "package %s must not import %s", name, ours)
			}
			for prefix, packages := range forbidden {
				require.False(t, strings.HasPrefix(imported, prefix) && slices.Contains(packages, name), "package %s must not import %s", name, imported)
			}
		}
	}
}

func listImports(t *testing.T) map[string][]string {
	t.Helper()
	command := exec.Command("go", "list", "-json=ImportPath,Imports", "../...")
	command.Env = append(command.Environ(), "CGO_ENABLED=1") // the cgo leaves count too
	output, err := command.Output()
	require.NoError(t, err)
	found := map[string][]string{}
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var listed struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&listed); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		found[strings.TrimPrefix(listed.ImportPath, module)] = listed.Imports
	}
	require.Contains(t, found, "model/onnx")
	return found
}
