package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// SessionConfig is one lane's place in the group.
type SessionConfig struct {
	Group           string
	Topic           string
	TransactionalID string // stable over restarts and unique in the cluster; a successor fences its predecessor by it
	PollRecords     int    // most records of one poll
	// MaxMessageBytes is what each output topic takes (TopicLimits). Batches are cut to it, so that a record that is too
	// large is refused alone, before it could take its neighbours with it.
	MaxMessageBytes map[string]int32
}

// maxMessageBytes is for a topic whose limit is not known: a little below the brokers' default.
const maxMessageBytes = 1_000_000

func (c SessionConfig) limit(topic string) int32 {
	if limit, ok := c.MaxMessageBytes[topic]; ok {
		return limit
	}
	return maxMessageBytes
}

// Transact delivers exactly once: a poll's outputs and its offsets become visible together, in one transaction.
type Transact struct {
	Assignment

	session *kgo.GroupTransactSession
	config  SessionConfig
}

// NewTransact joins the group, and fences whatever process used the transactional id before: what that left open is aborted
// now, not when its timeout ends. The caller must Close the session.
func NewTransact(ctx context.Context, connection Connection, config SessionConfig) (*Transact, error) {
	options, err := connection.options()
	if err != nil {
		return nil, err
	}
	transact := &Transact{config: config}
	options = append(options, consumerOptions(config, &transact.Assignment)...)
	options = append(options, kgo.TransactionalID(config.TransactionalID))
	if transact.session, err = kgo.NewGroupTransactSession(options...); err != nil {
		return nil, fmt.Errorf("kafka session %s: %w", config.TransactionalID, err)
	}
	if _, _, err := transact.session.Client().ProducerID(ctx); err != nil {
		transact.session.Close()
		return nil, transact.explain("initialise", err)
	}
	return transact, nil
}

// Poll implements processor.Session.
func (t *Transact) Poll(ctx context.Context) ([]*kgo.Record, error) {
	return poll(ctx, func() kgo.Fetches { return t.session.PollRecords(ctx, t.config.PollRecords) })
}

// Finish implements processor.Session. The transaction begins only here: its timeout counts from the first produced
// record, so scoring, however slow, can't exhaust it.
func (t *Transact) Finish(ctx context.Context, out []*kgo.Record) (bool, error) {
	if err := t.session.Begin(); err != nil {
		return false, t.explain("begin", err)
	}
	var results results
	for _, record := range out {
		t.session.Produce(ctx, record, results.promise)
	}
	if err := t.session.Client().Flush(ctx); err != nil {
		return false, t.explain("flush", err)
	}
	// Committing is decided by what became of the outputs: End itself would commit the offsets even if one was lost.
	rejected := results.err()
	committed, err := t.session.End(ctx, kgo.TransactionEndTry(rejected == nil))
	if err != nil {
		return false, t.explain("end", err)
	}
	if rejected != nil {
		return false, rejected
	}
	return committed, nil
}

func (t *Transact) explain(step string, err error) error {
	err = fmt.Errorf("%s transaction %s: %w", step, t.config.TransactionalID, err)
	if errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) {
		return fmt.Errorf("%w: another process has taken over this transactional id, or this one paused beyond the transaction timeout; nothing was lost, restart it, and give each replica its own kafka.replica", err)
	}
	return err
}

// Close leaves the group and closes the connections.
func (t *Transact) Close() { t.session.Close() }
