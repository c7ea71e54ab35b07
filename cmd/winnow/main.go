//go:build cgo

// Command winnow is a quality gate for placements on Kafka.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/winnowgate/winnow/cmd/internal/app"
	"github.com/winnowgate/winnow/cmd/internal/config"
)

// The exit codes of every command.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is an error of whoever typed the command or wrote the configuration.
type usageError struct{ error }

func main() {
	os.Exit(execute(context.Background(), os.Args[1:]))
}

func execute(ctx context.Context, arguments []string) int {
	root := rootCommand()
	root.SetArgs(arguments)
	err := root.ExecuteContext(ctx)
	var usage usageError
	var invalid *config.InvalidError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage), errors.As(err, &invalid):
		fmt.Fprintf(os.Stderr, "winnow: %v\n", err)
		return exitUsage
	default:
		fmt.Fprintf(os.Stderr, "winnow: %v\n", err)
		return exitFailed
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "winnow",
		Short: "A quality gate for placements on Kafka",
		Long: `Winnow reads candidate placements (a theme and the products to show under it) from a Kafka topic, scores every
(theme, product title) pair with a DeBERTa cross-encoder inside this process, and writes, exactly once, approved
placements, tombstones of severe violations and placements for review to topics of their own.

Start here:
  winnow demo                              the whole job on this machine, nothing to set up
  winnow score < candidates.jsonl          verdicts on your own candidates, without Kafka
  winnow eval --placements labelled.csv    how far to trust the gate, on labels of your own
  winnow rules test --rules F --pairs F    what rules of your own would change
  winnow topics create --config gate.yaml  the five topics on your cluster
  winnow run --config gate.yaml            the gate
  winnow generate --config gate.yaml       the demo's candidates, published to your cluster
  winnow bench engine                      how fast the gate is on this machine, and where its time goes

Every configuration key is an environment variable too: kafka.brokers is WINNOW_KAFKA_BROKERS.
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(command *cobra.Command, arguments []string) error {
			if len(arguments) > 0 {
				return usageError{fmt.Errorf("unknown command %q: see winnow --help", arguments[0])}
			}
			return nil
		},
		RunE: func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w: see %s --help", err, command.CommandPath())}
	})
	root.AddCommand(demoCommand(), runCommand(), generateCommand(), scoreCommand(), evalCommand(), rulesCommand(), topicsCommand(), modelCommand(), benchCommand(), versionCommand())
	return root
}

// noArguments refuses words that no command asked for.
func noArguments(command *cobra.Command, arguments []string) error {
	if len(arguments) > 0 {
		return usageError{fmt.Errorf("%s takes no argument, got %q: see %s --help", command.CommandPath(), arguments[0], command.CommandPath())}
	}
	return nil
}

// untilSignal returns a context that ends with the first SIGTERM or Ctrl-C; a second one then ends the process at once.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

func configFlag(command *cobra.Command) *string {
	return command.Flags().String("config", "", "YAML file; without it defaults and environment variables alone")
}

func loadConfig(path string) (config.Config, error) {
	settings, err := config.Load(path, os.Environ())
	if err != nil {
		return config.Config{}, usageError{err}
	}
	return settings, nil
}

// openEngine loads the model for a command that works without Kafka and exports no metrics.
func openEngine(ctx context.Context, settings config.Config) (*app.Engine, error) {
	logger, err := newLogger("warn")
	if err != nil {
		return nil, err
	}
	return app.OpenEngine(ctx, settings, logger, prometheus.NewRegistry())
}

// newLogger writes JSON to standard error, which leaves standard output to results.
func newLogger(level string) (*zap.Logger, error) {
	parsed, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, usageError{fmt.Errorf("log.level: %w", err)}
	}
	settings := zap.NewProductionConfig()
	settings.Level = zap.NewAtomicLevelAt(parsed)
	settings.EncoderConfig.EncodeTime = zapcore.ISO8601TimeEncoder
	settings.DisableStacktrace = true
	settings.Sampling = nil
	return settings.Build()
}
