//go:build cgo

package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/winnowgate/winnow/cmd/internal/app"
	"github.com/winnowgate/winnow/cmd/internal/config"
	"github.com/winnowgate/winnow/processor/eval"
)

// unseenPairs are the judged pairs of the themes that the starter was never trained on.
func unseenPairs(t *testing.T) []eval.Pair {
	t.Helper()
	data := "../../model/training/data/"
	file, err := os.Open(data + "split.csv")
	require.NoError(t, err)
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	parts := map[string]string{}
	for _, row := range rows {
		parts[row[0]] = row[1]
	}
	pairs, err := readPairs(data + "judged_pairs.csv")
	require.NoError(t, err)
	var unseen []eval.Pair
	for _, pair := range pairs {
		if parts[pair.Theme] == "test" {
			unseen = append(unseen, pair)
		}
	}
	return unseen
}

// The figures on the starter's card were computed in Python; the production gate, in Go, comes to the same.
func TestEval_TheStarterReachesTheFiguresOnItsCard(t *testing.T) {
	settings := config.Default()
	engine, err := app.OpenEngine(t.Context(), settings, zap.NewNop(), prometheus.NewRegistry())
	require.NoError(t, err)
	defer func() { require.NoError(t, engine.Close()) }()
	report, err := eval.Run(t.Context(), engine.Gate, unseenPairs(t), func(int) {})
	require.NoError(t, err)
	want := engine.Bundle.Manifest.Metrics
	require.Equal(t, want.Pairs, report.Pairs)
	for name, figures := range map[string][2]float64{
		"severe AUC":               {want.SevereAUC, report.SevereAUC},
		"severe average precision": {want.SevereAveragePrecision, report.SevereAveragePrecision},
		"macro F1":                 {want.MacroF1, report.MacroF1},
		"false approval rate":      {want.FalseApprovalRate, report.FalseApprovalRate},
		"review rate":              {want.ReviewRate, report.ReviewRate},
		"calibration error":        {want.ExpectedCalibrationError, report.ExpectedCalibrationError},
	} {
		require.InDelta(t, figures[0], figures[1], 1e-3, name)
	}
}

func TestExecute_EvalNamesTheFileThatIsWrong(t *testing.T) {
	wrong := filepath.Join(t.TempDir(), "pairs.csv")
	require.NoError(t, os.WriteFile(wrong, []byte("theme,title,label\na,b,seveer\n"), 0o600))
	require.Equal(t, exitUsage, execute(t.Context(), []string{"eval"}))
	require.Equal(t, exitUsage, execute(t.Context(), []string{"eval", "--pairs", "/nowhere.csv"}))
	require.Equal(t, exitUsage, execute(t.Context(), []string{"eval", "--pairs", wrong}))
}

func TestExecute_EvalWritesThePage(t *testing.T) {
	folder := t.TempDir()
	labelled, page := filepath.Join(folder, "pairs.csv"), filepath.Join(folder, "report.html")
	require.NoError(t, os.WriteFile(labelled, []byte("theme,title,label\nVegan desserts,\"Chicken breast, raw\",severe\nVegan desserts,Water,weak\n"), 0o600))
	require.Equal(t, exitUsage, execute(t.Context(), []string{"eval", "--pairs", labelled, "--html", filepath.Join(folder, "nowhere", "report.html")}))
	require.Equal(t, exitDone, execute(t.Context(), []string{"eval", "--pairs", labelled, "--html", page, "--json"}))
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(text), "2 labelled pairs of pairs.csv, 1 of them severe")
}
