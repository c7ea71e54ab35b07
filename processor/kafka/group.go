package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Group delivers at least once: outputs are durable before offsets are committed, and a crash in between repeats them.
type Group struct {
	Assignment

	client *kgo.Client
	config SessionConfig
	polled []*kgo.Record // the poll in hand
}

// NewGroup joins the group. The caller must Close the session.
func NewGroup(connection Connection, config SessionConfig) (*Group, error) {
	options, err := connection.options()
	if err != nil {
		return nil, err
	}
	group := &Group{config: config}
	options = append(options, consumerOptions(config, &group.Assignment)...)
	options = append(options, kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll())
	if group.client, err = kgo.NewClient(options...); err != nil {
		return nil, fmt.Errorf("kafka session of group %s: %w", config.Group, err)
	}
	return group, nil
}

// Poll implements processor.Session.
func (g *Group) Poll(ctx context.Context) (records []*kgo.Record, err error) {
	g.polled, err = poll(ctx, func() kgo.Fetches {
		g.client.AllowRebalance() // of the poll before, when that returned nothing
		return g.client.PollRecords(ctx, g.config.PollRecords)
	})
	return g.polled, err
}

// Finish implements processor.Session.
func (g *Group) Finish(ctx context.Context, out []*kgo.Record) (bool, error) {
	defer g.client.AllowRebalance()
	var results results
	for _, record := range out {
		g.client.Produce(ctx, record, results.promise)
	}
	if err := g.client.Flush(ctx); err != nil {
		return false, fmt.Errorf("flush: %w", err)
	}
	if err := results.err(); err != nil {
		g.rewind()
		return false, err
	}
	err := g.client.CommitRecords(ctx, g.polled...)
	switch {
	case errors.Is(err, kerr.RebalanceInProgress), errors.Is(err, kerr.IllegalGeneration), errors.Is(err, kerr.UnknownMemberID):
		g.rewind() // whoever owns the partitions next, perhaps this session, is given the records again
		return false, nil
	case err != nil:
		return false, fmt.Errorf("commit offsets: %w", err)
	}
	return true, nil
}

// rewind makes the poll in hand the next one again.
func (g *Group) rewind() {
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for _, record := range g.polled {
		if offsets[record.Topic] == nil {
			offsets[record.Topic] = map[int32]kgo.EpochOffset{}
		}
		if _, ok := offsets[record.Topic][record.Partition]; !ok { // a partition's records come in order
			offsets[record.Topic][record.Partition] = kgo.EpochOffset{Epoch: record.LeaderEpoch, Offset: record.Offset}
		}
	}
	g.client.SetOffsets(offsets)
}

// Close leaves the group and closes the connections.
func (g *Group) Close() { g.client.CloseAllowingRebalance() }
