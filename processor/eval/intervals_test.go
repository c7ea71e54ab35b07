package eval

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mathext"
	"pgregory.net/rapid"
)

// The values that tables of the exact interval print; with nothing counted its end is 1 - 0.025^(1/n).
func TestClopperPearson_KnownValues(t *testing.T) {
	for counted, want := range map[[2]int]Interval{
		{0, 0}: {0, 1}, {0, 10}: {0, 0.308497}, {10, 10}: {0.691503, 1}, {5, 10}: {0.187086, 0.812914}, {1, 100}: {0.000253, 0.054459}, {50, 1000}: {0.037335, 0.065391},
	} {
		require.InDeltaSlice(t, want[:], interval(counted), 1e-6, counted)
	}
}

func interval(counted [2]int) []float64 {
	found := clopperPearson(counted[0], counted[1])
	return found[:]
}

// At each end, what was counted is as rare as the interval allows.
func TestClopperPearson_LeavesOutFivePercentAndHoldsTheShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.IntRange(1, 1_000_000).Draw(t, "whole")
		part := rapid.IntRange(0, whole).Draw(t, "part")
		found, share := clopperPearson(part, whole), float64(part)/float64(whole)
		require.True(t, 0 <= found[0] && found[0] <= share && share <= found[1] && found[1] <= 1, "%v", found)
		if part > 0 {
			require.InDelta(t, 0.025, mathext.RegIncBeta(float64(part), float64(whole-part+1), found[0]), 1e-6)
		}
		if part < whole {
			require.InDelta(t, 0.975, mathext.RegIncBeta(float64(part+1), float64(whole-part), found[1]), 1e-6)
		}
	})
}
