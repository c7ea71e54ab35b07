package schema

import (
	"testing"
	"time"

	hamba "github.com/hamba/avro/v2"
	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"pgregory.net/rapid"
)

func text(name string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string { return rapid.StringN(0, 20, -1).Draw(t, name) })
}

func someAttributes() *rapid.Generator[map[string]string] {
	return rapid.MapOfN(text("key"), text("value"), 0, 3)
}

func candidates() *rapid.Generator[Candidate] {
	return rapid.Custom(func(t *rapid.T) Candidate {
		candidate := Candidate{
			PlacementID: text("id").Draw(t, "id"),
			Theme:       text("theme").Draw(t, "theme"),
			Products: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Product {
				return Product{text("product").Draw(t, "product"), text("title").Draw(t, "title"), someAttributes().Draw(t, "attributes")}
			}), 1, 8).Draw(t, "products"),
		}
		if rapid.Bool().Draw(t, "has generator") {
			generator := text("generator").Draw(t, "generator")
			candidate.Generator = &generator
		}
		if rapid.Bool().Draw(t, "has time") {
			created := time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "millis")).UTC()
			candidate.CreatedAt = &created
		}
		return candidate
	})
}

// Generators and deployers may use another implementation: hamba/avro reads what we write and we read what it writes.
func TestCandidate_SameBytesAsTheOtherImplementation(t *testing.T) {
	other := hamba.MustParse(Definition("candidate"))
	rapid.Check(t, func(t *rapid.T) {
		want := candidates().Draw(t, "candidate")
		ours, err := candidateSchema.Encode(&want)
		require.NoError(t, err)
		var read Candidate
		require.NoError(t, hamba.Unmarshal(other, ours, &read))
		require.Equal(t, want, read)

		theirs, err := hamba.Marshal(other, want)
		require.NoError(t, err)
		var back Candidate
		rest, err := candidateSchema.Decode(theirs, &back)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, want, back)
	})
}

func TestVerdicts_TheOtherImplementationReadsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Float64Range(0, 1)
		products := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Scored {
			return Scored{text("p").Draw(t, "p"), text("t").Draw(t, "t"), number.Draw(t, "r"), number.Draw(t, "w"), number.Draw(t, "s"), someAttributes().Draw(t, "attributes")}
		}), 1, 5).Draw(t, "products")
		decision := Decision{"id", time.UnixMilli(1).UTC(), "m", "p", "cpu"}
		review := Review{"p", "t", products, []Pruned{{"x", "y", "weak", number.Draw(t, "r"), 0.5, 0, someAttributes().Draw(t, "attributes")}}, []string{"uncertain"}, nil, decision}
		requireOtherReads(t, reviewSchema, &review)
		requireOtherReads(t, approvedSchema, &Approved{"p", "t", products, review.Pruned, nil, decision})
		requireOtherReads(t, tombstoneSchema, &Tombstone{"p", "t", products, nil, decision})
	})
}

func requireOtherReads[T any](t *rapid.T, schema *avro.Schema, want *T) {
	data, err := schema.Encode(want)
	require.NoError(t, err)
	var got T
	require.NoError(t, hamba.Unmarshal(hamba.MustParse(schema.String()), data, &got))
	require.Equal(t, *want, got)
}
