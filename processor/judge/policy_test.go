package judge

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/winnowgate/winnow/model"
)

var policy = Policy{MinProducts: 2, SevereThreshold: 0.6, ReviewThreshold: 0.1, PruneWeak: true}

func product(title string, relevant, severe float64) Product {
	return Product{ProductID: title, Title: title, Probabilities: model.Probabilities{Relevant: relevant, Weak: max(1-relevant-severe, 0), Severe: severe}} // never below 0 by rounding
}

func products() *rapid.Generator[[]Product] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Product {
		severe := rapid.Float64Range(0, 1).Draw(t, "severe")
		relevant := rapid.Float64Range(0, 1-severe).Draw(t, "relevant")
		return product(rapid.StringMatching(`[a-d]{1,2}`).Draw(t, "title"), relevant, severe)
	}), 0, 8)
}

func TestJudge_DecidesByTheWorstProduct(t *testing.T) {
	good, better := product("oats", 0.9, 0.01), product("muesli", 0.8, 0.02)
	weak, uncertain, severe := product("batteries", 0.1, 0.05), product("honey", 0.5, 0.3), product("bacon", 0.1, 0.6)
	for name, test := range map[string]struct {
		products []Product
		outcome  Outcome
		reasons  []Reason
	}{
		"good products":           {[]Product{good, better}, Approved, nil},
		"a weak one is pruned":    {[]Product{good, better, weak}, Approved, nil},
		"too few after pruning":   {[]Product{good, weak}, Review, []Reason{ReasonTooFewProducts}},
		"duplicates count once":   {[]Product{good, product("OATS!", 0.9, 0.01)}, Review, []Reason{ReasonTooFewProducts}},
		"an uncertain one":        {[]Product{good, better, uncertain}, Review, []Reason{ReasonUncertain}},
		"exactly at review":       {[]Product{good, better, product("x", 0.5, 0.1)}, Review, []Reason{ReasonUncertain}},
		"exactly at severe":       {[]Product{good, better, severe}, Severe, []Reason{ReasonSevereProduct}},
		"severe beats uncertain":  {[]Product{uncertain, severe}, Severe, []Reason{ReasonSevereProduct}},
		"no products":             {nil, Review, []Reason{ReasonTooFewProducts}},
		"uncertain and too few":   {[]Product{uncertain}, Review, []Reason{ReasonUncertain, ReasonTooFewProducts}},
		"a severe one among weak": {[]Product{weak, weak, severe}, Severe, []Reason{ReasonSevereProduct}},
	} {
		t.Run(name, func(t *testing.T) {
			verdict := policy.Judge(test.products)
			require.Equal(t, test.outcome, verdict.Outcome)
			require.Equal(t, test.reasons, verdict.Reasons)
		})
	}
}

// A person who reviews must see what the machine was unsure of, even where it looks weak or repeated.
func TestJudge_NeverPrunesWhatIsUncertain(t *testing.T) {
	uncertain := product("honey", 0.1, 0.3)
	verdict := policy.Judge([]Product{product("oats", 0.9, 0), uncertain, uncertain})
	require.Equal(t, Review, verdict.Outcome)
	require.Len(t, verdict.Products, 3)
	require.Empty(t, verdict.Pruned)
}

func TestJudge_EveryProductIsKeptPrunedOrAViolation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := products().Draw(t, "products")
		verdict := policy.Judge(all)
		if verdict.Outcome == Severe {
			require.NotEmpty(t, verdict.Products)
			for _, violation := range verdict.Products {
				require.GreaterOrEqual(t, violation.Probabilities.Severe, policy.SevereThreshold)
			}
			return
		}
		require.Len(t, all, len(verdict.Products)+len(verdict.Pruned))
	})
}

func TestJudge_ApprovedMeansEveryProductIsHarmlessAndEnoughAreLeft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := products().Draw(t, "products")
		if verdict := policy.Judge(all); verdict.Outcome == Approved {
			require.GreaterOrEqual(t, len(verdict.Products), policy.MinProducts)
			for _, product := range all {
				require.Less(t, product.Probabilities.Severe, policy.ReviewThreshold)
			}
		}
	})
}

// A missing score, however it looks, is never approved; and a violation beside it is still a violation.
func TestJudge_WithoutAScoreNothingIsApproved(t *testing.T) {
	nan := math.NaN()
	rapid.Check(t, func(t *rapid.T) {
		all := products().Draw(t, "products")
		broken := rapid.SampledFrom([]model.Probabilities{{Relevant: nan, Weak: nan, Severe: nan}, {Relevant: 1, Weak: 0, Severe: nan}, {}, {Relevant: 2, Weak: -1, Severe: 0}}).Draw(t, "broken")
		at := rapid.IntRange(0, len(all)).Draw(t, "at")
		with := append(append(append([]Product{}, all[:at]...), Product{Title: "broken", Probabilities: broken}), all[at:]...)
		verdict := policy.Judge(with)
		if policy.Judge(all).Outcome == Severe {
			require.Equal(t, Severe, verdict.Outcome)
		} else {
			require.Equal(t, Review, verdict.Outcome)
			require.Contains(t, verdict.Reasons, ReasonUnscored)
		}
	})
}

// More severe is never judged more kindly.
func TestJudge_IsMonotonicInSeverity(t *testing.T) {
	rank := map[Outcome]int{Approved: 0, Review: 1, Severe: 2}
	rapid.Check(t, func(t *rapid.T) {
		all := products().Filter(func(all []Product) bool { return len(all) > 0 }).Draw(t, "products")
		before := policy.Judge(all).Outcome
		worse := append([]Product{}, all...)
		at := rapid.IntRange(0, len(all)-1).Draw(t, "at")
		p := worse[at].Probabilities
		if math.Abs(p.Relevant-p.Weak) < 1e-9 {
			return // which of the two is larger may change by rounding below
		}
		severe := rapid.Float64Range(p.Severe, 1).Draw(t, "severe")
		shrink := (1 - severe) / math.Max(1-p.Severe, 1e-12)
		worse[at].Probabilities = model.Probabilities{Relevant: p.Relevant * shrink, Weak: max(1-severe-p.Relevant*shrink, 0), Severe: severe}
		if worse[at].Probabilities.Valid() {
			require.GreaterOrEqual(t, rank[policy.Judge(worse).Outcome], min(rank[before], 1))
			if before == Severe {
				require.Equal(t, Severe, policy.Judge(worse).Outcome)
			}
		}
	})
}

func TestPolicy_ValidateNamesKeyValueAndBound(t *testing.T) {
	require.NoError(t, policy.Validate())
	err := Policy{MinProducts: 0, SevereThreshold: 0.5, ReviewThreshold: 0.7}.Validate()
	require.ErrorContains(t, err, "min_products is 0, must be at least 1")
	require.ErrorContains(t, err, "review_threshold is 0.7, must be above 0 and at most severe_threshold (0.5)")
	require.Error(t, Policy{MinProducts: 1, SevereThreshold: math.NaN(), ReviewThreshold: 0.1}.Validate())
}

func TestPolicy_VersionNamesEveryParameter(t *testing.T) {
	require.Equal(t, "1;severe=0.6;review=0.1;min=2;weak=prune", policy.Version())
}
