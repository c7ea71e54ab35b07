//go:build cgo

package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

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
	files, err := filepath.Glob(data + "realistic/*.csv")
	require.NoError(t, err)
	require.Len(t, files, 15)
	var unseen []eval.Pair
	for _, file := range append(files, data+"judged_pairs.csv") {
		pairs, err := readPairs(file)
		require.NoError(t, err)
		for _, pair := range pairs {
			if parts[pair.Theme] == "test" {
				unseen = append(unseen, pair)
			}
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
	require.Equal(t, exitUsage, execute(t.Context(), []string{"eval", "--placements", wrong}))
}

const labelledPlacements = `placement_id,theme,title,label,family
p1,Vegan desserts,Dark chocolate,relevant,vegan
p1,Vegan desserts,"Chicken breast, raw",severe,vegan
p2,Kids' party drinks,Apple juice,relevant,kids
p2,Kids' party drinks,"Vodka, 1 L",severe,kids
p2,Kids' party drinks,"Lemonade \u001b[31m",relevant,kids
p3,Breakfast,Oat flakes,relevant,
`

func writePlacements(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "placements.csv")
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(labelledPlacements, `\u001b`, "\u001b")), 0o600))
	return path
}

// output is what the command prints.
func output(t *testing.T, arguments ...string) string {
	t.Helper()
	var out strings.Builder
	root := rootCommand()
	root.SetArgs(arguments)
	root.SetOut(&out)
	require.NoError(t, root.ExecuteContext(t.Context()))
	return out.String()
}

// Which figures the starter reaches is its own affair; that they are of these placements is the command's.
func TestExecute_EvalMeasuresPlacements(t *testing.T) {
	file, page := writePlacements(t), filepath.Join(t.TempDir(), "report.html")
	first := output(t, "eval", "--placements", file, "--rules", "hazards", "--json", "--html", page)
	var report eval.PlacementReport
	require.NoError(t, json.Unmarshal([]byte(first), &report))
	require.Equal(t, []int{3, 6, 2}, []int{report.Placements, report.Pairs, report.Severe})
	require.Equal(t, 60, report.At5.Placements)
	require.Len(t, report.Families, 2)
	require.Equal(t, 1, report.Counts["clean_approved"][1])
	require.Contains(t, report.Policy, "rules=")
	require.Contains(t, report.Model, "starter@")
	written, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(written), "3 placements of placements.csv, 1 of them clean")

	text := output(t, "eval", "--placements", file)
	for _, says := range []string{"3 placements, 1 of them clean", "as they stand", "of 20 products", "where 1 % of products are severe", "no rules are in force", "severe AUC"} {
		require.Contains(t, text, says)
	}
	require.NotContains(t, text, "\u001b")
	text = output(t, "eval", "--placements", file, "--rules", "hazards")
	require.Contains(t, text, "no-alcohol") // the vodka
	require.NotContains(t, text, "no rules are in force")
}

func TestExecute_EvalRefusesWhatItWouldIgnore(t *testing.T) {
	file := writePlacements(t)
	for name, arguments := range map[string][]string{
		"two files":               {"--placements", file, "--pairs", file},
		"rules on pairs":          {"--pairs", file, "--rules", "hazards"},
		"a mix of pairs":          {"--pairs", file, "--weak-share", "0.2"},
		"a mix without relevant":  {"--placements", file, "--severe-share", "0.9"},
		"rules that do not exist": {"--placements", file, "--rules", "/nowhere.yaml"},
		"a page that cannot be":   {"--placements", file, "--html", "/nowhere/page.html"},
		"no such file":            {"--placements", "/nowhere.csv"},
	} {
		require.Equal(t, exitUsage, execute(t.Context(), append([]string{"eval"}, arguments...)), name)
	}
}

// A terminal obeys what it can't show; titles come from outside.
func TestPrint_TitlesDoNotReachTheTerminalAsTheyAre(t *testing.T) {
	hostile := eval.Pair{Theme: "th\u001b]0;eme", Title: "ti\rtle \u202e 🍎 \"é\" \u009b", Label: "severe"}
	var out strings.Builder
	printMistakes(&out, "severe, and approved", []eval.Mistake{{Pair: hostile}})
	printMisses(&out, "severe, and shown", []eval.Miss{{PlacementID: "p\a", Pair: hostile}})
	printRules(&out, eval.RulesReport{Changed: 1, Changes: []eval.Change{{Pair: hostile}}})
	for _, char := range out.String() {
		require.True(t, char == '\n' || unicode.IsGraphic(char), "%q", char)
	}
	require.Equal(t, 3, strings.Count(out.String(), `th\x1b]0;eme: ti\rtle \u202e 🍎 "é" \u009b`))
	require.Contains(t, out.String(), `p\a`)
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
