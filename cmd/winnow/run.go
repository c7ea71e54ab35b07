//go:build cgo

package main

import (
	"github.com/spf13/cobra"

	"github.com/winnowgate/winnow/cmd/internal/app"
)

func runCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "run",
		Short: "Gate candidates from a Kafka cluster until stopped",
		Long: `Joins the consumer group and gates candidates until SIGTERM or Ctrl-C, which finish the transaction in hand, leave the
group and free the model. Health is at /livez and /readyz, metrics are at /metrics of admin.listen.

Replicas share a group. Each needs its own kafka.replica, stable over restarts: by it a restarted replica fences its
predecessor and aborts what that left open. The default is the host's name.`,
		Example: "  winnow run --config gate.yaml\n  WINNOW_KAFKA_BROKERS=kafka:9092 winnow run",
		Args:    noArguments,
	}
	path := configFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		settings, err := loadConfig(*path)
		if err != nil {
			return err
		}
		logger, err := newLogger(settings.Log.Level)
		if err != nil {
			return err
		}
		ctx, stop := untilSignal(command.Context())
		defer stop()
		return app.Run(ctx, settings, logger)
	}
	return command
}
