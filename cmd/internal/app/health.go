//go:build cgo

package app

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/winnowgate/winnow/processor"
)

// What a starting process waits for, in order, as /readyz names it.
const (
	waitModel      = "the model is not loaded"
	waitTopics     = "the brokers and topics are not checked"
	waitSchemas    = "the schemas are not checked"
	waitAssignment = "the consumer group has not assigned partitions"
)

// stuckAfter is far above what one poll takes: 256 placements of 20 products are 5,120 pairs, a minute at 85 pairs/s.
const stuckAfter = 5 * time.Minute

// health answers the admin endpoint's questions.
type health struct {
	mu      sync.Mutex
	pending []string
	lanes   []session
	runners []*processor.Runner
}

func newHealth() *health {
	return &health{pending: []string{waitModel, waitTopics, waitSchemas, waitAssignment}}
}

func (h *health) done(wait string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending = slices.DeleteFunc(h.pending, func(pending string) bool { return pending == wait })
}

func (h *health) watch(lanes []session, runners []*processor.Runner) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lanes, h.runners = lanes, runners
}

// NotReady lists what is still waited for.
func (h *health) NotReady() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	pending := slices.Clone(h.pending)
	for _, lane := range h.lanes {
		if joined, _ := lane.Joined(); joined {
			return slices.DeleteFunc(pending, func(wait string) bool { return wait == waitAssignment })
		}
	}
	return pending
}

// NotLive lists the lanes that make no progress. A lane that waits for records is fine, however long.
func (h *health) NotLive() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var stuck []string
	for i, runner := range h.runners {
		if since, busy := runner.BusySince(); busy && time.Since(since) > stuckAfter {
			stuck = append(stuck, fmt.Sprintf("lane %d has worked on one poll for %s", i, time.Since(since).Round(time.Second)))
		}
	}
	return stuck
}
