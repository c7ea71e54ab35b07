//go:build cgo

package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/winnowgate/winnow/cmd/internal/demo"
)

const introduction = `Publishing %d placements to an embedded Kafka broker and gating them as
winnow run does, with the rules for hazards. Ctrl-C stops.

A placement is a theme and the products to show under it, as a language model
proposes them. A few break their theme. The gate has to find these; the demo
knows them, and says what each verdict was worth:

`

func demoCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "demo",
		Short: "The whole job on this machine: embedded broker, proposed placements, live verdicts",
		Long: `Starts an embedded Kafka broker, publishes placements as a language model proposes them, some with products that must
never be shown under their theme and a few records that are cut off, and gates them exactly as winnow run does, in
transactions, with the rules for hazards (policy.rules_file: hazards).

The demo knows what the gate must find out: what each product is under its theme, by a language model's judgement. So it tells
hits, false alarms and misses apart. The model was never trained on these themes. The first verdicts are all shown, and then each
severe one, each miss and one in ten of the others.

It ends with a summary. With --json hits, misses and false_alarms are counts of placements; clean_approved, clean_killed and
clean_held are shares of the placements of which no product breaks the theme, severe_shown is the share of the products that
break theirs, relevant_kept that of the relevant products in approved placements.`,
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
		out := command.OutOrStdout()
		shown := out
		if *asJSON {
			shown = command.ErrOrStderr()
		}
		fmt.Fprintf(shown, introduction, *placements)
		ctx, stop := untilSignal(command.Context())
		defer stop()
		summary, err := demo.Run(ctx, settings, *placements, demo.NewScreen(shown), logger)
		if err != nil {
			return err
		}
		if *asJSON {
			return json.NewEncoder(out).Encode(summary)
		}
		summary.Print(out)
		return nil
	}
	return command
}
