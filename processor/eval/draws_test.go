package eval

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var mix = Mix{Severe: 0.04, Weak: 0.12}

// someFiles draws files of a few themes, titles being unique under each.
func someFiles() *rapid.Generator[Labelled] {
	return rapid.Custom(func(t *rapid.T) Labelled {
		var file Labelled
		for at := range rapid.IntRange(1, 6).Draw(t, "placements") {
			placement := Placement{ID: fmt.Sprint(at), Theme: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "theme"), Family: rapid.SampledFrom([]string{"", "f", "g"}).Draw(t, "family")}
			for range rapid.IntRange(1, 9).Draw(t, "products") {
				placement.Pairs = append(placement.Pairs, len(file.Pairs))
				file.Pairs = append(file.Pairs, Pair{placement.Theme, fmt.Sprintf("title %d", len(file.Pairs)), rapid.SampledFrom(labels()).Draw(t, "label")})
			}
			file.Placements = append(file.Placements, placement)
		}
		return file
	})
}

func titlesOf(file Labelled, drawn []int) []string {
	titles := make([]string, len(drawn))
	for i, pair := range drawn {
		titles[i] = file.Pairs[pair].Title
	}
	return titles
}

// Every theme is drawn from as often, each draw has the size and one theme, and a product stands twice only where its label
// has too few.
func TestDraws_RepeatAProductOnlyForWantOfOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file, size := someFiles().Draw(t, "file"), rapid.SampledFrom([]int{1, 5, 10, 20}).Draw(t, "size")
		shelves, ofTheme := file.shelves(), map[string]int{}
		for drawn := range file.draws(size, mix) {
			require.Len(t, drawn, size)
			theme, byLabel := file.Pairs[drawn[0]].Theme, map[string][]int{}
			ofTheme[theme]++
			for _, pair := range drawn {
				require.Equal(t, theme, file.Pairs[pair].Theme)
				label := file.Pairs[pair].Label
				byLabel[label] = append(byLabel[label], pair)
			}
			for at, label := range labels() {
				times := len(byLabel[label])
				slices.Sort(byLabel[label])
				require.Len(t, slices.Compact(byLabel[label]), min(times, len(shelves[theme][at])))
			}
		}
		require.Len(t, ofTheme, len(shelves))
		for _, times := range ofTheme {
			require.Equal(t, drawsOfTheme, times)
		}
	})
}

// Whoever sorts the file, or adds placements of other themes, finds the same draws.
func TestDraws_DependOnTheThemeAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file := someFiles().Draw(t, "file")
		other := Labelled{Pairs: append(slices.Clone(file.Pairs), Pair{"another", "x", "weak"})}
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(other.Pairs), func(i, j int) { other.Pairs[i], other.Pairs[j] = other.Pairs[j], other.Pairs[i] })
		var before, after [][]string
		for drawn := range file.draws(5, mix) {
			before = append(before, titlesOf(file, drawn))
		}
		for drawn := range other.draws(5, mix) {
			if other.Pairs[drawn[0]].Theme != "another" {
				after = append(after, titlesOf(other, drawn))
			}
		}
		require.Equal(t, before, after)
	})
}

func TestDraws_KeepTheMix(t *testing.T) {
	file, count := Labelled{Pairs: []Pair{{"a", "x", "relevant"}, {"a", "y", "weak"}, {"a", "z", "severe"}, {"b", "x", "relevant"}, {"b", "z", "severe"}}}, map[Pair]float64{}
	const size = 5000
	for drawn := range file.draws(size, mix) {
		for _, pair := range drawn {
			count[file.Pairs[pair]] += 1. / size / drawsOfTheme
		}
	}
	require.InDelta(t, 0.84, count[file.Pairs[0]], 0.005)
	require.InDelta(t, 0.12, count[file.Pairs[1]], 0.005)
	require.InDelta(t, 0.04, count[file.Pairs[2]], 0.005)
	require.InDelta(t, 0.84/0.88, count[file.Pairs[3]], 0.005) // the theme has nothing weak
	require.InDelta(t, 0.04/0.88, count[file.Pairs[4]], 0.005)
}

func TestDraws_AThemeOfWhichTheMixHasNothingIsLeftOut(t *testing.T) {
	for range (Labelled{Pairs: []Pair{{"a", "x", "severe"}}}).draws(5, Mix{Weak: 0.1}) {
		t.Fatal("drawn from nothing")
	}
}

func TestMix_LeavesRoomForRelevantProducts(t *testing.T) {
	require.NoError(t, mix.Validate())
	require.NoError(t, Mix{}.Validate())
	for _, wrong := range []Mix{{Severe: -0.1}, {Weak: -0.1}, {Severe: 0.5, Weak: 0.5}, {Severe: nan}, {Weak: nan}} {
		require.Error(t, wrong.Validate())
	}
}
