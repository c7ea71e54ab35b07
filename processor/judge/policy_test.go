package judge

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor/judge/rules"
)

var policy = Policy{MinProducts: 2, Uncertain: Prune, Severe: Tombstone, SevereThreshold: 0.6, ReviewThreshold: 0.1, WeakThreshold: 0.8}

func with(change func(*Policy)) Policy {
	changed := policy
	change(&changed)
	return changed
}

var (
	holding = with(func(p *Policy) { p.Uncertain = Hold })
	pruning = with(func(p *Policy) { p.Severe = Prune })
)

func product(title string, relevant, severe float64) Product {
	return Product{ProductID: title, Title: title, Probabilities: model.Probabilities{Relevant: relevant, Weak: max(1-relevant-severe, 0), Severe: severe}} // never below 0 by rounding
}

func placement(products ...Product) Placement { return Placement{Theme: "theme", Products: products} }

func someProducts() *rapid.Generator[[]Product] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Product {
		severe := rapid.Float64Range(0, 1).Draw(t, "severe") * rapid.SampledFrom([]float64{0.05, 0.2, 1}).Draw(t, "scale")
		relevant := rapid.Float64Range(0, 1-severe).Draw(t, "relevant")
		drawn := product(rapid.StringMatching(`[a-d]{1,2}`).Draw(t, "title"), relevant, severe)
		if rapid.IntRange(0, 9).Draw(t, "unread") == 0 {
			drawn.Probabilities.Severe = math.NaN()
		}
		return drawn
	}), 0, 8)
}

// somePolicies draws valid policies, with rules that name every label.
func somePolicies() *rapid.Generator[Policy] {
	set, err := rules.Compile(rules.Source{Name: "rules", Rules: []rules.Rule{
		{Name: "fine", When: "title == 'a'", Then: rules.Relevant}, {Name: "never", When: "title == 'b'", Then: rules.Severe},
		{Name: "doubt", When: "title == 'c'", Then: rules.Uncertain}, {Name: "off", When: "title == 'd'", Then: rules.Weak},
		{Name: "fails", When: "attributes['none'] == '' && title == 'aa'", Then: rules.Relevant},
	}})
	if err != nil {
		panic(err)
	}
	return rapid.Custom(func(t *rapid.T) Policy {
		drawn := rapid.SampledFrom([]Policy{policy, holding, pruning}).Draw(t, "policy")
		drawn.MinProducts = rapid.IntRange(1, 4).Draw(t, "min")
		drawn.Rules = rapid.SampledFrom([]*rules.Set{nil, set}).Draw(t, "rules")
		return drawn
	})
}

var nan = math.NaN()

func unread(title string) Product {
	return Product{ProductID: title, Title: title, Probabilities: model.Probabilities{Relevant: nan, Weak: nan, Severe: nan}}
}

func TestJudge_DecidesByItsProducts(t *testing.T) {
	good, better := product("oats", 0.9, 0.01), product("muesli", 0.8, 0.02)
	weak, uncertain, severe := product("batteries", 0.1, 0.05), product("honey", 0.5, 0.3), product("bacon", 0.1, 0.6)
	few := ReasonTooFewProducts
	for name, test := range map[string]struct {
		policy   Policy
		products []Product
		outcome  Outcome
		reasons  []Reason
	}{
		"good products":                {policy, []Product{good, better}, Approved, nil},
		"a weak one is pruned":         {policy, []Product{good, better, weak}, Approved, nil},
		"exactly weak":                 {policy, []Product{good, product("x", 0.2, 0)}, Review, []Reason{few}},
		"weaker than relevant, but":    {policy, []Product{good, product("x", 0.25, 0)}, Approved, nil},
		"too few after pruning":        {policy, []Product{good, weak}, Review, []Reason{few}},
		"duplicates count once":        {policy, []Product{good, product("OATS!", 0.9, 0.01)}, Review, []Reason{few}},
		"an uncertain one is left out": {policy, []Product{good, better, uncertain}, Approved, nil},
		"exactly at review":            {policy, []Product{good, product("x", 0.5, 0.1)}, Review, []Reason{ReasonUncertain, few}},
		"uncertain and too few":        {policy, []Product{uncertain}, Review, []Reason{ReasonUncertain, few}},
		"an unread one is left out":    {policy, []Product{good, better, unread("x")}, Approved, nil},
		"nothing was read":             {policy, []Product{unread("x"), unread("y")}, Review, []Reason{ReasonUnscored, few}},
		"exactly at severe":            {policy, []Product{good, better, severe}, Severe, []Reason{ReasonSevereProduct}},
		"severe beats uncertain":       {policy, []Product{uncertain, severe}, Severe, []Reason{ReasonSevereProduct}},
		"severe beats unread":          {policy, []Product{unread("x"), severe}, Severe, []Reason{ReasonSevereProduct}},
		"a severe one among weak":      {policy, []Product{weak, weak, severe}, Severe, []Reason{ReasonSevereProduct}},
		"no products":                  {policy, nil, Review, []Reason{few}},
		"hold: an uncertain one":       {holding, []Product{good, better, uncertain}, Review, []Reason{ReasonUncertain}},
		"hold: an unread one":          {holding, []Product{good, better, unread("x")}, Review, []Reason{ReasonUnscored}},
		"hold: all of it":              {holding, []Product{unread("x"), weak, uncertain, good}, Review, []Reason{ReasonUnscored, ReasonUncertain}},
		"hold: severe":                 {holding, []Product{good, better, severe}, Severe, []Reason{ReasonSevereProduct}},
		"prune: the others go on":      {pruning, []Product{good, better, severe}, Approved, nil},
		"prune: too few go on":         {pruning, []Product{good, severe, uncertain}, Review, []Reason{ReasonSevereProduct, ReasonUncertain, few}},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, test.policy.Validate())
			verdict := test.policy.Judge(placement(test.products...))
			require.Equal(t, test.outcome, verdict.Outcome)
			require.Equal(t, test.reasons, verdict.Reasons)
		})
	}
}

