//go:build cgo

package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/schema"
)

// someVerdict draws a placement and what a gate might make of it, right or wrong.
func someVerdict(t *rapid.T, id string) (verdict, Truth) {
	of := verdict{outcome: rapid.SampledFrom([]string{"approved", "severe", "review", "dead-letter"}).Draw(t, "outcome"), placement: id}
	if of.outcome == "dead-letter" {
		return of, nil
	}
	truth := Truth{}
	for i := range rapid.IntRange(1, 8).Draw(t, "products") {
		product := fmt.Sprintf("%s/%d", id, i+1)
		truth[product] = rapid.SampledFrom([]Label{Relevant, Relevant, Weak, Severe}).Draw(t, "label")
		switch {
		case i == 0 || rapid.Bool().Draw(t, "named"):
			of.products = append(of.products, found(product, 0.5, rapid.SampledFrom([]string{"", "rule"}).Draw(t, "rule")))
		case of.outcome != "severe":
			of.pruned = append(of.pruned, left(product, judge.ReasonWeak, 0.9, 0))
		}
	}
	return of, truth
}

// Every candidate is counted once, and so is every product.
func TestSummary_AddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(1, 40).Draw(t, "placements")
		truths, verdicts := map[string]Truth{}, make([]verdict, count)
		board := newBoard(Screen{Out: &bytes.Buffer{}, Width: 80}, reader{}, truths, count)
		for i := range verdicts {
			of, truth := someVerdict(t, fmt.Sprintf("p-%d", i))
			if verdicts[i] = of; truth != nil {
				truths[of.placement] = truth
			}
		}
		for _, of := range verdicts {
			board.add(of)
		}
		summary := board.finish(time.Second)
		tally := summary.tally
		require.Equal(t, summary.Candidates, summary.Approved+summary.Severe+summary.Review+summary.DeadLetter)
		require.Equal(t, summary.Candidates-summary.DeadLetter, tally.cleanOnes()+tally.brokenOnes())
		require.Equal(t, summary.Severe, summary.Hits()+summary.FalseAlarms())
		require.Equal(t, summary.Approved, summary.Misses()+tally.clean.approved+tally.broken.spared)
		require.Equal(t, summary.Review, tally.clean.held+tally.broken.held)
		severe, named, pairs := 0, 0, 0
		for _, of := range verdicts {
			severe, pairs = severe+truths[of.placement].count(Severe), pairs+len(truths[of.placement])
			if of.outcome == "severe" {
				named += len(of.products)
			}
		}
		require.Equal(t, severe, tally.severe)
		require.Equal(t, pairs, summary.Pairs)
		require.Equal(t, named, tally.model.named+tally.rules.named)
		require.GreaterOrEqual(t, tally.shown, summary.Misses())
		require.LessOrEqual(t, tally.shown, tally.severe)
		require.LessOrEqual(t, tally.kept, tally.relevant)
	})
}

// What rules decided stands apart, whether they killed a placement or left a product out.
func TestTally_CountsRulesApartFromTheModel(t *testing.T) {
	var counts tally
	counts.add(verdict{outcome: "severe", products: []named{found("rum", 0.1, "no-alcohol"), found("oats", 0.9, ""), found("bacon", 0.9, "")}}, truth)
	counts.add(verdict{outcome: "approved", pruned: []schema.Pruned{
		left("rum", "rule:no-alcohol", 0, 0), left("oats", "rule:doubt", 0, 0), left("bacon", judge.ReasonSevereProduct, 0, 0.9), left("towel", judge.ReasonWeak, 0.9, 0),
	}}, truth)
	require.Equal(t, decided{named: 3, rightly: 2}, counts.rules)
	require.Equal(t, decided{named: 3, rightly: 2}, counts.model)
}

func TestSummary_SaysInWordsWhatTheCountsAre(t *testing.T) {
	summary := Summary{Candidates: 12, Approved: 6, Severe: 3, Review: 2, DeadLetter: 1, Pairs: 110, Seconds: 2, PairsPerSecond: 55, Model: "m@1", Provider: "cpu"}
	summary.tally.clean.approved, summary.tally.clean.killed, summary.tally.clean.held = 4, 1, 1
	summary.tally.broken.hit, summary.tally.broken.otherwise, summary.tally.broken.spared, summary.tally.broken.missed, summary.tally.broken.held = 1, 1, 1, 1, 1
	summary.tally.severe, summary.tally.shown, summary.tally.relevant, summary.tally.kept = 8, 1, 50, 45
	summary.tally.model, summary.tally.rules = decided{3, 1}, decided{1, 1}
	var out bytes.Buffer
	summary.Print(&out)
	require.Equal(t, `
12 candidates = 6 approved + 3 severe + 2 review + 1 dead letter, none missing
1 hits, 1 misses, 2 false alarms

Of 6 clean placements: 4 approved (67 %), 1 killed (17 %), 1 held (17 %).
Of 5 that break their theme: 1 killed for it, 1 killed for another product,
  1 approved without it, 1 approved with it, 1 held.
Of 8 products that break their theme: 1 shown (13 %).
Of 50 relevant products in approved placements: 45 kept (90 %).
Found severe by the model: 3 products, 1 rightly; by the rules: 1, 1 rightly.

110 pairs in 2.0 s: 55 pairs/s, those seen before from the cache
model m@1 on cpu
`, out.String())
	data, err := json.Marshal(summary)
	require.NoError(t, err)
	require.JSONEq(t, `{"candidates":12,"approved":6,"severe":3,"review":2,"dead_letter":1,"pairs":110,"seconds":2,"pairs_per_second":55,"model":"m@1","provider":"cpu",
		"hits":1,"misses":1,"false_alarms":2,"clean_approved":0.6666666666666666,"clean_killed":0.16666666666666666,"clean_held":0.16666666666666666,"severe_shown":0.125,"relevant_kept":0.9}`, string(data))
	data, err = json.Marshal(Summary{})
	require.NoError(t, err)
	require.Contains(t, string(data), `"relevant_kept":0`)
}
