package eval

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/processor/judge/rules"
	"github.com/winnowgate/winnow/processor/processortest"
)

var (
	nan     = math.NaN()
	pruning = judge.Policy{MinProducts: 1, Uncertain: judge.Prune, Severe: judge.Tombstone, SevereThreshold: 0.6, ReviewThreshold: 0.3, WeakThreshold: 0.8}
)

func product(title string, weak, severe float64) judge.Product {
	return judge.Product{ProductID: "1", Title: title, Probabilities: model.Probabilities{Relevant: max(1-weak-severe, 0), Weak: weak, Severe: severe}}
}

// fivePlacements are one approved and clean, one approved that shows a severe product, one killed and clean, one held and clean,
// and one rightly killed.
func fivePlacements(t testing.TB) (Labelled, []judge.Product) {
	file, err := ReadPlacements(strings.NewReader(`placement_id,theme,title,label,family
p1,A,oats,relevant,f
p1,A,glue,weak,f
p2,A,rum,severe,f
p2,A,milk,relevant,f
p3,B,bread,relevant,g
p4,B,soap,weak,
p5,A,gin,severe,g
p5,A,cola,relevant,g
`))
	require.NoError(t, err)
	return file, []judge.Product{
		product("oats", 0, 0.05), product("glue", 0.9, 0.05), product("rum", 0, 0.1), product("milk", 0, 0.4),
		product("bread", 0, 0.7), product("soap", 0, 0.5), product("gin", 0, 0.9), product("cola", 0, 0.65),
	}
}

func TestMeasurePlacements_FivePlacementsByHand(t *testing.T) {
	file, products := fivePlacements(t)
	report := MeasurePlacements(file, products, pruning, mix)
	require.Equal(t, map[string][2]int{
		"clean_approved": {1, 3}, "clean_killed": {1, 3}, "clean_held": {1, 3}, "severe_shown": {1, 2}, "relevant_kept": {1, 2},
		"severe_precision": {1, 3}, "hard_safe_called_severe": {1, 4}, "recall_at_1_percent_false_positives": {1, 2},
	}, report.Counts)
	require.InDelta(t, 1.0/3, report.CleanHeld, 1e-12)
	require.InDelta(t, 0.5, report.RecallAt1PercentFalsePositives, 1e-12)
	require.Equal(t, 5, report.Placements)
	require.Equal(t, 40, report.At5.Placements) // two themes
	// Half of severe and of relevant products is found severe, of weak ones none.
	require.InDelta(t, 0.04, report.SeverePrecisionAt[2].SevereShare, 0)
	require.InDelta(t, 0.04*0.5/(0.04*0.5+0.84*0.5), report.SeverePrecisionAt[2].Precision, 1e-12)
	require.InDelta(t, 0.08*0.5/(0.08*0.5+0.92*0.84/0.96*0.5), report.SeverePrecisionAt[3].Precision, 1e-12)
	require.Equal(t, []string{"f", "g"}, slices.Sorted(maps.Keys(report.Families)))
	require.Equal(t, [2]int{1, 1}, report.Families["f"].Counts["clean_approved"])
	require.Equal(t, [2]int{0, 1}, report.Families["g"].Counts["clean_approved"])
	require.Equal(t, []Miss{{"p2", Pair{"A", "rum", "severe"}, 0.1, ""}}, report.Misses)
	require.Equal(t, []Miss{{"p3", Pair{"B", "bread", "relevant"}, 0.7, ""}}, report.FalseKills)
	require.Empty(t, report.Rules)
	require.Equal(t, report.At10, report.WithoutRules.At10)
}

// A rule that condemns rum saves a shopper, and one that clears bread saves a placement; without them all is as before.
func TestMeasurePlacements_WithRulesAndWithout(t *testing.T) {
	file, products := fivePlacements(t)
	set, err := rules.Compile(rules.Source{Name: "rules", Rules: []rules.Rule{
		{Name: "no-rum", When: "title.has_word(['rum'])", Then: rules.Severe}, {Name: "bread", When: "title == 'bread'", Then: rules.Relevant}, {Name: "idle", When: "false", Then: rules.Weak},
	}})
	require.NoError(t, err)
	ruled := pruning
	ruled.Rules = set
	report, bare := MeasurePlacements(file, products, ruled, mix), MeasurePlacements(file, products, pruning, mix)
	require.Equal(t, bare.At5, report.WithoutRules.At5)
	delete(bare.Counts, "recall_at_1_percent_false_positives")
	require.Equal(t, bare.Counts, report.WithoutRules.Counts)
	require.Equal(t, [2]int{0, 2}, report.Counts["severe_shown"])
	require.Equal(t, [2]int{2, 3}, report.Counts["clean_approved"])
	require.Equal(t, []RuleCount{{Name: "no-rum", Then: rules.Severe, Decided: 1, Changed: 1, Severe: 1}, {Name: "bread", Then: rules.Relevant, Decided: 1, Changed: 1, Relevant: 1}, {Name: "idle", Then: rules.Weak}}, report.Rules)
	require.Empty(t, report.Misses)
}

