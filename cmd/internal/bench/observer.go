//go:build cgo

package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/winnowgate/winnow/cmd/internal/config"
	"github.com/winnowgate/winnow/processor"
	"github.com/winnowgate/winnow/processor/kafka"
)

// observer reads the committed verdicts, as their consumers do.
type observer struct {
	client *kgo.Client
	seen   map[string]time.Time // when a candidate's verdict could be read, by the candidate's position
}

func openObserver(ctx context.Context, connection kafka.Connection, topics config.Topics) (*observer, error) {
	client, err := connection.Client(ctx, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeTopics(topics.Approved, topics.Tombstones, topics.Review, topics.DeadLetter))
	if err != nil {
		return nil, err
	}
	return &observer{client: client, seen: map[string]time.Time{}}, nil
}

// collect reads until so many more candidates have a verdict. A second verdict is an error.
func (o *observer) collect(ctx context.Context, candidates int) error {
	for wanted := len(o.seen) + candidates; len(o.seen) < wanted; {
		fetches := o.client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%d of %d candidates have no verdict: %w", wanted-len(o.seen), candidates, err)
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read verdicts: %w", err)
		}
		now := time.Now()
		for _, record := range fetches.Records() {
			source, isVerdict := sourceOf(record)
			if !isVerdict {
				continue
			}
			if _, again := o.seen[source]; again {
				return fmt.Errorf("the candidate at %s has two verdicts", source)
			}
			o.seen[source] = now
		}
	}
	return nil
}

// ages returns how old each published candidate was when its verdict could be read.
func (o *observer) ages(published []*kgo.Record) ([]time.Duration, error) {
	ages := make([]time.Duration, len(published))
	for i, record := range published {
		source := fmt.Sprintf("%s/%d/%d", record.Topic, record.Partition, record.Offset)
		seen, ok := o.seen[source]
		if !ok {
			return nil, fmt.Errorf("the candidate at %s has no verdict", source)
		}
		ages[i] = seen.Sub(record.Timestamp)
	}
	return ages, nil
}

// sourceOf returns the position of the candidate that record is about. The null that withdraws an approval is no verdict: it
// goes with one elsewhere.
func sourceOf(record *kgo.Record) (source string, isVerdict bool) {
	verdict := ""
	for _, header := range record.Headers {
		switch header.Key {
		case processor.HeaderSource:
			source = string(header.Value)
		case processor.HeaderVerdict:
			verdict = string(header.Value)
		}
	}
	return source, record.Value != nil || verdict == processor.VerdictDeadLetter
}