// Whoever looks at a placement sees what was left out of it, why, and how the model saw it.
func TestJudge_ListsWhatWasLeftOutWithItsReason(t *testing.T) {
	weak, uncertain, bad := product("batteries", 0.1, 0.05), product("honey", 0.5, 0.3), product("bacon", 0.1, 0.6)
	verdict := pruning.Judge(placement(product("oats", 0.9, 0), uncertain, weak, product("Oats", 0.9, 0), bad, product("rye", 0.9, 0)))
	require.Equal(t, Approved, verdict.Outcome)
	require.Equal(t, []Pruned{
		{uncertain, ReasonUncertain}, {weak, ReasonWeak}, {product("Oats", 0.9, 0), ReasonDuplicateTitle}, {bad, ReasonSevereProduct},
	}, verdict.Pruned)
}

// What a person has to look at under hold stays in the placement, even where it is repeated.
func TestJudge_UnderHoldWhatIsUncertainStays(t *testing.T) {
	uncertain := product("honey", 0.1, 0.3)
	verdict := holding.Judge(placement(product("oats", 0.9, 0), uncertain, uncertain))
	require.Equal(t, Review, verdict.Outcome)
	require.Len(t, verdict.Products, 3)
	require.Empty(t, verdict.Pruned)
}

func TestJudge_EveryProductIsKeptPrunedOrAViolation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy, all := somePolicies().Draw(t, "policy"), someProducts().Draw(t, "products")
		verdict := policy.Judge(placement(all...))
		findings := policy.Find(placement(all...))
		if verdict.Outcome == Severe {
			require.Equal(t, Tombstone, policy.Severe)
			require.Len(t, verdict.Products, len(ofClass(findings, ClassSevere)))
			require.Empty(t, verdict.Pruned)
			return
		}
		require.Len(t, all, len(verdict.Products)+len(verdict.Pruned))
		kept, pruned := 0, 0
		for i, finding := range findings { // in the generator's order
			if kept < len(verdict.Products) && same(verdict.Products[kept], all[i]) && policy.Keeps(finding.Class) {
				kept++
			} else {
				require.True(t, same(verdict.Pruned[pruned].Product, all[i]))
				require.NotEmpty(t, verdict.Pruned[pruned].Reason)
				pruned++
			}
		}
	})
}

func same(a, b Product) bool { return a.ProductID == b.ProductID }

// The promise to deployers: nothing is shown that the model finds severe or uncertain, that it finds weak, or that it has not
// read, unless, for the first three, a rule calls it relevant.
func TestJudge_AnApprovedPlacementShowsNothingThatIsNotFine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy, all := somePolicies().Draw(t, "policy"), someProducts().Draw(t, "products")
		verdict := policy.Judge(placement(all...))
		if verdict.Outcome != Approved {
			return
		}
		require.GreaterOrEqual(t, len(verdict.Products), policy.MinProducts)
		for _, shown := range verdict.Products {
			require.True(t, shown.Probabilities.Valid())
			if policy.Rules != nil && shown.Title == "a" {
				continue
			}
			require.Less(t, shown.Probabilities.Severe, policy.ReviewThreshold)
			require.Less(t, shown.Probabilities.Weak, policy.WeakThreshold)
			if policy.Rules != nil {
				require.NotContains(t, []string{"b", "c", "d", "aa"}, shown.Title)
			}
		}
		if policy.Uncertain == Hold {
			require.Empty(t, ofClass(policy.Find(placement(all...)), ClassUncertain))
		}
		if policy.Severe == Tombstone {
			require.Empty(t, ofClass(policy.Find(placement(all...)), ClassSevere))
		}
	})
}

