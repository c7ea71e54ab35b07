//go:build cgo

package demo

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/winnowgate/winnow/schema"
)

func newGenerator(t *testing.T, seed uint64) *Generator {
	t.Helper()
	generator, err := NewGenerator("p", seed)
	require.NoError(t, err)
	return generator
}

func TestGenerator_IsReproducible(t *testing.T) {
	first, second, other := newGenerator(t, 3), newGenerator(t, 3), newGenerator(t, 4)
	differs := false
	for range 200 {
		candidate, truth := first.Next()
		again, same := second.Next()
		require.Equal(t, candidate, again)
		require.Equal(t, truth, same)
		another, _ := other.Next()
		differs = differs || another.Theme != candidate.Theme
	}
	require.True(t, differs)
}

// The stream is what a careful language model proposes: of 100 products some 12 are weak and 4 severe, and a third of the
// placements that can be broken are.
func TestGenerator_KeepsTheSharesOfTraffic(t *testing.T) {
	generator := newGenerator(t, 1)
	breakable := map[string]bool{}
	for _, shelf := range generator.deck.shelves {
		breakable[shelf.Theme] = shelf.breakable()
	}
	const placements = 9000
	products, labels, constrained, broken := 0, map[Label]int{}, 0, 0
	for range placements {
		candidate, truth := generator.Next()
		require.GreaterOrEqual(t, len(candidate.Products), fewestProducts)
		require.LessOrEqual(t, len(candidate.Products), mostProducts)
		require.GreaterOrEqual(t, 2*truth.count(Relevant), len(candidate.Products), candidate.Theme)
		products += len(candidate.Products)
		for _, label := range truth {
			labels[label]++
		}
		if breakable[candidate.Theme] {
			constrained++
		}
		if truth.Breaks() {
			broken++
		}
	}
	require.InDelta(t, 0.12, float64(labels[Weak])/float64(products), 0.01)
	require.InDelta(t, 0.04, float64(labels[Severe])/float64(products), 0.005)
	require.InDelta(t, 1.0/3, float64(broken)/float64(constrained), 0.03)
}

func TestGenerator_DealsEveryThemeBeforeOneComesAgain(t *testing.T) {
	generator := newGenerator(t, 2)
	shelves := len(generator.deck.shelves)
	last := ""
	for range 20 {
		dealt := map[string]bool{}
		for range shelves {
			candidate, _ := generator.Next()
			require.NotEqual(t, last, candidate.Theme)
			last = candidate.Theme
			dealt[last] = true
		}
		require.Len(t, dealt, shelves)
	}
}

// What the gate reads is the same whatever the truth is: ids count, nothing else is said of a product than its title, and what
// breaks a theme stands anywhere.
func TestGenerator_TheRecordSaysNothingOfTheTruth(t *testing.T) {
	generator, codec := newGenerator(t, 5), schema.NewCodec(schema.DefaultLimits(), nil)
	first, last, cutOff := map[Label]bool{}, map[Label]bool{}, 0
	for range 500 {
		record, truth, err := generator.NextRecord(codec, "candidates")
		require.NoError(t, err)
		require.Empty(t, record.Headers)
		candidate, err := codec.DecodeCandidate(t.Context(), record.Value)
		if truth == nil {
			require.Error(t, err)
			cutOff++
			continue
		}
		require.NoError(t, err)
		require.Equal(t, string(record.Key), candidate.PlacementID)
		require.Equal(t, "winnow-demo", *candidate.Generator)
		require.Nil(t, candidate.CreatedAt)
		require.Len(t, truth, len(candidate.Products))
		for i, product := range candidate.Products {
			require.Equal(t, fmt.Sprintf("%s/%d", candidate.PlacementID, i+1), product.ProductID)
			require.Empty(t, product.Attributes)
		}
		first[truth[candidate.Products[0].ProductID]] = true
		last[truth[candidate.Products[len(candidate.Products)-1].ProductID]] = true
	}
	require.Positive(t, cutOff)
	require.Len(t, first, 3)
	require.Len(t, last, 3)
}

// Titles are those that the shelf holds under their label.
func TestGenerator_TheTruthIsTheShelfs(t *testing.T) {
	generator := newGenerator(t, 6)
	labels := map[string]Label{}
	for _, shelf := range generator.deck.shelves {
		for label, titles := range map[Label][]string{Relevant: shelf.Relevant, Weak: shelf.Weak, Severe: shelf.Severe} {
			for _, title := range titles {
				labels[shelf.Theme+"\n"+title] = label
			}
		}
	}
	for range 300 {
		candidate, truth := generator.Next()
		for _, product := range candidate.Products {
			require.Equal(t, labels[candidate.Theme+"\n"+product.Title], truth[product.ProductID])
		}
	}
}
