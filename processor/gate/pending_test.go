package gate

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func itemsOf(request *request, lengths ...int) []item {
	items := make([]item, len(lengths))
	for i, length := range lengths {
		items[i] = item{pair: i, ids: make([]int64, length), request: request}
	}
	return items
}

// Whatever is added, in whatever steps, every item is in exactly one batch, padded to a length that the scorer takes, and
// rows times length keep the budget.
func TestPending_KeepsTheBudgetAndEveryItemOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var lengths []int
		if rapid.Bool().Draw(t, "bucketed") {
			lengths = []int{8, 16, 24, 40}
		}
		budget := rapid.IntRange(40, 200).Draw(t, "budget")
		waiting := newPending(lengths, 40)
		added := 0
		seen := map[*int64]bool{}
		drain := func(batches int) {
			for range batches {
				batch, length := waiting.next(budget)
				require.Equal(t, len(batch) == 0, length == 0)
				require.LessOrEqual(t, len(batch)*length, budget)
				if length > 0 && lengths != nil {
					require.Contains(t, lengths, length)
				}
				for _, item := range batch {
					require.LessOrEqual(t, len(item.ids), length)
					require.False(t, seen[&item.ids[0]])
					seen[&item.ids[0]] = true
				}
			}
		}
		for sequence := range rapid.IntRange(1, 5).Draw(t, "requests") {
			sizes := rapid.SliceOfN(rapid.IntRange(1, 40), 0, 60).Draw(t, "sizes")
			waiting.add(itemsOf(&request{sequence: uint64(sequence)}, sizes...))
			added += len(sizes)
			drain(rapid.IntRange(0, 4).Draw(t, "taken"))
		}
		drain(added)
		require.Len(t, seen, added)
		require.Zero(t, waiting.items)
		require.Zero(t, waiting.tokens)
	})
}

// However many long items younger requests bring, the oldest one's go first; its batch is filled with theirs.
func TestPending_TheOldestRequestLeads(t *testing.T) {
	old, young := &request{sequence: 1}, &request{sequence: 2}
	waiting := newPending(nil, 40)
	waiting.add(itemsOf(young, 40, 40, 12, 9))
	waiting.add(itemsOf(old, 5, 12))
	batch, length := waiting.next(48)
	require.Equal(t, 12, length)
	require.Len(t, batch, 4)
	require.Same(t, old, batch[0].request)
	require.Same(t, young, batch[1].request)
	require.Same(t, young, batch[2].request)
	require.Len(t, batch[2].ids, 9)
	require.Same(t, old, batch[3].request)
	batch, length = waiting.next(48)
	require.Equal(t, 40, length)
	require.Len(t, batch, 1)
}

func TestPending_ForgetsARequestWhole(t *testing.T) {
	gone, stays := &request{sequence: 1}, &request{sequence: 2}
	waiting := newPending(nil, 40)
	waiting.add(itemsOf(gone, 40, 7, 7))
	waiting.add(itemsOf(stays, 7, 3))
	waiting.forget(gone)
	require.Equal(t, 2, waiting.items)
	require.Equal(t, 10, waiting.tokens)
	batch, length := waiting.next(100)
	require.Equal(t, 7, length)
	require.Len(t, batch, 2)
}
