package gate

import (
	"cmp"
	"slices"
)

// cut sorts items by length and cuts them into batches whose padded size, rows times the longest row, stays within
// budget. An item longer than budget gets a batch of its own. The longest batches come first: they take longest, so
// starting with them leaves the workers the least to wait for at the end.
func cut(items []item, budget int) [][]item {
	sorted := slices.Clone(items)
	slices.SortStableFunc(sorted, func(a, b item) int { return cmp.Compare(len(b.ids), len(a.ids)) })
	var batches [][]item
	for len(sorted) > 0 {
		rows := min(max(budget/max(len(sorted[0].ids), 1), 1), len(sorted))
		batches = append(batches, sorted[:rows])
		sorted = sorted[rows:]
	}
	return batches
}
