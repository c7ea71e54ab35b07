package gate

import (
	"context"
	"errors"
	"sync"

	"github.com/winnowgate/winnow/model"
)

// request is what one Judge waits for.
type request struct {
	sequence  uint64 // requests are served in this order
	scores    []score
	remaining int // items that are pending or being scored
	err       error
	done      chan struct{} // closed once remaining is 0 or err is set
}

// scheduler scores the items of all lanes, batch after batch: whenever a worker is free and anything is pending it starts,
// with what there is by then. So latency at a low rate is that of one batch, and under load batches are full.
type scheduler struct {
	score    func(ctx context.Context, batch []item, length int) error
	budget   int // padded tokens of one batch
	capacity int // padded tokens that may be pending; adding more waits

	mu       sync.Mutex
	pending  *pending
	sequence uint64
	closed   bool
	arrived  sync.Cond // items, or closed
	left     sync.Cond // items, or closed

	stop    context.CancelFunc
	workers sync.WaitGroup
}

// newScheduler starts workers that only close joins.
func newScheduler(workers int, pending *pending, budget, capacity int, score func(context.Context, []item, int) error) *scheduler {
	ctx, stop := context.WithCancel(context.Background())
	s := &scheduler{score: score, budget: budget, capacity: capacity, pending: pending, stop: stop}
	s.arrived.L, s.left.L = &s.mu, &s.mu
	for range workers {
		s.workers.Go(func() { s.work(ctx) })
	}
	return s
}

// waiting returns how many padded tokens are pending.
func (s *scheduler) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending.tokens
}

// close stops the batches that run, fails the requests that wait with model.ErrClosed, and joins the workers.
func (s *scheduler) close() {
	s.mu.Lock()
	s.closed = true
	s.arrived.Broadcast()
	s.left.Broadcast()
	s.mu.Unlock()
	s.stop()
	s.workers.Wait()
}

// open returns a request over scores that all pairs of its items index.
func (s *scheduler) open(scores []score) *request {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sequence++
	// One more than its items, until wait: what is scored while the rest is tokenized must not end it.
	return &request{sequence: s.sequence, scores: scores, remaining: 1, done: make(chan struct{})}
}

// add hands items of request over, once there is room for them.
func (s *scheduler) add(ctx context.Context, request *request, items []item) error {
	for i := range items {
		items[i].request = request
	}
	wake := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.left.Broadcast()
	})
	defer wake()
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(items) > 0 && s.pending.tokens >= s.capacity && !s.closed && ctx.Err() == nil && request.err == nil {
		s.left.Wait()
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case s.closed:
		return model.ErrClosed
	case request.err != nil:
		return request.err
	}
	request.remaining += len(items)
	s.pending.add(items)
	s.arrived.Broadcast()
	return nil
}

// wait returns once every item of request is scored, or can't be.
func (s *scheduler) wait(ctx context.Context, request *request) error {
	s.mu.Lock()
	s.finished(request, 1)
	s.mu.Unlock()
	select {
	case <-request.done:
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return request.err
	case <-ctx.Done():
		s.abandon(request, ctx.Err())
		return ctx.Err()
	}
}

// abandon takes what is pending of request back. A batch that runs already ends for nothing.
func (s *scheduler) abandon(request *request, reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail(request, reason)
}

// finished counts items off; mu is held.
func (s *scheduler) finished(request *request, items int) {
	request.remaining -= items
	if request.remaining == 0 && request.err == nil {
		close(request.done)
	}
}

// fail ends a request before its time; mu is held.
func (s *scheduler) fail(request *request, reason error) {
	if request.err != nil || request.remaining == 0 {
		return
	}
	request.err = reason
	close(request.done)
	s.pending.forget(request)
	s.left.Broadcast()
}

func (s *scheduler) work(ctx context.Context) {
	for {
		batch, length, ok := s.take()
		if !ok {
			return
		}
		err := s.score(ctx, batch, length)
		if ctx.Err() != nil || errors.Is(err, model.ErrClosed) {
			err = model.ErrClosed // not the batch's fault
		}
		s.settle(batch, err)
	}
}

// take waits for the next batch; ok is false once the scheduler closes.
func (s *scheduler) take() (batch []item, length int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.pending.items == 0 && !s.closed {
		s.arrived.Wait()
	}
	if s.closed {
		for batch, _ := s.pending.next(s.budget); len(batch) > 0; batch, _ = s.pending.next(s.budget) {
			for _, item := range batch {
				s.fail(item.request, model.ErrClosed)
			}
		}
		return nil, 0, false
	}
	batch, length = s.pending.next(s.budget)
	s.left.Broadcast()
	return batch, length, true
}

func (s *scheduler) settle(batch []item, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, item := range batch {
		if err != nil {
			s.fail(item.request, err)
			continue
		}
		s.finished(item.request, 1)
	}
}
