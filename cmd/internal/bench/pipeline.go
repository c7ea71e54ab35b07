//go:build cgo

package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/winnowgate/winnow/cmd/internal/app"
	"github.com/winnowgate/winnow/cmd/internal/config"
	"github.com/winnowgate/winnow/processor/kafka"
	"github.com/winnowgate/winnow/schema"
)

// PipelineOptions say what goes through the pipeline and how often.
type PipelineOptions struct {
	Embedded   bool // a broker in this process instead of the configured ones
	Placements int  // a round
	Products   int  // a placement
	Partitions int32
	Replicas   int
	Rounds     int
	Load       float64       // share of the full rate at which latency is measured; 0: it is not
	Sampling   time.Duration // of latency
	Keep       bool          // leave the topics where they are
	Seed       uint64
}

// Latency is how old candidates were when their verdict could be read.
type Latency struct {
	Records int     `json:"records"`
	P50     float64 `json:"p50_seconds"`
	P99     float64 `json:"p99_seconds"`
	Rate    float64 `json:"records_per_second,omitempty"` // at which they were published; 0: all at once
}

// PipelineResult is one row of bench pipeline: one setting, from Kafka to committed verdicts. Scoring and Age are of the
// median round.
type PipelineResult struct {
	Broker      string `json:"broker"`
	Candidates  string `json:"candidates"` // the topic
	Replicas    int    `json:"replicas"`
	Workers     int    `json:"workers"` // of all replicas
	Lanes       int    `json:"lanes"`   // a replica
	Partitions  int32  `json:"partitions"`
	BatchTokens int    `json:"batch_tokens"`
	Placements  int    `json:"placements"`
	Products    int    `json:"products"`
	Scoring
	PairsPerSecond    float64  `json:"pairs_per_second"` // of the placements, each once
	OfEngine          float64  `json:"of_engine"`        // pairs/s over the gate's without Kafka, the median of rounds by turns
	EnginePairsSecond float64  `json:"engine_pairs_per_second"`
	TransactionTime   float64  `json:"transaction_seconds"` // mean
	Age               Latency  `json:"age"`
	AgeAtLoad         *Latency `json:"age_at_load,omitempty"`
}

// pipeline is the bench while it runs.
type pipeline struct {
	settings config.Config // of each replica
	alone    config.Config // of the gate without Kafka: all replicas' workers and lanes in one
	options  PipelineOptions
	logger   *zap.Logger
	out      io.Writer

	codec    *schema.Codec
	producer *kgo.Client
	observer *observer
	replicas []*replica
	engine   *running
	seed     uint64
}

// Pipeline measures settings. Progress goes to out.
func Pipeline(ctx context.Context, settings config.Config, options PipelineOptions, out io.Writer, logger *zap.Logger) (result PipelineResult, err error) {
	if options.Embedded {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			return PipelineResult{}, fmt.Errorf("embedded broker: %w", err)
		}
		defer cluster.Close()
		settings.Kafka.Brokers = cluster.ListenAddrs()
		settings.Kafka.TLS, settings.Kafka.SASL, settings.SchemaRegistry = kafka.TLS{}, kafka.SASL{}, config.SchemaRegistry{}
	}
	settings = isolated(settings, options.Replicas)
	alone := settings
	alone.Model.Workers *= options.Replicas
	alone.Kafka.Lanes *= options.Replicas
	if err := alone.Validate(); err != nil {
		return PipelineResult{}, &config.InvalidError{Err: fmt.Errorf("all %d replicas together: %w", options.Replicas, err)}
	}
	p := &pipeline{settings: settings, alone: alone, options: options, logger: logger, out: out, seed: options.Seed}
	defer func() { err = errors.Join(err, p.close(ctx)) }()
	if err := p.open(ctx); err != nil {
		return PipelineResult{}, err
	}
	watched, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, replica := range p.replicas {
		stop := replica.onExit(func(err error) { cancel(err) })
		defer stop()
	}
	result, err = p.measure(watched)
	if err != nil && ctx.Err() == nil && watched.Err() != nil {
		err = errors.Join(context.Cause(watched), err)
	}
	return result, err
}

// isolated gives the bench topics and a group of its own, and each replica its share of the processors.
func isolated(settings config.Config, replicas int) config.Config {
	prefix := fmt.Sprintf("winnow-bench-%08x", rand.Uint32())
	settings.Kafka.Group = prefix
	settings.Topics = config.Topics{
		Candidates: prefix + ".candidates", Approved: prefix + ".approved", Tombstones: prefix + ".tombstones",
		Review: prefix + ".review", DeadLetter: prefix + ".dead-letter",
	}
	if settings.Model.Workers == 0 && replicas > 1 {
		settings.Model.Workers = max(runtime.GOMAXPROCS(0)/max(settings.Model.Threads, 1)/replicas, 1)
	}
	return settings
}

func (p *pipeline) open(ctx context.Context) (err error) {
	connection := app.Connection(p.settings, p.logger)
	// Spread evenly: with few placements, how keys happen to hash would decide how long the last partition takes.
	even := kgo.RecordPartitioner(kgo.RoundRobinPartitioner())
	if p.producer, err = connection.Client(ctx, kgo.RequiredAcks(kgo.AllISRAcks()), even); err != nil {
		return err
	}
	if _, err := kafka.CreateTopics(ctx, p.producer, app.Topics(p.settings.Topics), p.options.Partitions, -1); err != nil {
		return err
	}
	if p.codec, err = app.Codec(ctx, p.settings); err != nil {
		return err
	}
	if p.observer, err = openObserver(ctx, connection, p.settings.Topics); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "starting %d replica(s), %d lane(s) each, %d partitions\n", p.options.Replicas, p.settings.Kafka.Lanes, p.options.Partitions)
	for i := range p.options.Replicas {
		started, err := startReplica(ctx, p.settings, fmt.Sprintf("bench-%d", i))
		if err != nil {
			return err
		}
		p.replicas = append(p.replicas, started)
	}
	p.engine, err = start(ctx, p.alone, p.logger)
	return err
}

