//go:build cgo

package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/winnowgate/winnow/cmd/internal/bench"
	"github.com/winnowgate/winnow/cmd/internal/config"
)

type engineFlags struct {
	config, bundle, pairs                             string
	products, cache                                   int
	counts, batchTokens, workers, threads, laneCounts []int
	providers                                         []string
	seed                                              uint64
	asJSON                                            bool
}

func benchEngineCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "engine",
		Short: "Pairs/s of the gate without Kafka, and where its time goes",
		Long: `Judges placements as the lanes of winnow run do, with nothing before and behind: tokenizing, batching and scoring. Themes
are Zipf-distributed, themes and titles are real; or the pairs are those of a CSV file. Each combination of the lists is a row
of its own, measured one after the other. Matrix products' share of the graph's time comes from ONNX Runtime's profiler, in a
run of its own.`,
		Example: "  winnow bench engine\n  winnow bench engine --batch-tokens 256,1024,4096 --workers 1,2\n  winnow bench engine --bundle DIR --providers tensorrt,cuda,cpu\n  winnow bench engine --pairs labelled.csv --json",
		Args:    noArguments,
	}
	var flags engineFlags
	set := command.Flags()
	set.StringVar(&flags.config, "config", "", "YAML file; without it defaults and environment variables alone")
	set.StringVar(&flags.bundle, "bundle", "", "folder of a bundle, instead of the configured one")
	set.StringVar(&flags.pairs, "pairs", "", "CSV file with the columns theme and title, instead of the synthetic workload")
	set.IntSliceVar(&flags.counts, "count", []int{20_000}, "pairs of the synthetic workload; a list")
	set.IntVar(&flags.products, "products", 20, "products a placement")
	set.IntVar(&flags.cache, "cache-entries", 0, "scores that are remembered; 0 measures the model alone")
	set.StringSliceVar(&flags.providers, "providers", nil, "execution providers, each measured by itself; without it the configured ladder")
	set.IntSliceVar(&flags.batchTokens, "batch-tokens", nil, "gate.batch_tokens; a list")
	set.IntSliceVar(&flags.workers, "workers", nil, "model.workers; a list")
	set.IntSliceVar(&flags.threads, "threads", nil, "model.threads; a list")
	set.IntSliceVar(&flags.laneCounts, "lanes", nil, "kafka.lanes: polls that are judged side by side; a list")
	set.Uint64Var(&flags.seed, "seed", 1, "of the synthetic workload")
	set.BoolVar(&flags.asJSON, "json", false, "print one JSON object a row on standard output")
	command.RunE = func(command *cobra.Command, _ []string) error {
		ctx, stop := untilSignal(command.Context())
		defer stop()
		return benchEngine(ctx, flags)
	}
	return command
}

func benchEngine(ctx context.Context, flags engineFlags) error {
	if err := atLeast(1, map[string][]int{"count": flags.counts, "products": {flags.products}, "batch-tokens": flags.batchTokens, "workers": flags.workers, "threads": flags.threads, "lanes": flags.laneCounts}); err != nil {
		return err
	}
	settings, err := flags.settings()
	if err != nil {
		return err
	}
	if flags.pairs != "" && len(flags.counts) > 1 {
		return usageError{errors.New("--count is of the synthetic workload, --pairs brings its own: leave one out")}
	}
	logger, err := newLogger("warn")
	if err != nil {
		return err
	}
	var rows []bench.EngineResult
	failed := 0
	for _, setting := range settings {
		for _, count := range flags.counts {
			workload, warm, err := flags.workloads(count)
			if err != nil {
				return usageError{err}
			}
			row, err := bench.Engine(ctx, setting, workload, warm, logger)
			var invalid *config.InvalidError
			switch {
			case errors.As(err, &invalid):
				return usageError{err}
			case err != nil && (ctx.Err() != nil || len(flags.providers) == 0):
				return errors.Join(err, report(rows, flags.asJSON, bench.WriteEngineTable)) // what was measured by then
			case err != nil: // the other providers may work
				row.Provider, row.Error = setting.Model.Require, err.Error()
				failed++
			}
			rows = append(rows, row)
		}
	}
	if err := report(rows, flags.asJSON, bench.WriteEngineTable); err != nil {
		return err
	}
	if failed == len(rows) {
		return errors.New("none of the providers works here")
	}
	return nil
}

// settings returns every combination of the flags' lists.
func (f engineFlags) settings() ([]config.Config, error) {
	base, err := loadConfig(f.config)
	if err != nil {
		return nil, err
	}
	base.Gate.CacheEntries = f.cache
	if f.bundle != "" {
		base.Model.Bundle = f.bundle
	}
	settings := vary([]config.Config{base}, f.providers, func(c *config.Config, provider string) {
		c.Model.Providers, c.Model.Require = []string{provider}, provider
	})
	settings = vary(settings, f.laneCounts, func(c *config.Config, lanes int) { c.Kafka.Lanes = lanes })
	settings = vary(settings, f.workers, func(c *config.Config, workers int) { c.Model.Workers = workers })
	settings = vary(settings, f.threads, func(c *config.Config, threads int) { c.Model.Threads = threads })
	settings = vary(settings, f.batchTokens, func(c *config.Config, tokens int) {
		c.Gate.BatchTokens, c.Gate.PendingTokens = tokens, max(c.Gate.PendingTokens, tokens)
	})
	return valid(settings)
}

// workloads returns what is measured, and what warms up.
func (f engineFlags) workloads(count int) (workload, warm bench.Workload, err error) {
	if f.pairs == "" {
		placements := (count + f.products - 1) / f.products
		return bench.NewSynthetic("bench", f.seed, placements, f.products), bench.NewSynthetic("warm", f.seed+1, placements, f.products), nil
	}
	read := func() (*bench.Listed, error) {
		file, err := os.Open(f.pairs)
		if err != nil {
			return nil, fmt.Errorf("--pairs: %w", err)
		}
		listed, err := bench.ReadListed(file, f.products)
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("--pairs %s: %w", f.pairs, err)
		}
		return listed, nil
	}
	listed, err := read()
	if err != nil {
		return nil, nil, err
	}
	again, err := read()
	return listed, again, err
}
