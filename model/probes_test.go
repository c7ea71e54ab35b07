package model

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Half a percent of the probes must be more than one pair, or one flip would already be too many.
func TestProbes_AreFourHundredPairsOfText(t *testing.T) {
	probes, err := Probes()
	require.NoError(t, err)
	require.Len(t, probes, 402)
	for _, probe := range probes {
		require.NotEmpty(t, probe.Theme)
		require.NotEmpty(t, probe.Title)
	}
}
