//go:build cgo

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/winnowgate/winnow/processor/eval"
	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/processor/judge/rules"
)

func TestExecute_RulesTellUsageFromFailure(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	good := write("good.yaml", "- {name: a, when: \"title.has_word(['beef'])\", then: severe}\n")
	bad := write("bad.yaml", "- {name: a, when: titel, then: severe}\n")
	pairs := write("pairs.csv", "theme,title,label\nVegan desserts,Beef jerky,severe\nKids' party drinks,\"Vodka, 1 L\",severe\n")
	for name, test := range map[string]struct {
		arguments []string
		want      int
	}{
		"help":                       {[]string{"rules"}, exitDone},
		"the shipped rules":          {[]string{"rules", "check", "--rules", "hazards"}, exitDone},
		"a file of rules":            {[]string{"rules", "check", "--rules", good}, exitDone},
		"a rule that is wrong":       {[]string{"rules", "check", "--rules", bad}, exitUsage},
		"no rules":                   {[]string{"rules", "check"}, exitUsage},
		"a file that does not exist": {[]string{"rules", "check", "--rules", "/nowhere.yaml"}, exitUsage},
		"rules on pairs":             {[]string{"rules", "test", "--rules", "hazards", "--pairs", pairs}, exitDone},
		"rules on pairs, as JSON":    {[]string{"rules", "test", "--rules", good, "--pairs", pairs, "--json"}, exitDone},
		"rules on no pairs":          {[]string{"rules", "test", "--rules", good}, exitUsage},
		"wrong rules on pairs":       {[]string{"rules", "test", "--rules", bad, "--pairs", pairs}, exitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, execute(t.Context(), test.arguments))
		})
	}
	_, err := readRules(bad)
	require.ErrorContains(t, err, bad+"[0] \"a\": 1:1: undeclared reference to 'titel'")
}

// The report names every rule, and shows first what the labels say is wrong.
func TestPrintRules_NamesRulesAndTheWorstChanges(t *testing.T) {
	var out strings.Builder
	printRules(&out, eval.RulesReport{
		Pairs: 3, Model: "m", Decided: 2, Changed: 2, Rules: []eval.RuleCount{{Name: "no-rum", Then: rules.Severe, Decided: 2, Changed: 2, Severe: 1, Relevant: 1, Failed: 1}},
		Changes: []eval.Change{{Pair: eval.Pair{Theme: "t", Title: "rum cake", Label: "relevant"}, Rule: "no-rum", Before: judge.ClassRelevant, After: judge.ClassSevere, Harm: 3}},
	})
	require.Contains(t, out.String(), "the rules decide 2 and change 2")
	require.Contains(t, out.String(), "1 could not be evaluated")
	require.Contains(t, out.String(), "relevant  relevant > severe  no-rum  t: rum cake")
}