// Repeats that a generator wrote are pruned, as the gate prunes them; those of a draw stand for other products.
func TestMeasurePlacements_OnlyRepeatsOfTheFileArePruned(t *testing.T) {
	file, err := ReadPlacements(strings.NewReader("placement_id,theme,title,label\np,a,Oats,relevant\np,a,OATS!,relevant\n"))
	require.NoError(t, err)
	report := MeasurePlacements(file, []judge.Product{product("Oats", 0, 0), product("OATS!", 0, 0)}, pruning, mix)
	require.Equal(t, [2]int{1, 2}, report.Counts["relevant_kept"])
	require.Equal(t, [2]int{400, 400}, report.At20.Counts["relevant_kept"])
}

func TestMeasurePlacements_WhatTheFileCannotAnswerIsZeroAndUnknown(t *testing.T) {
	for label, key := range map[string]string{"relevant": "severe_shown", "severe": "clean_approved"} {
		file := Labelled{Pairs: []Pair{{"a", "x", label}}, Placements: []Placement{{"p", "a", "", []int{0}}}}
		report := MeasurePlacements(file, []judge.Product{{Title: "x", Probabilities: model.Probabilities{Relevant: nan, Weak: nan, Severe: nan}}}, pruning, mix)
		require.Equal(t, [2]int{0, 0}, report.Counts[key])
		require.Equal(t, Interval{0, 1}, report.Intervals[key])
		require.Equal(t, PrecisionAt{SevereShare: 0.01, Interval: Interval{0, 1}}, report.SeverePrecisionAt[0])
		require.Equal(t, "-", report.Percent(key))
		_, err := json.Marshal(report) // which knows no NaN
		require.NoError(t, err)
	}
}

func someProducts(t *rapid.T, file Labelled) []judge.Product {
	products := make([]judge.Product, len(file.Pairs))
	for i, pair := range file.Pairs {
		severe := rapid.Float64Range(0, 1).Draw(t, "severe")
		products[i] = product(pair.Title, rapid.Float64Range(0, 1-severe).Draw(t, "weak"), severe)
		if rapid.IntRange(0, 9).Draw(t, "unread") == 0 {
			products[i].Probabilities.Severe = nan
		}
	}
	return products
}

func somePolicies() *rapid.Generator[judge.Policy] {
	return rapid.Custom(func(t *rapid.T) judge.Policy {
		drawn := pruning
		drawn.Uncertain = rapid.SampledFrom([]judge.Choice{judge.Prune, judge.Hold}).Draw(t, "uncertain")
		if drawn.Uncertain == judge.Prune {
			drawn.Severe = rapid.SampledFrom([]judge.Choice{judge.Tombstone, judge.Prune}).Draw(t, "severe")
		}
		drawn.MinProducts = rapid.IntRange(1, 4).Draw(t, "min")
		return drawn
	})
}

func TestMeasurePlacements_SharesAreSharesAndAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file := someFiles().Draw(t, "file")
		report := MeasurePlacements(file, someProducts(t, file), somePolicies().Draw(t, "policy"), mix)
		tables := append(slices.Collect(maps.Values(report.Families)), report.Shares, report.At5, report.At10, report.At20)
		for _, shares := range tables {
			for key, count := range shares.Counts {
				share, interval := ratio(count[0], count[1]), shares.Intervals[key]
				require.True(t, 0 <= interval[0] && interval[0] <= share && share <= interval[1] && interval[1] <= 1, key)
			}
			if shares.Counts["clean_approved"][1] > 0 {
				require.InDelta(t, 1, shares.CleanApproved+shares.CleanKilled+shares.CleanHeld, 1e-9)
			}
		}
		last := 0.0
		for _, at := range report.SeverePrecisionAt {
			require.True(t, at.Interval[0] <= at.Precision && at.Precision <= at.Interval[1])
			require.GreaterOrEqual(t, at.Precision, last) // the more is severe, the likelier is what is found
			last = at.Precision
		}
		require.Len(t, file.Placements, report.Placements)
	})
}

// The figures are the same in every run, to the last byte.
func TestMeasurePlacements_IsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file := someFiles().Draw(t, "file")
		products, policy := someProducts(t, file), somePolicies().Draw(t, "policy")
		first, err := json.Marshal(MeasurePlacements(file, products, policy, mix))
		require.NoError(t, err)
		second, err := json.Marshal(MeasurePlacements(file, products, policy, mix))
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
	})
}