// close ends what open has opened, as far as it came, also after Ctrl-C.
func (p *pipeline) close(ctx context.Context) error {
	var problems []error
	for _, replica := range p.replicas {
		problems = append(problems, replica.stop())
	}
	if p.engine != nil {
		problems = append(problems, p.engine.engine.Close())
	}
	if p.observer != nil {
		p.observer.client.Close()
	}
	if p.producer == nil {
		return errors.Join(problems...)
	}
	defer p.producer.Close()
	if !p.options.Keep && !p.options.Embedded {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		names := []string{}
		for _, topic := range p.settings.Topics.All() {
			names = append(names, topic.Name)
		}
		deleted, err := kadm.NewClient(p.producer).DeleteTopics(ctx, names...)
		problems = append(problems, err, deleted.Error())
	}
	return errors.Join(problems...)
}

func (p *pipeline) measure(ctx context.Context) (PipelineResult, error) {
	result := PipelineResult{
		Broker: "configured", Candidates: p.settings.Topics.Candidates, Replicas: p.options.Replicas, Lanes: p.settings.Kafka.Lanes,
		Partitions: p.options.Partitions, BatchTokens: p.settings.Gate.BatchTokens, Placements: p.options.Placements, Products: p.options.Products,
	}
	if p.options.Embedded {
		result.Broker = "embedded"
	}
	// A tenth of a round warms both up: buffers grow, producer ids are known.
	if _, err := p.round(ctx, max(p.options.Placements/10, 1)); err != nil {
		return result, err
	}
	var rounds []round
	for i := range p.options.Rounds {
		measured, err := p.round(ctx, p.options.Placements)
		if err != nil {
			return result, err
		}
		fmt.Fprintf(p.out, "round %d of %d: the gate alone %.0f pairs/s, from Kafka to committed verdicts %.0f (%s)\n",
			i+1, p.options.Rounds, measured.engine, measured.pipeline, percent(measured.ratio()))
		rounds = append(rounds, measured)
	}
	median := medianOf(rounds)
	result.Scoring, result.Age, result.Workers = median.scoring, median.age, median.workers
	result.PairsPerSecond, result.EnginePairsSecond, result.OfEngine = median.pipeline, median.engine, median.ratio()
	result.TransactionTime = median.transaction
	if p.options.Load > 0 {
		rate := p.options.Load * result.PairsPerSecond / float64(p.options.Products)
		latency, err := p.latency(ctx, rate)
		if err != nil {
			return result, err
		}
		result.AgeAtLoad = &latency
	}
	return result, nil
}

// latency publishes at a steady rate, whether or not earlier candidates are acknowledged or decided. Ages count from when a
// candidate was due, so that a late one is not excused.
func (p *pipeline) latency(ctx context.Context, rate float64) (Latency, error) {
	records, err := p.records(max(int(rate*p.options.Sampling.Seconds()), 1))
	if err != nil {
		return Latency{}, err
	}
	fmt.Fprintf(p.out, "latency: %.1f placements/s for %v\n", rate, p.options.Sampling)
	group, ctx := errgroup.WithContext(ctx)
	var published time.Duration
	group.Go(func() (err error) {
		published, err = p.publish(ctx, records, time.Duration(float64(time.Second)/rate))
		return err
	})
	group.Go(func() error { return p.observer.collect(ctx, len(records)) })
	if err := group.Wait(); err != nil {
		return Latency{}, err
	}
	ages, err := p.observer.ages(records)
	if err != nil {
		return Latency{}, err
	}
	achieved := float64(len(records)) / published.Seconds()
	return Latency{Records: len(ages), P50: quantile(ages, 0.5).Seconds(), P99: quantile(ages, 0.99).Seconds(), Rate: achieved}, nil
}

// publish hands one record after the other to the producer, each when it is due, waits until all are acknowledged, and returns
// how long the handing over took.
func (p *pipeline) publish(ctx context.Context, records []*kgo.Record, interval time.Duration) (time.Duration, error) {
	started := time.Now()
	var acknowledged kgo.FirstErrPromise
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i, record := range records {
		record.Timestamp = started.Add(time.Duration(i) * interval)
		timer.Reset(time.Until(record.Timestamp))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		p.producer.Produce(ctx, record, acknowledged.Promise())
	}
	took := time.Since(started) + interval // the last one's turn too
	if err := acknowledged.Err(); err != nil {
		return 0, fmt.Errorf("publish candidates: %w", err)
	}
	return took, nil
}

// records encodes the next candidates of the synthetic workload.
func (p *pipeline) records(placements int) ([]*kgo.Record, error) {
	p.seed++
	workload := NewSynthetic(fmt.Sprintf("bench-%d", p.seed), p.seed, placements, p.options.Products)
	var records []*kgo.Record
	for candidate, ok := workload.Next(); ok; candidate, ok = workload.Next() {
		value, err := p.codec.EncodeCandidate(&candidate)
		if err != nil {
			return nil, err
		}
		records = append(records, &kgo.Record{Topic: p.settings.Topics.Candidates, Key: []byte(candidate.PlacementID), Value: value})
	}
	return records, nil
}
