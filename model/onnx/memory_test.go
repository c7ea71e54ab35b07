//go:build cgo && !race

package onnx

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/winnowgate/winnow/model"
)

// 100,000 batches of varying shapes, and not a megabyte for every ten thousand of them.
func TestEngine_MemoryIsFlatOverAHundredThousandBatches(t *testing.T) {
	engine := openEngine(t, tiny(t), cpu())
	manifest := &model.Manifest{}
	var batches []model.Batch
	for rows := 1; rows <= 4; rows++ {
		for length := 5; length <= 20; length += 5 {
			batches = append(batches, manifest.NewBatch(append(make([][]int64, rows-1), make([]int64, length))))
		}
	}
	run := func(count int) {
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				for i := range count / 2 {
					if _, err := engine.Score(t.Context(), batches[i%len(batches)]); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
	}
	run(20_000)
	debug.FreeOSMemory() // what Go keeps for later is no leak
	before := residentKiB(t)
	run(80_000)
	debug.FreeOSMemory()
	require.Less(t, residentKiB(t)-before, 8<<10, "KiB grown over 80,000 batches")
}

func residentKiB(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			size, err := strconv.Atoi(fields[1])
			require.NoError(t, err)
			return size
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
