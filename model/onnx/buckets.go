package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// shape is what one batch measures.
type shape struct{ rows, length int }

// DefaultBuckets returns lengths up to maxTokens, each at most half as long again as the one before, so that padding
// never costs more than a third of a batch and the engines remain few.
func DefaultBuckets(maxTokens int) []int {
	var buckets []int
	for _, length := range []int{16, 24, 32, 48, 64, 96, 128, 192, 256, 384} {
		if length < maxTokens {
			buckets = append(buckets, length)
		}
	}
	return append(buckets, maxTokens)
}

func checkBuckets(buckets []int, maxTokens int) error {
	var problems []error
	previous := 0
	for _, length := range buckets {
		if length <= previous {
			problems = append(problems, fmt.Errorf("model.buckets holds %d after %d, must ascend from 1", length, previous))
		}
		previous = length
	}
	if previous != maxTokens {
		problems = append(problems, fmt.Errorf("model.buckets ends at %d, must end at the %d tokens of the bundle's longest pair", previous, maxTokens))
	}
	return errors.Join(problems...)
}

// bucketOf returns the place and the value of the shortest bucket that holds length.
func bucketOf(buckets []int, length int) (place, bucket int, err error) {
	if len(buckets) == 0 {
		return 0, length, nil
	}
	place, _ = slices.BinarySearch(buckets, length)
	if place == len(buckets) {
		return 0, 0, fmt.Errorf("a batch of %d tokens a row is longer than the engine's longest bucket, %d", length, buckets[place-1])
	}
	return place, buckets[place], nil
}

// largest returns the largest batch of each bucket, or of maxTokens where there are none.
func largest(buckets []int, maxTokens, batchTokens int) []shape {
	if len(buckets) == 0 {
		buckets = []int{maxTokens}
	}
	shapes := make([]shape, len(buckets))
	for i, length := range buckets {
		shapes[i] = shape{rows: batchTokens / length, length: length}
	}
	return shapes
}

// cut sorts pairs by length and cuts them into batches of indices, each within batchTokens once it is padded to its
// bucket.
func cut(pairs [][]int64, buckets []int, batchTokens int) ([][]int, error) {
	order := make([]int, len(pairs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(pairs[b]), len(pairs[a])) })
	var batches [][]int
	for len(order) > 0 {
		_, length, err := bucketOf(buckets, len(pairs[order[0]]))
		if err != nil {
			return nil, err
		}
		rows := min(max(batchTokens/length, 1), len(order))
		batches = append(batches, order[:rows])
		order = order[rows:]
	}
	return batches, nil
}
