package model

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func manifest() *Manifest {
	return &Manifest{
		Labels: []string{LabelSevere, LabelRelevant, LabelWeak}, MaxTokens: 16, Calibration: Calibration{Temperature: 2},
		SpecialTokens: SpecialTokens{CLS: 1, SEP: 2, PAD: 0, UNK: 3},
	}
}

func side(name string) *rapid.Generator[[]int64] {
	return rapid.Custom(func(t *rapid.T) []int64 {
		return rapid.SliceOfN(rapid.Int64Range(10, 99), 0, 30).Draw(t, name)
	})
}

// However long the sides are, a pair is framed completely, fits, wastes no room, and keeps the beginnings.
func TestJoinPair_FramesFitsAndKeepsTheBeginnings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := manifest()
		theme, title := side("theme").Draw(t, "theme"), side("title").Draw(t, "title")
		ids := m.JoinPair(theme, title)
		require.Len(t, ids, min(len(theme)+len(title)+3, m.MaxTokens))
		require.Equal(t, m.SpecialTokens.CLS, ids[0])
		require.Equal(t, m.SpecialTokens.SEP, ids[len(ids)-1])
		middle := 1
		for ids[middle] != m.SpecialTokens.SEP {
			middle++
		}
		require.Equal(t, theme[:middle-1], ids[1:middle])
		require.Equal(t, title[:len(ids)-middle-2], ids[middle+1:len(ids)-1])
	})
}

func TestNewBatch_PadsToTheLongestAndMasksThePadding(t *testing.T) {
	batch := manifest().NewBatch([][]int64{{1, 5, 2}, {1, 5, 6, 7, 2}})
	require.Equal(t, Batch{
		Rows: 2, Length: 5,
		IDs:  []int64{1, 5, 2, 0, 0, 1, 5, 6, 7, 2},
		Mask: []int64{1, 1, 1, 0, 0, 1, 1, 1, 1, 1},
	}, batch)
}

func TestCalibrate_IsASoftmaxInTheBundlesLabelOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		logit := rapid.Float32Range(-200, 200)
		logits := Logits{logit.Draw(t, "severe"), logit.Draw(t, "relevant"), logit.Draw(t, "weak")}
		p := manifest().Calibrate(logits)
		require.True(t, p.Valid())
		ratio := float64(logits[0]-logits[1]) / 2 // temperature 2
		if math.Abs(ratio) < 20 {
			require.InDelta(t, ratio, math.Log(p.Severe/p.Relevant), 1e-3)
		}
	})
}

// What is not finite never becomes a probability, so that no comparison with a threshold can pass by accident.
func TestCalibrate_WhatIsNotFiniteIsNotValid(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, logits := range []Logits{{nan, 0, 0}, {0, nan, 0}, {0, 0, nan}, {inf, 0, 0}, {inf, inf, inf}, {-inf, -inf, -inf}, {0, -inf, 0}, {0, 0, -inf}} {
		require.False(t, manifest().Calibrate(logits).Valid(), "%v", logits)
	}
}