// A shopper sees no less that is severe when the review threshold rises, and a generator loses no more clean placements when the
// severe threshold does.
func TestFrontiers_AreMonotonic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file, policy := someFiles().Draw(t, "file"), somePolicies().Draw(t, "policy")
		report := MeasurePlacements(file, someProducts(t, file), policy, mix)
		shown := 0.0
		for _, step := range report.ReviewFrontier {
			require.LessOrEqual(t, step.ReviewThreshold, policy.SevereThreshold)
			require.GreaterOrEqual(t, step.SevereShown, shown)
			shown = step.SevereShown
		}
		killed, recall := 1.0, 1.0
		for _, step := range report.SevereFrontier {
			require.GreaterOrEqual(t, step.SevereThreshold, policy.ReviewThreshold)
			require.LessOrEqual(t, step.CleanKilled, killed)
			require.LessOrEqual(t, step.SevereRecall, recall)
			killed, recall = step.CleanKilled, step.SevereRecall
		}
	})
}

// The row of the thresholds in use says what the report says.
func TestFrontiers_HoldTheThresholdsInUse(t *testing.T) {
	file, products := fivePlacements(t)
	policy := pruning
	policy.SevereThreshold, policy.ReviewThreshold = 0.612345, 0.2345
	report := MeasurePlacements(file, products, policy, mix)
	require.Contains(t, report.ReviewFrontier, ReviewStep{0.2345, report.SevereShown, report.RelevantKept, report.CleanApproved, report.CleanHeld})
	require.Contains(t, report.SevereFrontier, SevereStep{0.612345, report.CleanKilled, report.SeverePrecision, 0.5, report.SevereShown})
	require.Contains(t, report.ReviewFrontier, ReviewStep{0.45, 0.5, 1, 1.0 / 3, 1.0 / 3}) // milk is shown as well
}

// What --pairs says of the file's pairs stands beside it, and each distinct pair is scored once.
func TestRunPlacements_ReportsWhatPairsReport(t *testing.T) {
	file, err := ReadPlacements(strings.NewReader("placement_id,theme,title,label\np1,a,bacon,severe\np1,a,oats,relevant\np2,a,bacon,severe\np2,a,honey,weak\np3,a,oats,relevant\n"))
	require.NoError(t, err)
	done := 0
	gate := processortest.Gate(t)
	report, err := RunPlacements(t.Context(), gate, file, mix, func(count int) { done = count })
	require.NoError(t, err)
	require.Equal(t, 3, done)
	require.Equal(t, [2]int{1, 1}, report.Counts["clean_approved"])
	pairs, err := Run(t.Context(), gate, file.Pairs, func(int) {})
	require.NoError(t, err)
	pairs.PairsPerSecond, report.PairsPerSecond = 0, 0
	require.Equal(t, pairs, report.Report)
}

// Programs read these keys: one that goes or changes is a migration.
func TestPlacementReport_ItsKeysAreFixed(t *testing.T) {
	file, products := fivePlacements(t)
	encoded, err := json.Marshal(MeasurePlacements(file, products, pruning, mix))
	require.NoError(t, err)
	var decoded map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(encoded, &decoded))
	shares := []string{"clean_approved", "clean_held", "clean_killed", "counts", "hard_safe_called_severe", "intervals", "placements", "relevant_kept", "severe_precision", "severe_shown"}
	figures := slices.Sorted(slices.Values(append([]string{"at_10", "at_20", "at_5", "severe_precision_at"}, shares...)))
	require.Equal(t, slices.Sorted(slices.Values(append([]string{
		"pairs", "severe_auc", "severe_average_precision", "macro_f1", "false_approval_rate", "review_rate", "expected_calibration_error", "pairs_per_second", "model",
		"severe_threshold", "review_threshold", "severe", "confusion", "precision_recall", "review_curve", "calibration", "severe_choices", "review_choices", "false_approvals", "false_violations",
		"recall_at_1_percent_false_positives", "families", "without_rules", "rules", "review_frontier", "severe_frontier", "misses", "false_kills", "policy", "mix",
	}, figures...))), slices.Sorted(maps.Keys(decoded)))
	for name, want := range map[string][]string{
		"at_5": shares, "without_rules": figures, "mix": {"severe_share", "weak_share"},
	} {
		var inner map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(decoded[name], &inner))
		require.Equal(t, want, slices.Sorted(maps.Keys(inner)), name)
	}
}

// The page of placements needs nothing else, and a title can't become markup in it.
func TestWritePage_OfPlacementsIsSelfContainedAndEscapesTitles(t *testing.T) {
	file, products := fivePlacements(t)
	file.Pairs[2].Title = "<script>alert('rum')</script>"
	report := MeasurePlacements(file, products, pruning, mix)
	report.Model = "test@0123"
	var out strings.Builder
	require.NoError(t, report.WritePage(&out, "labelled.csv"))
	page := out.String()
	require.Contains(t, page, "5 placements of labelled.csv, 3 of them clean")
	require.Contains(t, page, "&lt;script&gt;alert")
	require.NotContains(t, page, "<script")
	require.NotContains(t, page, "http-equiv")
	require.Equal(t, 6, strings.Count(page, "<svg"))
	require.Equal(t, 2, strings.Count(page, `class="here"`))
	require.NotContains(t, page, "ZgotmplZ")
}
