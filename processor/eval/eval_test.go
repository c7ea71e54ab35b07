package eval

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/processor/processortest"
)

func pair(label string, relevant, severe float64, outcome judge.Outcome) Scored {
	return Scored{Pair: Pair{Label: label}, Probabilities: model.Probabilities{Relevant: relevant, Weak: max(1-relevant-severe, 0), Severe: severe}, Outcome: outcome}
}

// Worked out by hand: of severe scores 0.9, 0.6, 0.2 and others 0.7, 0.1 the pairs ranked right are 4 of 6; precision at
// the severe ranks is 1/1, 2/3 and 3/4.
func TestMeasure_ASmallFileByHand(t *testing.T) {
	report := Measure([]Scored{
		pair("severe", 0.05, 0.9, judge.Severe), pair("weak", 0.1, 0.7, judge.Severe), pair("severe", 0.1, 0.6, judge.Review),
		pair("severe", 0.7, 0.2, judge.Approved), pair("relevant", 0.8, 0.1, judge.Approved),
	})
	require.Equal(t, 5, report.Pairs)
	require.InDelta(t, 4.0/6, report.SevereAUC, 1e-12)
	require.InDelta(t, (1+2.0/3+3.0/4)/3, report.SevereAveragePrecision, 1e-12)
	require.InDelta(t, 1.0/3, report.FalseApprovalRate, 1e-12)
	require.InDelta(t, 1.0/5, report.ReviewRate, 1e-12)
	require.InDelta(t, (2.0/3+0+2.0/3)/3, report.MacroF1, 1e-12) // relevant 1 of 2 said, weak never said, severe 2 of 3
	require.InDelta(t, (math.Abs(0.9-1)+math.Abs(0.7+0.7-0)+math.Abs(0.6-1)+math.Abs(0.8-1))/5, report.ExpectedCalibrationError, 1e-12)
}

// The area under the ROC curve is the share of (severe, other) couples that are ranked right, ties counting half.
func TestMeasure_AUCIsTheShareOfCouplesRankedRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scored := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Scored {
			return pair(rapid.SampledFrom(labels()).Draw(t, "label"), 0, float64(rapid.IntRange(0, 10).Draw(t, "tenths"))/10, judge.Review)
		}), 1, 40).Draw(t, "pairs")
		right, couples := 0.0, 0.0
		for _, a := range scored {
			for _, b := range scored {
				if a.Label != "severe" || b.Label == "severe" {
					continue
				}
				couples++
				if a.Probabilities.Severe > b.Probabilities.Severe {
					right++
				} else if a.Probabilities.Severe == b.Probabilities.Severe {
					right += 0.5
				}
			}
		}
		if couples > 0 {
			require.InDelta(t, right/couples, Measure(scored).SevereAUC, 1e-9)
		}
	})
}

func TestMeasure_WithoutSeverePairsTheRankingIsZeroNotNaN(t *testing.T) {
	report := Measure([]Scored{pair("weak", 0.1, 0.1, judge.Approved)})
	require.Zero(t, report.SevereAUC)
	require.Zero(t, report.SevereAveragePrecision)
	require.Zero(t, report.FalseApprovalRate)
}

func TestRun_JudgesEachPairAlone(t *testing.T) {
	done := 0
	report, err := Run(t.Context(), processortest.Gate(t), []Pair{
		{"theme", processortest.SevereTitle, "severe"}, {"theme", processortest.UncertainTitle, "severe"}, {"theme", "oats", "relevant"}, {"theme", "oats", "severe"},
	}, func(count int) { done = count })
	require.NoError(t, err)
	require.Equal(t, 4, done)
	require.InDelta(t, 1.0/3, report.FalseApprovalRate, 1e-12)
	require.InDelta(t, 1.0/4, report.ReviewRate, 1e-12)
	require.Positive(t, report.PairsPerSecond)
}

func TestReadPairs_ReadsColumnsInAnyOrder(t *testing.T) {
	pairs, err := ReadPairs(strings.NewReader("label,title,theme\nweak,\"Oats, rolled\",Breakfast\n"))
	require.NoError(t, err)
	require.Equal(t, []Pair{{"Breakfast", "Oats, rolled", "weak"}}, pairs)
}

func TestReadPairs_NamesWhatIsWrongAndWhere(t *testing.T) {
	for text, says := range map[string]string{
		"":                                     "the file is empty",
		"theme,title\n":                        "label is missing",
		"theme,title,label\n":                  "holds no pairs",
		"theme,title,label\na,b,weak\na,b,wek": `line 3: label "wek" is not one of`,
		"theme,title,label\na,,weak\n":         "line 2: the theme or the title is empty",
		"theme,title,label\na,b\n":             "line 2",
	} {
		_, err := ReadPairs(strings.NewReader(text))
		require.ErrorContains(t, err, says)
	}
}
