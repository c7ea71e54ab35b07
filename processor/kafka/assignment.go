package kafka

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Assignment follows which partitions a session owns.
type Assignment struct {
	mu         sync.Mutex
	joined     bool
	partitions int
}

// Joined reports whether the group has answered with an assignment, be it empty, and how many partitions it is now.
func (a *Assignment) Joined() (joined bool, partitions int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.joined, a.partitions
}

func (a *Assignment) assigned(_ context.Context, _ *kgo.Client, added map[string][]int32) {
	a.change(added, +1)
}

func (a *Assignment) gone(_ context.Context, _ *kgo.Client, removed map[string][]int32) {
	a.change(removed, -1)
}

func (a *Assignment) change(topics map[string][]int32, sign int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.joined = true
	for _, partitions := range topics {
		a.partitions += sign * len(partitions)
	}
}
