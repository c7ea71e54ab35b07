package kafka

import (
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// rejection blames one record that the broker will never take. It implements processor.Rejection.
type rejection struct {
	record *kgo.Record
	err    error
}

func (r *rejection) Error() string {
	return fmt.Sprintf("topic %s refuses a record of %d bytes: %v", r.record.Topic, len(r.record.Value), r.err)
}

func (r *rejection) Unwrap() error { return r.err }

func (r *rejection) Rejected() *kgo.Record { return r.record }

// results gathers what became of produced records. kgo calls promise for every record before Flush returns.
type results struct {
	mu    sync.Mutex
	first error
}

func (r *results) promise(record *kgo.Record, err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first == nil {
		r.first = classify(record, err)
	}
}

func classify(record *kgo.Record, err error) error {
	if errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.InvalidRecord) {
		return &rejection{record, err}
	}
	return fmt.Errorf("produce to %s: %w", record.Topic, err)
}

// err returns the first failure.
func (r *results) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.first
}
