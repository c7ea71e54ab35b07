//go:build cgo

package app

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/winnowgate/winnow/processor"
	"github.com/winnowgate/winnow/processor/gate"
)

// What a starting process waits for, in order, as /readyz names it.
const (
	waitModel      = "the model is not loaded"
	waitTopics     = "the brokers and topics are not checked"
	waitSchemas    = "the schemas are not checked"
	waitAssignment = "the consumer group has not assigned partitions"
)

// stuckAfter is far above what one batch takes to score and one transaction to end. A large poll may take longer as a
// whole, so a lane counts as stuck only when the gate has not scored anything for as long either.
const stuckAfter = 5 * time.Minute

// health answers the admin endpoint's questions.
type health struct {
	mu      sync.Mutex
	pending []string
	lanes   []session
	runners []*processor.Runner
	gate    *gate.Gate
}

func newHealth() *health {
	return &health{pending: []string{waitModel, waitTopics, waitSchemas, waitAssignment}}
}

func (h *health) done(wait string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending = slices.DeleteFunc(h.pending, func(pending string) bool { return pending == wait })
}

func (h *health) watch(gate *gate.Gate, lanes []session, runners []*processor.Runner) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gate, h.lanes, h.runners = gate, lanes, runners
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
		if since, busy := runner.BusySince(); busy && time.Since(since) > stuckAfter && time.Since(h.gate.LastScored()) > stuckAfter {
			stuck = append(stuck, fmt.Sprintf("lane %d has worked on one poll for %s", i, time.Since(since).Round(time.Second)))
		}
	}
	return stuck
}
