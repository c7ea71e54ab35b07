package onnx

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/winnowgate/winnow/model"
)

func TestDefaultBuckets_EndAtTheLongestPairAndPadLittle(t *testing.T) {
	require.Equal(t, []int{16, 24, 32, 48, 64, 96, 128}, DefaultBuckets(128))
	require.Equal(t, []int{16, 24, 32, 48, 64, 96, 100}, DefaultBuckets(100))
	require.Equal(t, []int{5}, DefaultBuckets(5))
	rapid.Check(t, func(t *rapid.T) {
		maxTokens := rapid.IntRange(5, 512).Draw(t, "max tokens")
		buckets := DefaultBuckets(maxTokens)
		require.NoError(t, checkBuckets(buckets, maxTokens))
		for i := range buckets[1:] {
			require.LessOrEqual(t, 2*buckets[i+1], 3*buckets[i])
		}
	})
}

func TestBucketOf_IsTheShortestThatHoldsTheLength(t *testing.T) {
	buckets := []int{16, 24, 32}
	for length, want := range map[int]int{1: 16, 16: 16, 17: 24, 32: 32} {
		place, bucket, err := bucketOf(buckets, length)
		require.NoError(t, err)
		require.Equal(t, want, bucket)
		require.Equal(t, want, buckets[place])
	}
	_, _, err := bucketOf(buckets, 33)
	require.ErrorContains(t, err, "33 tokens a row is longer than the engine's longest bucket, 32")
	_, length, err := bucketOf(nil, 33)
	require.NoError(t, err)
	require.Equal(t, 33, length, "without buckets any length will do")
}

// Every pair is in one batch, and every batch fits once it is padded to its bucket.
func TestCut_PutsEachPairIntoOneBatchThatFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pairs := rapid.SliceOf(rapid.Custom(func(t *rapid.T) []int64 { return make([]int64, rapid.IntRange(1, 128).Draw(t, "length")) })).Draw(t, "pairs")
		buckets := rapid.SampledFrom([][]int{nil, DefaultBuckets(128)}).Draw(t, "buckets")
		tokens := rapid.IntRange(128, 4096).Draw(t, "budget")
		batches, err := cut(pairs, buckets, tokens)
		require.NoError(t, err)
		var seen []int
		for _, batch := range batches {
			_, length, err := bucketOf(buckets, len(pairs[batch[0]]))
			require.NoError(t, err)
			require.LessOrEqual(t, len(batch)*length, tokens)
			seen = append(seen, batch...)
		}
		slices.Sort(seen)
		require.Len(t, slices.Compact(seen), len(pairs))
	})
	_, err := cut([][]int64{make([]int64, 129)}, DefaultBuckets(128), 1024)
	require.ErrorContains(t, err, "129 tokens")
}

// A GPU's workers stand apart, two unless told otherwise; the CPU's share the processors.
func TestLayoutOf_SuitsTheProvider(t *testing.T) {
	config := Config{Threads: 1, Buckets: []int{16, 32}}
	require.Equal(t, layout{workers: 2, lengths: []int{16, 32}, apart: true}, config.layoutOf(model.TensorRT))
	require.Equal(t, layout{workers: 2, apart: true}, config.layoutOf(model.CUDA))
	require.GreaterOrEqual(t, config.layoutOf(model.CPU).workers, 1)
	config.Workers = 3
	require.Equal(t, layout{workers: 3}, config.layoutOf(model.CPU))
	require.Equal(t, 3, config.layoutOf(model.CUDA).workers)
	config.Workers, config.Threads = 0, 1<<20
	require.Equal(t, 1, config.layoutOf(model.CPU).workers, "all processors work on one batch")
}

func TestLargest_FillsTheBudgetOfEveryBucket(t *testing.T) {
	require.Equal(t, []shape{{64, 16}, {8, 128}}, largest([]int{16, 128}, 128, 1024))
	require.Equal(t, []shape{{8, 128}}, largest(nil, 128, 1024))
}

// Two sessions that end in the same second must not write the same file.
func TestProfileOf_IsDifferentForEachSession(t *testing.T) {
	config := Config{Profile: "/tmp/p"}
	require.Equal(t, "/tmp/p", config.profileOf(layout{}, 0, 0))
	require.Equal(t, "/tmp/p-worker1-length32", config.profileOf(layout{apart: true}, 1, 32))
	require.Equal(t, "/tmp/p-worker0", config.profileOf(layout{apart: true}, 0, 0))
	require.Empty(t, Config{}.profileOf(layout{apart: true}, 1, 32))
}
