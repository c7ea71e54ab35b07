//go:build cgo

// Package demo shows the whole job on one machine: an embedded broker, candidates as a language model proposes them, the gate
// as it runs in production, and a reader of the verdicts that counts every one and holds it against the truth.
package demo

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/winnowgate/winnow/cmd/internal/app"
	"github.com/winnowgate/winnow/cmd/internal/config"
	hazards "github.com/winnowgate/winnow/deploy/rules"
	"github.com/winnowgate/winnow/processor/kafka"
	"github.com/winnowgate/winnow/schema"
)

const (
	partitions  = 6
	pollRecords = 16 // small transactions: verdicts come one after the other instead of all at the end
)

// InterruptedError is returned by Run when it was asked to stop before every candidate was decided.
type InterruptedError struct {
	Decided, Placements int
	Err                 error
}

func (e *InterruptedError) Error() string {
	return fmt.Sprintf("stopped with %d of %d candidates decided", e.Decided, e.Placements)
}

// Unwrap returns the context's error.
func (e *InterruptedError) Unwrap() error { return e.Err }

// Run streams placements through the gate and returns the summary. Verdicts are shown on screen as they come.
func Run(ctx context.Context, settings config.Config, placements int, screen Screen, logger *zap.Logger) (Summary, error) {
	names := make([]string, 0, 5)
	for _, topic := range settings.Topics.All() {
		names = append(names, topic.Name)
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, names...))
	if err != nil {
		return Summary{}, fmt.Errorf("embedded broker: %w", err)
	}
	defer cluster.Close()
	settings.Kafka.Brokers = cluster.ListenAddrs()
	settings.Kafka.TLS, settings.Kafka.SASL, settings.SchemaRegistry = kafka.TLS{}, kafka.SASL{}, config.SchemaRegistry{}
	settings.Admin.Listen = "127.0.0.1:0"
	settings.Policy.RulesFile = hazards.Name
	settings.Kafka.PollRecords = pollRecords

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return app.Run(ctx, settings, logger) })
	var summary Summary
	group.Go(func() error {
		defer cancel() // all verdicts are in: the gate stops
		var err error
		summary, err = stream(ctx, settings, placements, screen, logger)
		return err
	})
	err = group.Wait()
	return summary, err
}

// stream publishes the candidates and reads until each has its verdict.
func stream(ctx context.Context, settings config.Config, placements int, screen Screen, logger *zap.Logger) (Summary, error) {
	connection := app.Connection(settings, logger)
	producer, err := connection.Client(ctx)
	if err != nil {
		return Summary{}, err
	}
	defer producer.Close()
	observer, err := connection.Client(ctx, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeTopics(settings.Topics.Approved, settings.Topics.Tombstones, settings.Topics.Review, settings.Topics.DeadLetter))
	if err != nil {
		return Summary{}, err
	}
	defer observer.Close()

	set, err := settings.Policy.CompileRules()
	if err != nil {
		return Summary{}, err
	}
	reader, err := newReader(set)
	if err != nil {
		return Summary{}, err
	}
	started := time.Now()
	truths, err := publish(ctx, producer, settings, placements)
	if err != nil {
		return Summary{}, err
	}
	board := newBoard(screen, reader, truths, placements)
	for board.decided() < placements {
		fetches := observer.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return board.summary, &InterruptedError{board.decided(), placements, err}
		}
		if err := fetches.Err(); err != nil {
			return board.summary, fmt.Errorf("read verdicts: %w", err)
		}
		for _, record := range asProposed(fetches.Records()) {
			if err := board.record(record); err != nil {
				return board.summary, err
			}
		}
		board.progress()
	}
	return board.finish(time.Since(started)), nil
}

// asProposed orders what one poll returned, topic by topic, as the candidates were proposed: their keys count.
func asProposed(records []*kgo.Record) []*kgo.Record {
	slices.SortStableFunc(records, func(a, b *kgo.Record) int { return bytes.Compare(a.Key, b.Key) })
	return records
}

// publish produces the candidates and returns the truth of those that can be read, by placement_id.
func publish(ctx context.Context, producer *kgo.Client, settings config.Config, placements int) (map[string]Truth, error) {
	generator, err := NewGenerator("placement", 1)
	if err != nil {
		return nil, err
	}
	codec, truths := schema.NewCodec(settings.Limits, nil), map[string]Truth{}
	records := make([]*kgo.Record, 0, placements)
	for range placements {
		record, truth, err := generator.NextRecord(codec, settings.Topics.Candidates)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
		if truth != nil {
			truths[string(record.Key)] = truth
		}
	}
	if err := producer.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return nil, fmt.Errorf("publish candidates: %w", err)
	}
	return truths, nil
}