// A missing score, however it looks, is never shown; and a violation beside it is still a violation.
func TestJudge_WithoutAScoreNothingIsShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy, all := somePolicies().Draw(t, "policy"), someProducts().Draw(t, "products")
		broken := rapid.SampledFrom([]model.Probabilities{{Relevant: nan, Weak: nan, Severe: nan}, {Relevant: 1, Weak: 0, Severe: nan}, {}, {Relevant: 2, Weak: -1, Severe: 0}}).Draw(t, "broken")
		title := rapid.SampledFrom([]string{"broken", "a", "c", "d", "aa"}).Draw(t, "title") // no rule makes it shown
		at := rapid.IntRange(0, len(all)).Draw(t, "at")
		with := append(append(append([]Product{}, all[:at]...), Product{ProductID: "broken", Title: title, Probabilities: broken}), all[at:]...)
		verdict := policy.Judge(placement(with...))
		without := policy.Judge(placement(all...))
		require.Equal(t, without.Outcome == Severe, verdict.Outcome == Severe)
		if verdict.Outcome == Approved {
			for _, shown := range verdict.Products {
				require.NotEqual(t, "broken", shown.ProductID)
			}
		}
		if policy.Uncertain == Hold && verdict.Outcome != Severe && title == "broken" {
			require.Equal(t, Review, verdict.Outcome)
			require.Contains(t, verdict.Reasons, ReasonUnscored)
		}
	})
}

// More severe is never judged more kindly, whatever is done about it.
func TestJudge_IsMonotonicInSeverity(t *testing.T) {
	rank := map[Outcome]int{Approved: 0, Review: 1, Severe: 2}
	rapid.Check(t, func(t *rapid.T) {
		policy := somePolicies().Draw(t, "policy")
		all := someProducts().Filter(func(all []Product) bool { return len(all) > 0 }).Draw(t, "products")
		worse := append([]Product{}, all...)
		at := rapid.IntRange(0, len(all)-1).Draw(t, "at")
		p := &worse[at].Probabilities
		if !p.Valid() {
			return
		}
		moved := rapid.Float64Range(0, p.Relevant).Draw(t, "moved") // from relevant to severe: no weaker, more severe
		p.Relevant, p.Severe = max(p.Relevant-moved, 0), p.Severe+moved
		require.True(t, p.Valid())
		before, after := policy.Judge(placement(all...)), policy.Judge(placement(worse...))
		require.GreaterOrEqual(t, rank[after.Outcome], rank[before.Outcome])
		if policy.Uncertain == Prune && before.Outcome != Severe && after.Outcome != Severe {
			require.LessOrEqual(t, len(after.Products), len(before.Products))
		}
	})
}

func TestJudge_ARuleDecidesInPlaceOfTheModel(t *testing.T) {
	set, err := rules.Compile(rules.Source{Name: "rules", Rules: []rules.Rule{
		{Name: "ours", When: "title.has_word(['house blend'])", Then: rules.Relevant},
		{Name: "no-beer", When: "theme.has_word(['kid']) && title.has_word(['beer'])", Then: rules.Severe},
		{Name: "candles", When: "title.has_word(['candle'])", Then: rules.Weak},
		{Name: "mystery", When: "title.has_word(['mystery'])", Then: rules.Uncertain},
		{Name: "brand", When: "attributes['brand'] == 'x'", Then: rules.Severe},
	}})
	require.NoError(t, err)
	attributes := map[string]string{"brand": "y"}
	of := func(title string, relevant, severe float64) Product {
		made := product(title, relevant, severe)
		made.Attributes = attributes
		return made
	}
	judged := func(products ...Product) Verdict {
		return with(func(p *Policy) { p.Rules = set }).Judge(Placement{Theme: "Kids' table", Products: products})
	}
	oats, rye := of("Oats", 0.9, 0.01), of("Rye", 0.9, 0.01)

	verdict := judged(oats, rye, of("Lager beer", 0.99, 0.001))
	require.Equal(t, Severe, verdict.Outcome)
	require.Equal(t, []Reason{ReasonSevereProduct, "rule:no-beer"}, verdict.Reasons)
	require.Equal(t, "Lager beer", verdict.Products[0].Title)

	verdict = judged(oats, of("House blend beer", 0.1, 0.7), of("Beeswax candles", 0.99, 0), of("Mystery box", 0.99, 0))
	require.Equal(t, Approved, verdict.Outcome)
	require.Equal(t, []Reason{"rule:ours", "rule:candles", "rule:mystery"}, verdict.Reasons)
	require.Len(t, verdict.Products, 2)
	require.Equal(t, Reason("rule:candles"), verdict.Pruned[0].Reason)
	require.Equal(t, Reason("rule:mystery"), verdict.Pruned[1].Reason)

	// A rule that can't be evaluated: nobody knows what it would have said.
	bare := oats
	bare.Attributes = nil
	verdict = judged(bare, rye)
	require.Equal(t, Review, verdict.Outcome)
	require.Equal(t, []Reason{ReasonUncertain, ReasonTooFewProducts, "rule:brand"}, verdict.Reasons)
	require.Equal(t, Reason("rule:brand"), verdict.Pruned[0].Reason)

	// A rule reads words: what the model has not read it can condemn, and not vouch for.
	require.Equal(t, Severe, judged(oats, rye, unread("Beer")).Outcome)
	verdict = judged(oats, unread("House blend"))
	require.Equal(t, []Reason{ReasonUnscored, ReasonTooFewProducts}, verdict.Reasons)
	require.Equal(t, ReasonUnscored, verdict.Pruned[0].Reason)
}

