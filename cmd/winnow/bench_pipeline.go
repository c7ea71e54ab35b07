//go:build cgo

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/winnowgate/winnow/cmd/internal/bench"
	"github.com/winnowgate/winnow/cmd/internal/config"
)

type pipelineFlags struct {
	config                                   string
	brokers                                  []string
	replicas                                 []int
	partitions                               []int32
	batchTokens, workers, threads, laneCount []int
	options                                  bench.PipelineOptions
	asJSON                                   bool
}

func benchPipelineCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "pipeline",
		Short: "Pairs/s and latency from Kafka to committed verdicts, next to the gate alone",
		Long: `Publishes placements, runs winnow run as one process a replica, and reads the committed verdicts back: every placement must
have exactly one. Topics and group are its own; the topics are deleted again. Each round measures the gate alone and then the
pipeline; the ratio is the median. Then placements are published at a share of the full rate, to measure how old they are when
their verdict can be read. Each combination of the lists is a row of its own.

Without --brokers the broker is embedded, which costs less than a real one: give --brokers for figures that count.`,
		Example: "  winnow bench pipeline --brokers 127.0.0.1:9092\n  winnow bench pipeline --lanes 1,2 --replicas 1,2 --json",
		Args:    noArguments,
	}
	var flags pipelineFlags
	set := command.Flags()
	set.StringVar(&flags.config, "config", "", "YAML file; without it defaults and environment variables alone")
	set.StringSliceVar(&flags.brokers, "brokers", nil, "host:port of a cluster; TLS and SASL as configured")
	set.IntVar(&flags.options.Placements, "placements", 1000, "placements a round")
	set.IntVar(&flags.options.Products, "products", 20, "products a placement")
	set.IntVar(&flags.options.Rounds, "rounds", 3, "rounds, of which the median counts")
	set.Float64Var(&flags.options.Load, "load", 0.1, "share of the full rate at which latency is measured; 0: it is not")
	set.DurationVar(&flags.options.Sampling, "sampling", 30*time.Second, "how long latency is measured")
	set.BoolVar(&flags.options.Keep, "keep", false, "leave the topics on the cluster, for others to read")
	set.Uint64Var(&flags.options.Seed, "seed", 1, "of the placements")
	set.IntSliceVar(&flags.replicas, "replicas", []int{1}, "processes; they share the processors; a list")
	set.Int32SliceVar(&flags.partitions, "partitions", []int32{6}, "of each topic; a list")
	set.IntSliceVar(&flags.laneCount, "lanes", nil, "kafka.lanes; a list")
	set.IntSliceVar(&flags.workers, "workers", nil, "model.workers of a replica; a list")
	set.IntSliceVar(&flags.threads, "threads", nil, "model.threads; a list")
	set.IntSliceVar(&flags.batchTokens, "batch-tokens", nil, "gate.batch_tokens; a list")
	set.BoolVar(&flags.asJSON, "json", false, "print one JSON object a row on standard output")
	command.RunE = func(command *cobra.Command, _ []string) error {
		ctx, stop := untilSignal(command.Context())
		defer stop()
		return benchPipeline(ctx, flags)
	}
	return command
}

func benchPipeline(ctx context.Context, flags pipelineFlags) error {
	settings, err := flags.settings()
	if err != nil {
		return err
	}
	logger, err := newLogger("warn")
	if err != nil {
		return err
	}
	var rows []bench.PipelineResult
	for _, setting := range settings {
		for _, partitions := range flags.partitions {
			for _, replicas := range flags.replicas {
				options := flags.options
				options.Embedded, options.Partitions, options.Replicas = len(flags.brokers) == 0, partitions, replicas
				row, err := bench.Pipeline(ctx, setting, options, os.Stderr, logger)
				var invalid *config.InvalidError
				if errors.As(err, &invalid) {
					return usageError{err}
				}
				if err != nil {
					return errors.Join(err, report(rows, flags.asJSON, bench.WritePipelineTable)) // what was measured by then
				}
				rows = append(rows, row)
			}
		}
	}
	return report(rows, flags.asJSON, bench.WritePipelineTable)
}

func (f pipelineFlags) settings() ([]config.Config, error) {
	if err := atLeast(1, map[string][]int{"placements": {f.options.Placements}, "products": {f.options.Products}, "rounds": {f.options.Rounds}, "replicas": f.replicas, "lanes": f.laneCount, "workers": f.workers, "threads": f.threads, "batch-tokens": f.batchTokens}); err != nil {
		return nil, err
	}
	for _, partitions := range f.partitions {
		if partitions < 1 {
			return nil, usageError{fmt.Errorf("--partitions is %d, must be at least 1", partitions)}
		}
	}
	if f.options.Load < 0 || f.options.Load > 1 {
		return nil, usageError{fmt.Errorf("--load is %v, must be 0 to 1", f.options.Load)}
	}
	if f.options.Load > 0 && f.options.Sampling < time.Second {
		return nil, usageError{fmt.Errorf("--sampling is %v, must be at least 1s", f.options.Sampling)}
	}
	for _, broker := range f.brokers {
		if _, _, err := net.SplitHostPort(broker); err != nil {
			return nil, usageError{fmt.Errorf("--brokers holds %q, must be host:port", broker)}
		}
	}
	base, err := loadConfig(f.config)
	if err != nil {
		return nil, err
	}
	if len(f.brokers) > 0 {
		base.Kafka.Brokers = f.brokers
	}
	settings := vary([]config.Config{base}, f.laneCount, func(c *config.Config, lanes int) { c.Kafka.Lanes = lanes })
	settings = vary(settings, f.workers, func(c *config.Config, workers int) { c.Model.Workers = workers })
	settings = vary(settings, f.threads, func(c *config.Config, threads int) { c.Model.Threads = threads })
	settings = vary(settings, f.batchTokens, func(c *config.Config, tokens int) {
		c.Gate.BatchTokens, c.Gate.PendingTokens = tokens, max(c.Gate.PendingTokens, tokens)
	})
	return valid(settings)
}
