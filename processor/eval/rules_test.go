package eval

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/processor/judge/rules"
	"github.com/winnowgate/winnow/processor/processortest"
)

// Each rule is counted against the labels, and the change that does most harm comes first.
func TestCompareRules_CountsWhatEachRuleChanges(t *testing.T) {
	set, err := rules.Compile(rules.Source{Name: "rules", Rules: []rules.Rule{
		{Name: "no-rum", When: "title.has_word(['rum'])", Then: rules.Severe},
		{Name: "bacon-is-fine", When: "title.has_word(['bacon'])", Then: rules.Relevant},
		{Name: "fails", When: "title == 'rye' && attributes['none'] == ''", Then: rules.Weak},
		{Name: "idle", When: "false", Then: rules.Weak},
	}})
	require.NoError(t, err)
	done := 0
	report, err := CompareRules(t.Context(), processortest.Gate(t), set, []Pair{
		{"theme", "rum", "severe"}, {"theme", "rum cake", "relevant"}, {"theme", "bacon", "severe"}, {"theme", "rye", "relevant"}, {"theme", "oats", "relevant"}, {"theme", "bread", "weak"},
	}, func(count int) { done = count })
	require.NoError(t, err)
	require.Equal(t, 6, done)
	require.Equal(t, []int{6, 4, 4}, []int{report.Pairs, report.Decided, report.Changed})
	require.Equal(t, Found{SevereShown: 1, SevereRefused: 1, WeakShown: 1, RelevantShown: 3}, report.Without)
	require.Equal(t, Found{SevereShown: 1, SevereRefused: 1, WeakShown: 1, RelevantShown: 1, HarmlessCondemned: 1}, report.With)
	require.Equal(t, []RuleCount{
		{Name: "no-rum", Then: rules.Severe, Decided: 2, Changed: 2, Severe: 1, Relevant: 1},
		{Name: "bacon-is-fine", Then: rules.Relevant, Decided: 1, Changed: 1, Severe: 1},
		{Name: "fails", Then: rules.Weak, Decided: 1, Changed: 1, Relevant: 1, Failed: 1},
		{Name: "idle", Then: rules.Weak},
	}, report.Rules)
	require.Equal(t, "bacon", report.Changes[0].Title)
	require.Equal(t, judge.ClassSevere, report.Changes[0].Before)
	require.Equal(t, "rum cake", report.Changes[1].Title)
	require.Equal(t, 1, report.Changes[2].Harm)
	require.Contains(t, report.Changes[2].Failed, "no such key")
	require.Equal(t, -4, report.Changes[3].Harm)
}
