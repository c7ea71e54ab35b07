package processortest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	inputs = []Input{
		{Source: "c/0/0", Key: "a", Verdict: "approved"}, {Source: "c/0/1", Key: "b"},
		{Source: "c/0/2", Key: "a", Verdict: "severe"}, {Source: "c/0/3", Key: "c", Verdict: "dead-letter"},
	}
	perfect = []Output{
		{Topic: Approved, Key: "a", Source: "c/0/0", Verdict: "approved"}, {Topic: Approved, Key: "b", Source: "c/0/1", Verdict: "approved"},
		{Topic: Tombstones, Key: "a", Source: "c/0/2", Verdict: "severe"}, {Topic: Approved, Key: "a", Null: true, Source: "c/0/2", Verdict: "severe"},
		{Topic: DeadLetter, Key: "c", Null: true, Source: "c/0/3", Verdict: "dead-letter"},
	}
)

func TestVerify_AcceptsAPerfectRun(t *testing.T) {
	require.True(t, Verify(inputs, perfect).OK(), "%+v", Verify(inputs, perfect))
}

// The verifier's own control: each way to be wrong is found.
func TestVerify_FindsEachFault(t *testing.T) {
	without := func(at int) []Output { return append(append([]Output{}, perfect[:at]...), perfect[at+1:]...) }
	require.Equal(t, []string{"c/0/3"}, Verify(inputs, without(4)).Missing)
	require.Len(t, Verify(inputs, append(without(0), perfect[1], perfect[0])).Duplicate, 1)
	other := append([]Output{}, perfect...)
	other[0].Verdict = "review"
	require.Len(t, Verify(inputs, other).Wrong, 1)
	require.Len(t, Verify(inputs, without(3)).Wrong, 1, "a severe key that is still shown")
	never := []Input{{Source: "c/0/2", Key: "a", Verdict: "severe"}}
	require.Len(t, Verify(never, perfect[2:3]).Wrong, 1, "a severe key without a null")
	stranger := append(append([]Output{}, perfect...), Output{Topic: Approved, Key: "z", Source: "c/9/9", Verdict: "approved"})
	require.Len(t, Verify(inputs, stranger).Wrong, 1, "a verdict on what nobody proposed")
}