func TestPolicy_ForPairsDecidesByTheThresholdsOnSeverityAlone(t *testing.T) {
	set, err := rules.Compile(rules.Source{Name: "rules", Rules: []rules.Rule{{Name: "all", When: "true", Then: rules.Severe}}})
	require.NoError(t, err)
	pairs := with(func(p *Policy) { p.Rules = set }).ForPairs()
	require.NoError(t, pairs.Validate())
	for title, test := range map[string]struct {
		product Product
		outcome Outcome
	}{
		"wholly weak": {product("x", 0, 0), Approved}, "uncertain": {product("x", 0, 0.1), Review}, "severe": {product("x", 0, 0.6), Severe}, "unread": {unread("x"), Review},
	} {
		verdict := pairs.Judge(placement(test.product))
		require.Equal(t, test.outcome, verdict.Outcome, title)
		require.Len(t, verdict.Products, 1, title)
	}
}

func TestPolicy_ValidateNamesKeyValueAndBound(t *testing.T) {
	for _, valid := range []Policy{policy, holding, pruning} {
		require.NoError(t, valid.Validate())
	}
	err := Policy{Uncertain: "keep", SevereThreshold: 0.5, ReviewThreshold: 0.7, WeakThreshold: 2}.Validate()
	for _, says := range []string{
		"min_products is 0, must be at least 1", `uncertain is "keep", must be prune or hold`, `severe is "", must be tombstone or prune`,
		"review_threshold is 0.7, must be above 0 and at most severe_threshold (0.5)", "weak_threshold is 2, must be above 0 and at most 1",
	} {
		require.ErrorContains(t, err, says)
	}
	require.Error(t, with(func(p *Policy) { p.SevereThreshold = nan }).Validate())
	require.Error(t, with(func(p *Policy) { p.WeakThreshold = nan }).Validate())
	require.ErrorContains(t, with(func(p *Policy) { p.Uncertain, p.Severe = Hold, Prune }).Validate(), "uncertain must be prune too")
}

func TestPolicy_VersionNamesEveryParameter(t *testing.T) {
	require.Equal(t, "2;min=2;uncertain=prune;severe=tombstone;severe-from=0.6;review-from=0.1;weak-from=0.8;rules=none", policy.Version())
	set, err := rules.Compile(rules.Source{Name: "rules", Rules: []rules.Rule{{Name: "all", When: "true", Then: rules.Severe}}})
	require.NoError(t, err)
	require.Regexp(t, `;rules=[0-9a-f]{8}$`, with(func(p *Policy) { p.Rules = set }).Version())
}

// Moving a threshold costs no rule: the ones asked are right for every threshold.
func TestAgain_IsWhatFindReturnsUnderOtherThresholds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, placement := somePolicies().Draw(t, "policy"), placement(someProducts().Draw(t, "products")...)
		after := before
		after.SevereThreshold = rapid.Float64Range(0.2, 1).Draw(t, "severe")
		after.ReviewThreshold = rapid.Float64Range(0.001, after.SevereThreshold).Draw(t, "review")
		after.WeakThreshold = rapid.Float64Range(0.1, 1).Draw(t, "weak")
		want, got := after.Find(placement), after.Again(before.Find(placement))
		require.Len(t, got, len(want))
		for i := range want {
			require.Equal(t, want[i].Class, got[i].Class)
			require.Equal(t, want[i].Rule, got[i].Rule)
			require.Equal(t, after.Find(Placement{Theme: placement.Theme, Products: placement.Products[i : i+1]})[0].Class, got[i].Alone().Class)
		}
	})
}
