//go:build cgo

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/winnowgate/winnow/cmd/internal/demo"
)

func generateCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "generate",
		Short: "Publish the demo's candidates to a cluster, to see winnow run at work",
		Long: `Publishes placements as a language model proposes them to the candidates topic at an even rate, some with products that
must never be shown under their theme and a few records that are cut off. Each run publishes other placements.`,
		Example: "  winnow generate --config gate.yaml --rate 50 --placements 1000",
		Args:    noArguments,
	}
	path := configFlag(command)
	placements := command.Flags().Int("placements", 0, "how many placements to publish; 0 goes on until stopped")
	rate := command.Flags().Int("rate", 20, "placements a second")
	command.RunE = func(command *cobra.Command, _ []string) error {
		if *placements < 0 {
			return usageError{fmt.Errorf("--placements is %d, must be 0 or more", *placements)}
		}
		if *rate < 1 || *rate > 1000 {
			return usageError{fmt.Errorf("--rate is %d, must be 1 to 1000", *rate)}
		}
		settings, err := loadConfig(*path)
		if err != nil {
			return err
		}
		logger, err := newLogger("warn")
		if err != nil {
			return err
		}
		ctx, stop := untilSignal(command.Context())
		defer stop()
		published, err := demo.Generate(ctx, settings, *placements, *rate, logger)
		fmt.Fprintf(command.OutOrStdout(), "published %d candidates to %s\n", published, settings.Topics.Candidates)
		return err
	}
	return command
}
