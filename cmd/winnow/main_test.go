//go:build cgo

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/winnowgate/winnow/cmd/internal/app"
	"github.com/winnowgate/winnow/cmd/internal/config"
	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/processor/judge/rules"
	"github.com/winnowgate/winnow/schema"
)

func TestExecute_ExitCodesTellUsageFromFailure(t *testing.T) {
	wrongKey := filepath.Join(t.TempDir(), "gate.yaml")
	require.NoError(t, os.WriteFile(wrongKey, []byte("kafka: {broker: 1}"), 0o600))
	smallBudget := filepath.Join(t.TempDir(), "budget.yaml")
	require.NoError(t, os.WriteFile(smallBudget, []byte("gate: {batch_tokens: 64}"), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for name, test := range map[string]struct {
		arguments []string
		want      int
	}{
		"help":                       {[]string{"--help"}, exitDone},
		"version":                    {[]string{"version"}, exitDone},
		"the starter inspected":      {[]string{"model", "inspect"}, exitDone},
		"the starter verified":       {[]string{"model", "verify"}, exitDone},
		"a bundle that is none":      {[]string{"model", "verify", t.TempDir()}, exitFailed},
		"two bundles":                {[]string{"model", "verify", "a", "b"}, exitUsage},
		"a bundle of nothing":        {[]string{"model", "build"}, exitUsage},
		"a builder that is nowhere":  {[]string{"model", "build", "--checkpoint", "c", "--out", "o", "--name", "n", "--training", "/nowhere"}, exitUsage},
		"pairs without a split":      {[]string{"model", "build", "--checkpoint", "c", "--out", "o", "--name", "n", "--pairs", "p.csv"}, exitUsage},
		"an unknown command":         {[]string{"rum"}, exitUsage},
		"an unknown flag":            {[]string{"demo", "--placement", "3"}, exitUsage},
		"a stray argument":           {[]string{"run", "gate.yaml"}, exitUsage},
		"a value out of bounds":      {[]string{"demo", "--placements", "0"}, exitUsage},
		"a key that does not exist":  {[]string{"run", "--config", wrongKey}, exitUsage},
		"a file that does not exist": {[]string{"score", "--config", "/nowhere.yaml"}, exitUsage},
		"a budget below one pair":    {[]string{"score", "--config", smallBudget}, exitUsage},
		"partitions of nothing":      {[]string{"topics", "create", "--partitions", "0"}, exitUsage},
		"an unreachable broker":      {[]string{"topics", "create"}, exitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("WINNOW_KAFKA_BROKERS", "127.0.0.1:1")
			require.Equal(t, test.want, execute(ctx, test.arguments))
		})
	}
}

func scoreText(t *testing.T, input string) []line {
	t.Helper()
	return answers(t, config.Default(), verdictLine, input)
}

func answers(t *testing.T, settings config.Config, by func(judge.Policy) answer, input string) []line {
	t.Helper()
	engine, err := app.OpenEngine(t.Context(), settings, zap.NewNop(), prometheus.NewRegistry())
	require.NoError(t, err)
	defer func() { require.NoError(t, engine.Close()) }()
	var out bytes.Buffer
	require.NoError(t, score(t.Context(), engine.Gate, by(engine.Gate.Policy()), schema.NewCodec(settings.Limits, nil), settings.Limits, strings.NewReader(input), &out))
	var lines []line
	for text := range strings.Lines(out.String()) {
		var verdict line
		require.NoError(t, json.Unmarshal([]byte(text), &verdict))
		lines = append(lines, verdict)
	}
	return lines
}

// One line out for each line in, in order, whatever the lines hold.
func TestScore_AnswersEveryLineInOrder(t *testing.T) {
	vegan := `{"placement_id":"p1","theme":"Vegan desserts","products":[{"product_id":"a","title":"Chicken breast, raw"}]}`
	lines := scoreText(t, strings.Join([]string{
		vegan,
		`nonsense`,
		`{"placement_id":"p2","theme":"t","products":[]}`,
		``,
		`{"placement_id":"p3","theme":"t","products":[{"product_id":"a","title":"` + strings.Repeat("x", 3<<20) + `"}]}`,
		`{"placement_id":"p4","theme":"寿司","products":[{"product_id":"a","title":"サーモン"}]}`,
		`{"placement_id":"p5","theme":"t","products":[{"product_id":"a","titel":"x"}]}`,
		strings.Replace(vegan, "p1", "p6", 1),
	}, "\n"))
	require.Len(t, lines, 8)
	require.Equal(t, "severe", lines[0].Verdict)
	require.Equal(t, []string{"severe-product"}, lines[0].Reasons)
	require.Equal(t, "a", lines[0].Products[0].ProductID)
	for at, reason := range map[int]string{1: "encoding", 2: "invalid", 3: "encoding", 4: "limit", 6: "encoding"} {
		require.Equal(t, "dead-letter", lines[at].Verdict)
		require.Equal(t, []string{reason}, lines[at].Reasons)
		require.NotEmpty(t, lines[at].Error)
	}
	require.Equal(t, "review", lines[5].Verdict)
	require.Contains(t, lines[5].Reasons, "unscored")
	require.Equal(t, "p6", lines[7].PlacementID)
	require.Equal(t, "severe", lines[7].Verdict)
}

// The ids of the first two lines differ; an answer with replacement characters would name neither.
func TestScore_JSONThatCanBeReadInTwoWaysIsADeadLetter(t *testing.T) {
	lines := scoreText(t, "\ufeff"+strings.Join([]string{
		`{"placement_id":"p\ud800","theme":"t","products":[{"product_id":"a","title":"Rice cakes"}]}`,
		`{"placement_id":"p\udfff","theme":"t","products":[{"product_id":"a","title":"Rice cakes"}]}`,
		`{"placement_id":"p3","theme":"t","products":[{"product_id":"a","title":"Rice cakes"}],"products":[{"product_id":"c"}]}`,
		"{\"placement_id\":\"p4\",\"theme\":\"Caf\xe9\",\"products\":[{\"product_id\":\"a\",\"title\":\"x\"}]}",
	}, "\n"))
	require.Len(t, lines, 4)
	for i, line := range lines {
		require.Equal(t, "dead-letter", line.Verdict)
		require.Equal(t, []string{"invalid"}, line.Reasons)
		require.Contains(t, line.Error, fmt.Sprintf("line %d: ", i+1))
		require.Empty(t, line.PlacementID)
	}
}

func TestScore_ReadsAStreamThatStartsWithAByteOrderMark(t *testing.T) {
	lines := scoreText(t, "\ufeff"+`{"placement_id":"p1","theme":"Vegan desserts","products":[{"product_id":"a","title":"Chicken breast, raw"}]}`)
	require.Len(t, lines, 1)
	require.Equal(t, "p1", lines[0].PlacementID)
	require.Equal(t, "severe", lines[0].Verdict)
}

// What decided each product stands beside it, in the generator's order, and the verdict is the same as without.
func TestScore_ExplainSaysWhatDecidedEachProduct(t *testing.T) {
	settings := config.Default()
	settings.Policy.MinProducts = 1
	settings.Policy.Severe = judge.Prune
	settings.Policy.Rules = []rules.Rule{{Name: "house", When: "title.has_word(['house blend'])", Then: rules.Weak}, {Name: "fails", When: "'x' in attributes && attributes['none'] == ''", Then: rules.Relevant}}
	input := `{"placement_id":"p","theme":"Vegan desserts","products":[` +
		`{"product_id":"a","title":"Chicken breast, raw"},{"product_id":"b","title":"Dark chocolate, vegan"},{"product_id":"c","title":"DARK chocolate vegan"},` +
		`{"product_id":"d","title":"House Blend cookies"},{"product_id":"e","title":"サーモン"},{"product_id":"f","title":"Vegan cookies","attributes":{"x":"y"}}]}` + "\nnonsense"
	plain, full := answers(t, settings, verdictLine, input), answers(t, settings, explainedLine, input)
	require.Nil(t, plain[0].Explanation)
	require.Nil(t, full[1].Explanation)
	products := full[0].Explanation.Products
	require.Len(t, products, 6)
	for at, want := range []explained{
		{ProductID: "a", Found: "severe", DecidedBy: "severe_threshold", Pruned: "severe-product"},
		{ProductID: "b", Found: "relevant", DecidedBy: "below_thresholds"},
		{ProductID: "c", Found: "duplicate", DecidedBy: "title", Pruned: "duplicate-title"},
		{ProductID: "d", Found: "weak", DecidedBy: "rule:house", Pruned: "rule:house"},
		{ProductID: "e", Found: "unscored", DecidedBy: "no_score", Pruned: "unscored"},
		{ProductID: "f", Found: "uncertain", DecidedBy: "rule:fails", Pruned: "rule:fails"},
	} {
		got := products[at]
		require.Equal(t, want, explained{ProductID: got.ProductID, Found: got.Found, DecidedBy: got.DecidedBy, Pruned: got.Pruned}, got.Title)
	}
	require.Contains(t, products[5].Error, "no such key: none")
	require.Positive(t, full[0].Explanation.Thresholds.Weak)
	require.NotNil(t, products[0].Unread)
	require.Empty(t, products[0].Unread)
	require.NotEmpty(t, products[4].Unread)
	full[0].Explanation = nil
	require.Equal(t, plain[0], full[0])
}

// Whoever asks why a product has no score is told which words and symbols are to blame, of the theme or of the title.
func TestScore_ExplainNamesWhatTheModelCantRead(t *testing.T) {
	line := `{"placement_id":"p","theme":"%s","products":[{"product_id":"a","title":"%s"}]}`
	for unread, input := range map[string]string{
		"寿 司": fmt.Sprintf(line, "Sushi 寿司", "Nori sheets"),
		"☌":   fmt.Sprintf(line, "Sushi ☌ night", "Nori sheets"),
		"海 苔": fmt.Sprintf(line, "Sushi night", "Nori 海苔"),
	} {
		product := answers(t, config.Default(), explainedLine, input)[0].Explanation.Products[0]
		require.Equal(t, unread, strings.Join(product.Unread, " "))
		require.Equal(t, "no_score", product.DecidedBy)
	}
}

func TestScore_NothingInNothingOut(t *testing.T) {
	require.Empty(t, scoreText(t, ""))
}
