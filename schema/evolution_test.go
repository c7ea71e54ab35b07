package schema

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
)

var records = []string{"candidate", "approved", "tombstone", "review"}

func frozen(t *testing.T, version, name string) *avro.Schema {
	t.Helper()
	text, err := os.ReadFile("testdata/" + version + "/" + name + ".avsc")
	require.NoError(t, err)
	parsed, err := avro.Parse(string(text))
	require.NoError(t, err)
	return parsed
}

func golden(t *testing.T, version, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + version + "/" + name + ".bin")
	require.NoError(t, err)
	return data
}

// A reader of this version reads every byte that an earlier one wrote, and whoever reads with an earlier schema what this one
// writes: the frozen copies in testdata never change.
func TestSchemas_OldWritersAndOldReadersGoOn(t *testing.T) {
	for _, name := range records {
		current := avro.MustParse(Definition(name))
		require.NoError(t, avro.CheckCompatibility(frozen(t, "v1", name), current), "%s: v1 to v2", name)
		require.NoError(t, avro.CheckCompatibility(current, frozen(t, "v1", name)), "%s: v2 to v1", name)
		require.Equal(t, string(frozen(t, "v2", name).Canonical()), string(current.Canonical()), "%s differs from the frozen copy of v2", name)
	}
}

// A generator that has not moved on is read as before: its products have no attributes.
func TestCodec_ReadsACandidateOfV1(t *testing.T) {
	want := sample()
	for i := range want.Products {
		want.Products[i].Attributes = map[string]string{}
	}
	got, err := NewCodec(DefaultLimits(), nil).DecodeCandidate(t.Context(), golden(t, "v1", "candidate"))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestDecodeTombstone_ReadsBothVersions(t *testing.T) {
	for _, version := range []string{"v1", "v2"} {
		tombstone, err := DecodeTombstone(golden(t, version, "tombstone"))
		require.NoError(t, err)
		require.Equal(t, "p-1", tombstone.PlacementID)
		require.InDelta(t, 0.05, tombstone.Violations[0].Severe, 0)
	}
	_, err := DecodeTombstone(golden(t, "v1", "review"))
	requireClass(t, err, ClassUnknownSchema)
}

// What a verdict gained since v1 is a default to whoever reads an old one, and invisible to an old reader.
func TestReview_IsReadAcrossVersions(t *testing.T) {
	forward, err := avro.Resolve(frozen(t, "v1", "review"), reviewSchema)
	require.NoError(t, err)
	var old Review
	_, err = forward.DecodeSingleObject(golden(t, "v1", "review"), &old)
	require.NoError(t, err)
	require.Equal(t, []Pruned{{ProductID: "b", Title: "Crème fraîche 🥐", Reason: "weak", Attributes: map[string]string{}}}, old.Pruned)

	backward, err := avro.Resolve(reviewSchema, frozen(t, "v1", "review"))
	require.NoError(t, err)
	var seen Review
	_, err = backward.DecodeSingleObject(golden(t, "v2", "review"), &seen)
	require.NoError(t, err)
	require.Equal(t, []Pruned{{ProductID: "b", Title: "Crème fraîche 🥐", Reason: "weak"}}, seen.Pruned)
	require.InDelta(t, 0.75, seen.Products[0].Relevant, 0)
}

// The control of the test above: a field without a default is refused, with a default it is not.
func TestSchemas_AFieldWithoutADefaultIsIncompatible(t *testing.T) {
	with := func(field string) *avro.Schema {
		return avro.MustParse(strings.Replace(Definition("candidate"), `"fields": [`, `"fields": [`+field+`,`, 1))
	}
	require.Error(t, avro.CheckCompatibility(candidateSchema, with(`{"name": "market", "type": "string"}`)))
	require.NoError(t, avro.CheckCompatibility(candidateSchema, with(`{"name": "market", "type": "string", "default": ""}`)))
}
