package onnx

import (
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A worker's calls all come from one thread of the operating system, whichever goroutines ask for them.
func TestThread_IsOneThreadOfTheOperatingSystem(t *testing.T) {
	thread := startThread()
	defer thread.stop()
	seen := map[int]bool{}
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() { thread.do(func() { seen[syscall.Gettid()] = true }) })
	}
	callers.Wait()
	require.Len(t, seen, 1)
}

func TestThread_RunsEverythingInOrderAndEnds(t *testing.T) {
	thread := startThread()
	var order []int
	for i := range 100 {
		thread.do(func() { order = append(order, i) })
	}
	thread.stop()
	require.Len(t, order, 100)
	require.IsIncreasing(t, order)
}
