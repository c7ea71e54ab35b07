package model

import "errors"

// ErrClosed is what scoring returns once its engine closes: no fault of the pairs in hand.
var ErrClosed = errors.New("the scoring engine is closed")

// Batch is a rectangle of token ids, ready for the graph: Rows pairs padded to Length tokens, row after row.
type Batch struct {
	Rows   int
	Length int
	IDs    []int64 // Rows * Length token ids
	Mask   []int64 // Rows * Length: 1 where IDs holds a token, 0 where it is padding
}

// NewBatch pads pairs to the longest of them. pairs must not be empty.
func (m *Manifest) NewBatch(pairs [][]int64) Batch {
	length := 0
	for _, pair := range pairs {
		length = max(length, len(pair))
	}
	return m.PadBatch(pairs, length)
}

// PadBatch pads pairs to length, which none of them exceeds. pairs must not be empty.
func (m *Manifest) PadBatch(pairs [][]int64, length int) Batch {
	batch := Batch{Rows: len(pairs), Length: length, IDs: make([]int64, 0, len(pairs)*length), Mask: make([]int64, len(pairs)*length)}
	for row, pair := range pairs {
		batch.IDs = append(batch.IDs, pair...)
		for column := range length {
			if column < len(pair) {
				batch.Mask[row*length+column] = 1
			} else {
				batch.IDs = append(batch.IDs, m.SpecialTokens.PAD)
			}
		}
	}
	return batch
}
