//go:build cgo

package demo

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/winnowgate/winnow/cmd/internal/config"
	hazards "github.com/winnowgate/winnow/deploy/rules"
	"github.com/winnowgate/winnow/processor"
	"github.com/winnowgate/winnow/schema"
)

// At first the lines are what traffic is; then calm verdicts are thinned out, and no severe one and no miss is.
func TestBoard_ShowsTheFirstVerdictsAndThenWhatMatters(t *testing.T) {
	var out bytes.Buffer
	truths := map[string]Truth{}
	board := newBoard(Screen{Out: &out, Width: 80}, reader{}, truths, 1000)
	legend := out.Len()
	const placements = shownFirst + 100
	for i := range placements {
		id := fmt.Sprint(i)
		truths[id] = truth
		of := verdict{outcome: "approved", placement: id, products: []named{found("oats", 0, "")}}
		switch i % 20 {
		case 7:
			of = verdict{outcome: "severe", placement: id, products: []named{found("bacon", 0.9, "")}}
		case 8:
			of.products = append(of.products, found("rum", 0.01, ""))
		}
		board.add(of)
	}
	lines := out.String()[legend:]
	require.Equal(t, placements/20, strings.Count(lines, "HIT"))
	require.Equal(t, placements/20, strings.Count(lines, "MISS"))
	require.Equal(t, 18+90/calmOnesToShow, strings.Count(lines, "approved"))
}

// A tombstone names the rules of its verdict; the board says which product each was about.
func TestReader_SaysWhichProductARuleNamed(t *testing.T) {
	policy := config.Default().Policy
	policy.RulesFile = hazards.Name
	set, err := policy.CompileRules()
	require.NoError(t, err)
	reader, err := newReader(set)
	require.NoError(t, err)
	value, err := schema.NewCodec(schema.DefaultLimits(), nil).EncodeTombstone(&schema.Tombstone{PlacementID: "p", Theme: "Nut-free kids' birthday", Violations: []schema.Scored{
		{ProductID: "a", Title: "Cashews, roasted", Severe: 0.99}, {ProductID: "b", Title: "Smirnoff Ice Original, 6 pk", Severe: 0.1, Relevant: 0.9},
	}})
	require.NoError(t, err)
	headers := map[string]string{processor.HeaderVerdict: "severe"}
	read, ok, err := reader.read(&kgo.Record{Key: []byte("p"), Value: value}, headers)
	require.NoError(t, err)
	require.True(t, ok)
	require.Empty(t, read.products[0].rule)
	require.Equal(t, "no-alcohol", read.products[1].rule)

	_, ok, err = reader.read(&kgo.Record{Key: []byte("p")}, headers)
	require.NoError(t, err)
	require.False(t, ok, "the null that withdraws an approval is no verdict")
	_, _, err = reader.read(&kgo.Record{Key: []byte("p"), Value: []byte("x")}, headers)
	require.ErrorContains(t, err, "verdict of p")
}
