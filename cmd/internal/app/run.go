//go:build cgo

package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"
	"github.com/twmb/franz-go/plugin/kzap"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/winnowgate/winnow/cmd/internal/admin"
	"github.com/winnowgate/winnow/cmd/internal/config"
	"github.com/winnowgate/winnow/processor"
	"github.com/winnowgate/winnow/processor/kafka"
	"github.com/winnowgate/winnow/schema"
)

// finishTimeout bounds the end of a transaction, also while stopping. It is below the 40 s after which the broker aborts
// the transaction by itself.
const finishTimeout = 30 * time.Second

// session is what the app needs of a lane's session beyond what its runner does.
type session interface {
	processor.Session
	Joined() (joined bool, partitions int)
	Close()
}

// Run gates candidates until ctx ends, which is no error, or until a lane fails.
func Run(ctx context.Context, settings config.Config, logger *zap.Logger) (err error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	health := newHealth()
	dump, err := settings.Dump()
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	server, err := admin.Start(ctx, settings.Admin.Listen, health, registry, dump)
	if err != nil {
		return err
	}
	defer func() {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = nil // asked to stop while starting
		}
		err = errors.Join(err, server.Close())
	}()
	logger.Info("admin endpoint", zap.String("address", server.Address()))

	engine, err := OpenEngine(ctx, settings, logger, registry)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	health.done(waitModel)

	connection := Connection(settings, logger)
	client, err := connection.Client(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := kafka.CheckTopics(ctx, client, Topics(settings.Topics)); err != nil {
		return err
	}
	health.done(waitTopics)
	codec, err := Codec(ctx, settings)
	if err != nil {
		return err
	}
	health.done(waitSchemas)

	limits, err := kafka.TopicLimits(ctx, client, settings.Topics.Approved, settings.Topics.Tombstones, settings.Topics.Review, settings.Topics.DeadLetter)
	if err != nil {
		return err
	}
	lanes, err := openLanes(ctx, connection, settings, limits, registry)
	if err != nil {
		return err
	}
	defer closeLanes(lanes)
	metrics := processor.NewMetrics(registry)
	runners := make([]*processor.Runner, len(lanes))
	for i, lane := range lanes {
		runners[i] = processor.NewRunner(lane, engine.Gate, codec, processor.Config{
			Topics: processor.Topics{
				Approved: settings.Topics.Approved, Tombstones: settings.Topics.Tombstones,
				Review: settings.Topics.Review, DeadLetter: settings.Topics.DeadLetter,
			},
			Model: engine.Bundle.ID(), MaxDeadLetterShare: settings.Policy.MaxDeadLetterShare, FinishTimeout: finishTimeout,
		}, metrics)
	}
	health.watch(engine.Gate, lanes, runners)

	group, working := errgroup.WithContext(ctx)
	for i, runner := range runners {
		group.Go(func() error {
			if err := runner.Run(working); err != nil {
				return fmt.Errorf("lane %d: %w", i, err)
			}
			return nil
		})
	}
	group.Go(func() error {
		watchLag(working, client, settings, registry, logger)
		return nil
	})
	logger.Info("gating", zap.String("group", settings.Kafka.Group), zap.String("candidates", settings.Topics.Candidates), zap.Int("lanes", len(lanes)))
	err = group.Wait()
	logger.Info("stopping")
	return err
}

// Connection returns how settings reach the brokers.
func Connection(settings config.Config, logger *zap.Logger) kafka.Connection {
	return kafka.Connection{
		Brokers: settings.Kafka.Brokers, TLS: settings.Kafka.TLS, SASL: settings.Kafka.SASL,
		// franz-go reports its own retries as info; what an operator needs of them starts at warn.
		Logger: kzap.New(logger.WithOptions(zap.IncreaseLevel(zap.WarnLevel))),
	}
}

// Topics lists the five topics with what they are created with.
func Topics(names config.Topics) []kafka.Topic {
	const week, year = "604800000", "31536000000" // milliseconds
	return []kafka.Topic{
		{Name: names.Candidates, Configs: map[string]string{"cleanup.policy": "delete"}},
		// A reader that was away for less than a week still sees every withdrawal.
		{Name: names.Approved, Configs: map[string]string{"cleanup.policy": "compact", "delete.retention.ms": week}},
		{Name: names.Tombstones, Configs: map[string]string{"cleanup.policy": "delete", "retention.ms": year}},
		{Name: names.Review, Configs: map[string]string{"cleanup.policy": "delete"}},
		{Name: names.DeadLetter, Configs: map[string]string{"cleanup.policy": "delete"}},
	}
}

// Codec returns the codec of settings, with the schema registry's answer where one is configured.
func Codec(ctx context.Context, settings config.Config) (*schema.Codec, error) {
	if settings.SchemaRegistry.URL == "" {
		return schema.NewCodec(settings.Limits, nil), nil
	}
	registry, err := schema.OpenRegistry(ctx, settings.SchemaRegistry.URL, schema.Subjects{
		Candidates: settings.Topics.Candidates + "-value", Approved: settings.Topics.Approved + "-value",
		Tombstones: settings.Topics.Tombstones + "-value", Review: settings.Topics.Review + "-value",
	})
	if err != nil {
		return nil, err
	}
	return schema.NewCodec(settings.Limits, registry), nil
}

func openLanes(ctx context.Context, connection kafka.Connection, settings config.Config, limits map[string]int32, registry *prometheus.Registry) ([]session, error) {
	replica := settings.Kafka.Replica
	if replica == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("kafka.replica is empty and the host has no name: %w", err)
		}
		replica = host
	}
	var lanes []session
	for i := range settings.Kafka.Lanes {
		place := kafka.SessionConfig{
			Group: settings.Kafka.Group, Topic: settings.Topics.Candidates, PollRecords: settings.Kafka.PollRecords, MaxMessageBytes: limits,
			TransactionalID: fmt.Sprintf("%s-%s-%d", settings.Kafka.Group, replica, i),
		}
		// Each client registers the same metrics, so each lane labels its own.
		labelled := prometheus.WrapRegistererWith(prometheus.Labels{"lane": strconv.Itoa(i)}, registry)
		connection.Hooks = []kgo.Hook{kprom.NewMetrics("winnow_kafka", kprom.Registerer(labelled), kprom.Gatherer(registry))}
		lane, err := openLane(ctx, connection, settings.Kafka.Delivery, place)
		if err != nil {
			closeLanes(lanes)
			return nil, err
		}
		lanes = append(lanes, lane)
	}
	return lanes, nil
}

func openLane(ctx context.Context, connection kafka.Connection, delivery string, place kafka.SessionConfig) (session, error) {
	if delivery == config.AtLeastOnce {
		group, err := kafka.NewGroup(connection, place)
		if err != nil {
			return nil, err
		}
		return group, nil
	}
	transact, err := kafka.NewTransact(ctx, connection, place)
	if err != nil {
		return nil, err
	}
	return transact, nil
}

// closeLanes leaves the group with all lanes at once: one after the other would rebalance once a lane.
func closeLanes(lanes []session) {
	var group errgroup.Group
	for _, lane := range lanes {
		group.Go(func() error {
			lane.Close()
			return nil
		})
	}
	_ = group.Wait() // no lane returns an error
}
