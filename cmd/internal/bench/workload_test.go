package bench

import (
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/winnowgate/winnow/schema"
)

func all(workload Workload) []schema.Candidate {
	var candidates []schema.Candidate
	for candidate, ok := workload.Next(); ok; candidate, ok = workload.Next() {
		candidates = append(candidates, candidate)
	}
	return candidates
}

// Two runs of one seed measure the same work; titles are distinct within a placement, themes are Zipf-distributed.
func TestSynthetic_IsReproducibleAndSkewed(t *testing.T) {
	first := all(NewSynthetic("p", 7, 3000, 20))
	require.Equal(t, first, all(NewSynthetic("p", 7, 3000, 20)))
	require.NotEqual(t, first, all(NewSynthetic("p", 8, 3000, 20)))
	require.Len(t, first, 3000)
	themes := map[string]int{}
	for _, candidate := range first {
		themes[candidate.Theme]++
		titles := map[string]bool{}
		for _, product := range candidate.Products {
			titles[product.Title] = true
		}
		require.Len(t, titles, 20)
	}
	most := 0
	for _, count := range themes {
		most = max(most, count)
	}
	require.InDelta(t, 3000.0/6, most, 150, "the most frequent theme is about a sixth")
	require.Greater(t, len(themes), 300)
}

func TestListed_KeepsEveryPairInItsOrder(t *testing.T) {
	listed, err := ReadListed(strings.NewReader("title,label,theme\na,weak,x\nb,weak,x\nc,weak,x\nd,weak,y\n"), 2)
	require.NoError(t, err)
	var pairs []string
	for _, candidate := range all(listed) {
		require.LessOrEqual(t, len(candidate.Products), 2)
		for _, product := range candidate.Products {
			pairs = append(pairs, candidate.Theme+product.Title)
		}
	}
	require.Equal(t, []string{"xa", "xb", "xc", "yd"}, pairs)
	for content, says := range map[string]string{"": "header", "a,b\n": "must have theme and title", "theme,title\n": "no pair"} {
		_, err := ReadListed(strings.NewReader(content), 2)
		require.ErrorContains(t, err, says)
	}
}

// Figures come from the difference of two readings, whatever was counted before.
func TestScoringOf_ComparesTwoReadings(t *testing.T) {
	before := reading{busy: 10, workers: 2, tokens: 100, paddedTokens: 110, scored: 5, cached: 1, batches: 3}
	after := before.plus(reading{busy: 7, tokens: 900, paddedTokens: 1000, scored: 60, cached: 20, batches: 1, residentBytes: 1 << 20})
	got := scoringOf(before, after, 4, 2000)
	require.InDelta(t, 225, got.TokensPerSecond, 1e-9)
	require.InDelta(t, 0.1, got.PaddingWaste, 1e-9)
	require.InDelta(t, 0.5, got.BatchFill, 1e-9)
	require.InDelta(t, 1-7.0/8, got.IdleShare, 1e-9)
	require.EqualValues(t, 1<<20, got.ResidentBytes)
	require.Equal(t, 60, got.Scored)
	require.Equal(t, 20, got.Cached)
	require.Zero(t, readingOf(map[string]*dto.MetricFamily{}), "a process that has counted nothing yet")
}

func TestQuantile_IsAValueThatTheShareDoesNotExceed(t *testing.T) {
	var values []time.Duration
	for i := range 100 {
		values = append(values, time.Duration(100-i))
	}
	require.EqualValues(t, 51, quantile(values, 0.5))
	require.EqualValues(t, 100, quantile(values, 0.99))
	require.Zero(t, quantile(nil, 0.5))
}
