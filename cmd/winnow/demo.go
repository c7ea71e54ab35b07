//go:build cgo

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/winnowgate/winnow/cmd/internal/demo"
)

func demoCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "demo",
		Short: "The whole job on this machine: embedded broker, real product titles, live verdicts",
		Long: `Starts an embedded Kafka broker, publishes placements made of real product titles (USDA FoodData Central), some with
products that must never be shown under their theme and a few records that are cut off, and gates them exactly as
winnow run does, in transactions. Each severe violation is shown with the product it is about. Ends with a summary.`,
		Example: "  winnow demo\n  winnow demo --placements 2000\n  winnow demo --json | jq .severe",
		Args:    noArguments,
	}
	placements := command.Flags().Int("placements", 300, "how many placements to publish")
	asJSON := command.Flags().Bool("json", false, "print the summary as one JSON object on standard output, the rest on standard error")
	command.RunE = func(command *cobra.Command, _ []string) error {
		if *placements < 1 || *placements > 1_000_000 {
			return usageError{fmt.Errorf("--placements is %d, must be 1 to 1000000", *placements)}
		}
		settings, err := loadConfig("")
		if err != nil {
			return err
		}
		logger, err := newLogger("warn")
		if err != nil {
			return err
		}
		var progress io.Writer = os.Stdout
		if *asJSON {
			progress = os.Stderr
		}
		fmt.Fprintf(progress, "Publishing %d placements to an embedded broker and gating them. Ctrl-C stops.\n", *placements)
		ctx, stop := untilSignal(command.Context())
		defer stop()
		summary, err := demo.Run(ctx, settings, *placements, progress, logger)
		if err != nil {
			return err
		}
		if *asJSON {
			return json.NewEncoder(os.Stdout).Encode(summary)
		}
		printSummary(os.Stdout, summary)
		return nil
	}
	return command
}

func printSummary(out io.Writer, summary demo.Summary) {
	fmt.Fprintf(out, `
%d candidates = %d approved + %d severe + %d review + %d dead letter, none missing
%d pairs in %.1f s: %.0f pairs/s
model %s on %s
`, summary.Candidates, summary.Approved, summary.Severe, summary.Review, summary.DeadLetter,
		summary.Pairs, summary.Seconds, summary.PairsPerSecond, summary.Model, summary.Provider)
}
