package schema

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// Decoding would merge or replace in silence: products by other products, two ids into one.
func TestCodec_RefusesJSONThatCanBeReadInTwoWays(t *testing.T) {
	codec := NewCodec(DefaultLimits(), nil)
	placement := func(inside string) string {
		return `{"placement_id":"p","theme":"t","products":[{"product_id":"a","title":"x"}]` + inside + `}`
	}
	for name, line := range map[string]string{
		"a list twice":               placement(`,"products":[{"product_id":"c"}]`),
		"in other letters":           placement(`,"PRODUCTS":[{"product_id":"c"}]`),
		"in letters that fold":       placement(`,"product\u017f":[{"product_id":"c"}]`),
		"by an escape":               placement(`,"them\u0065":"u"`),
		"with the same value":        placement(`,"theme":"t"`),
		"with null":                  placement(`,"theme":null`),
		"in a product":               `{"placement_id":"p","theme":"t","products":[{"product_id":"b","title":"y"},{"title":"x","product_id":"a","title":"x"}]}`,
		"the high half alone":        placement(`,"generator":"g\ud83e"`),
		"the low half alone":         placement(`,"generator":"\udd50"`),
		"the halves the wrong way":   placement(`,"generator":"\udd50\ud83e"`),
		"the high half twice":        placement(`,"generator":"\ud83e\ud83e\udd50"`),
		"the halves apart":           placement(`,"generator":"\ud83e \udd50"`),
		"half behind a backslash":    placement(`,"generator":"\\\ud83e"`),
		"half before a short escape": placement(`,"generator":"\uD83E\n"`),
		"half in the id":             `{"placement_id":"p\ud800","theme":"t","products":[{"product_id":"a","title":"x"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			candidate, err := codec.DecodeCandidateJSON([]byte(line))
			requireClass(t, err, ClassInvalid)
			require.Empty(t, candidate)
		})
	}
}

func TestCodec_ReadsWholeSurrogatesAndKeysThatRecurInOtherObjects(t *testing.T) {
	codec := NewCodec(DefaultLimits(), nil)
	candidate, err := codec.DecodeCandidateJSON([]byte(`{"placement_id":"p","theme":"\\ud800 \ud83e\uDD50","products":[{"product_id":"a","title":"x"},{"product_id":"b","title":"y"}],"generator":"products"}`))
	require.NoError(t, err)
	require.Equal(t, `\ud800 🥐`, candidate.Theme)
	require.Len(t, candidate.Products, 2)
}

// Whatever decodes says the same when it is written and decoded again: nothing was lost, nothing merged.
func FuzzDecodeCandidateJSON(f *testing.F) {
	codec := NewCodec(DefaultLimits(), nil)
	f.Add([]byte(`{"placement_id":"p","theme":"t","products":[{"product_id":"a","title":"\ud83e\udd50"}],"generator":null}`))
	f.Add([]byte(`{"placement_id":"p","products":[{"product_id":"a","title":"x"}],"Products":[{"product_id":"c"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		candidate, err := codec.DecodeCandidateJSON(data)
		if err != nil {
			var blame *Error
			require.ErrorAs(t, err, &blame)
			return
		}
		again, err := json.Marshal(candidate)
		require.NoError(t, err)
		repeated, err := codec.DecodeCandidateJSON(again)
		require.NoError(t, err)
		require.Equal(t, candidate, repeated)
	})
}
