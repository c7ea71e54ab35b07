//go:build cgo

// Package demo shows the whole job on one machine: an embedded broker, real candidates, the gate as it runs in
// production, and a reader of the verdicts that counts every one.
package demo

import (
	"context"
	"fmt"
	"io"
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

const partitions = 6

// Summary is what a run came to; its JSON is part of the command's contract.
type Summary struct {
	Candidates     int     `json:"candidates"`
	Approved       int     `json:"approved"`
	Severe         int     `json:"severe"`
	Review         int     `json:"review"`
	DeadLetter     int     `json:"dead_letter"`
	Pairs          int     `json:"pairs"`
	Seconds        float64 `json:"seconds"` // from the first candidate published to the last verdict committed
	PairsPerSecond float64 `json:"pairs_per_second"`
	Model          string  `json:"model"`
	Provider       string  `json:"provider"`
}

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

// Run streams placements through the gate and returns the summary. Progress goes to out.
func Run(ctx context.Context, settings config.Config, placements int, out io.Writer, logger *zap.Logger) (Summary, error) {
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

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return app.Run(ctx, settings, logger) })
	var summary Summary
	group.Go(func() error {
		defer cancel() // all verdicts are in: the gate stops
		var err error
		summary, err = stream(ctx, settings, placements, out, logger)
		return err
	})
	err = group.Wait()
	return summary, err
}

// stream publishes the candidates and reads until each has its verdict.
func stream(ctx context.Context, settings config.Config, placements int, out io.Writer, logger *zap.Logger) (Summary, error) {
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

	started := time.Now()
	published, err := publish(ctx, producer, settings, placements)
	if err != nil {
		return Summary{}, err
	}
	board := newBoard(out, placements)
	for board.decided() < placements {
		fetches := observer.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return board.summary, &InterruptedError{board.decided(), placements, err}
		}
		if err := fetches.Err(); err != nil {
			return board.summary, fmt.Errorf("read verdicts: %w", err)
		}
		for _, record := range fetches.Records() {
			if err := board.record(record); err != nil {
				return board.summary, err
			}
		}
		board.progress()
	}
	board.summary.Candidates, board.summary.Pairs = placements, published
	board.summary.Seconds = time.Since(started).Seconds()
	board.summary.PairsPerSecond = float64(published) / board.summary.Seconds
	return board.summary, nil
}

// publish produces the candidates and returns how many pairs the readable ones hold.
func publish(ctx context.Context, producer *kgo.Client, settings config.Config, placements int) (pairs int, err error) {
	generator, err := NewGenerator("placement", 1)
	if err != nil {
		return 0, err
	}
	codec := schema.NewCodec(settings.Limits, nil)
	records := make([]*kgo.Record, 0, placements)
	for range placements {
		record, truth, err := generator.NextRecord(codec, settings.Topics.Candidates)
		if err != nil {
			return 0, err
		}
		records, pairs = append(records, record), pairs+len(truth)
	}
	if err := producer.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return 0, fmt.Errorf("publish candidates: %w", err)
	}
	return pairs, nil
}
