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

var policy = judge.Policy{SevereThreshold: 0.6, ReviewThreshold: 0.3}.ForPairs()

func pair(label string, relevant, severe float64, outcome judge.Outcome) Scored {
	return Scored{Pair: Pair{Label: label}, Probabilities: model.Probabilities{Relevant: relevant, Weak: max(1-relevant-severe, 0), Severe: severe}, Outcome: outcome}
}

// Worked out by hand: of severe scores 0.9, 0.6, 0.2 and others 0.7, 0.1 the pairs ranked right are 4 of 6; precision at
// the severe ranks is 1/1, 2/3 and 3/4.
func TestMeasure_ASmallFileByHand(t *testing.T) {
	report := Measure([]Scored{
		pair("severe", 0.05, 0.9, judge.Severe), pair("weak", 0.1, 0.7, judge.Severe), pair("severe", 0.1, 0.6, judge.Review),
		pair("severe", 0.7, 0.2, judge.Approved), pair("relevant", 0.8, 0.1, judge.Approved),
	}, policy)
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
			require.InDelta(t, right/couples, Measure(scored, policy).SevereAUC, 1e-9)
		}
	})
}

func TestMeasure_WithoutSeverePairsTheRankingIsZeroNotNaN(t *testing.T) {
	report := Measure([]Scored{pair("weak", 0.1, 0.1, judge.Approved)}, policy)
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
		"theme,title\n":                        "column missing: label",
		"theme,title,label\n":                  "holds no pairs",
		"theme,title,label\na,b,weak\na,b,wek": `line 3: label "wek" is not one of`,
		"theme,title,label\na,,weak\n":         "line 2: title is empty",
		"theme,title,label\na,b\n":             "line 2",
	} {
		_, err := ReadPairs(strings.NewReader(text))
		require.ErrorContains(t, err, says)
	}
}

// Ten pairs worked out by hand: severe scores 0.9, 0.7, 0.4 and 0.1, the severe threshold 0.6, so that moving the review
// threshold trades the pairs at 0.1 and 0.4 against review.
func byHand() []Scored {
	return []Scored{
		pair("severe", 0.05, 0.9, judge.Severe), pair("weak", 0.1, 0.8, judge.Severe), pair("severe", 0.1, 0.7, judge.Severe),
		pair("severe", 0.3, 0.4, judge.Review), pair("weak", 0.2, 0.35, judge.Review), pair("severe", 0.6, 0.1, judge.Approved),
		pair("relevant", 0.9, 0.05, judge.Approved), pair("relevant", 0.9, 0.04, judge.Approved), pair("relevant", 0.9, 0.03, judge.Approved),
		{Pair: Pair{Label: "weak"}, Probabilities: model.Probabilities{Severe: math.NaN()}, Outcome: judge.Review},
	}
}

func TestMeasure_TheReviewCurveTradesApprovalsAgainstReview(t *testing.T) {
	curve := Measure(byHand(), policy).ReviewCurve
	require.Equal(t, ReviewPoint{ReviewThreshold: 0.35, FalseApprovalRate: 0.25, ReviewRate: 0.3, Coverage: 0.7, Risk: 2.0 / 7}, curve[4])
	require.Equal(t, ReviewPoint{ReviewThreshold: 0.4, FalseApprovalRate: 0.25, ReviewRate: 0.2, Coverage: 0.8, Risk: 2.0 / 8}, curve[5])
	require.Equal(t, 0.03, curve[0].ReviewThreshold) //nolint:testifylint // the very score
	require.Zero(t, curve[0].FalseApprovalRate)
	require.Len(t, curve, 6)
}

func TestMeasure_ThePrecisionCurveAndItsChoices(t *testing.T) {
	report := Measure(byHand(), policy)
	require.Equal(t, PrecisionPoint{0.9, 1, 0.25}, report.PrecisionRecall[0])
	require.Equal(t, PrecisionPoint{0.7, 2.0 / 3, 0.5}, report.PrecisionRecall[2])
	require.Equal(t, []PrecisionPoint{{0.9, 1, 0.25}}, report.SevereChoices)
	require.Equal(t, 0.1, report.ReviewChoices[0].ReviewThreshold) //nolint:testifylint // the very score
}

func TestMeasure_ConfusionCountsEveryPairOnce(t *testing.T) {
	total, unscored := 0, 0
	for _, cell := range Measure(byHand(), policy).Confusion {
		total += cell.Pairs
		if cell.Predicted == "" {
			unscored += cell.Pairs
		}
	}
	require.Equal(t, 10, total)
	require.Equal(t, 1, unscored)
}

func TestMeasure_ListsTheWorstMistakesFirst(t *testing.T) {
	report := Measure(byHand(), policy)
	require.Len(t, report.FalseApprovals, 1)
	require.InDelta(t, 0.1, report.FalseApprovals[0].Severe, 1e-12)
	require.Len(t, report.FalseViolations, 1)
	require.InDelta(t, 0.8, report.FalseViolations[0].Severe, 1e-12)
}

// A curve that is thinned keeps both ends; the choices come from the whole one.
func TestMeasure_LongCurvesAreThinned(t *testing.T) {
	var scored []Scored
	for i := range 5000 {
		label := "weak"
		if i%3 == 0 {
			label = "severe"
		}
		scored = append(scored, pair(label, 0, float64(i)/10000, judge.Review))
	}
	report := Measure(scored, policy)
	require.Len(t, report.ReviewCurve, mostPoints)
	require.Zero(t, report.ReviewCurve[0].ReviewThreshold)
	require.InDelta(t, 0.4999, report.ReviewCurve[mostPoints-1].ReviewThreshold, 1e-12)
}

// The page needs nothing else, and a title can't become markup in it.
func TestWritePage_IsSelfContainedAndEscapesTitles(t *testing.T) {
	scored := byHand()
	scored[5].Title = "<script>alert('oats')</script>"
	report := Measure(scored, policy)
	report.Model = "test@0123"
	var out strings.Builder
	require.NoError(t, report.WritePage(&out, "labelled.csv"))
	page := out.String()
	require.Equal(t, 4, strings.Count(page, "<svg"))
	require.Contains(t, page, "&lt;script&gt;alert(&#39;oats&#39;)&lt;/script&gt;")
	for _, foreign := range []string{"<script", "<link", "src=", "@import", "url("} {
		require.NotContains(t, page, foreign)
	}
}

func TestWritePage_WithoutSeverePairsSaysSo(t *testing.T) {
	var out strings.Builder
	require.NoError(t, Measure([]Scored{pair("weak", 0.1, 0.1, judge.Approved)}, policy).WritePage(&out, "labelled.csv"))
	require.Contains(t, out.String(), "None reaches a precision")
}
