//go:build cgo

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/winnowgate/winnow/processor/eval"
)

func evalCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "eval",
		Short: "Measure the model and its thresholds on labelled pairs",
		Long: `Scores a CSV file with the columns theme, title and label (relevant, weak or severe) through the gate that winnow run
uses, each pair as a placement of its own, and reports how well severe pairs are ranked, what the thresholds let through,
and how far the probabilities can be believed.`,
		Example: "  winnow eval --pairs labelled.csv\n  winnow eval --pairs labelled.csv --json | jq .severe_auc",
		Args:    noArguments,
	}
	path := configFlag(command)
	file := command.Flags().String("pairs", "", "CSV file of labelled pairs (required)")
	asJSON := command.Flags().Bool("json", false, "print the report as one JSON object")
	command.RunE = func(command *cobra.Command, _ []string) error {
		pairs, err := readPairs(*file)
		if err != nil {
			return usageError{err}
		}
		settings, err := loadConfig(*path)
		if err != nil {
			return err
		}
		settings.Policy.MinProducts, settings.Policy.PruneWeak = 1, false // decide on a pair by its thresholds alone
		engine, err := openEngine(command.Context(), settings)
		if err != nil {
			return err
		}
		report, err := eval.Run(command.Context(), engine.Gate, pairs, func(done int) {
			fmt.Fprintf(os.Stderr, "%d of %d pairs\n", done, len(pairs))
		})
		if err := errors.Join(err, engine.Close()); err != nil {
			return err
		}
		report.Model = engine.Bundle.ID()
		if *asJSON {
			return json.NewEncoder(os.Stdout).Encode(report)
		}
		printReport(os.Stdout, report)
		return nil
	}
	return command
}

func readPairs(path string) ([]eval.Pair, error) {
	if path == "" {
		return nil, errors.New("--pairs is missing: name a CSV file with the columns theme, title and label")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--pairs: %w", err)
	}
	pairs, err := eval.ReadPairs(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("--pairs %s: %w", path, err)
	}
	return pairs, nil
}

func printReport(out io.Writer, report eval.Report) {
	fmt.Fprintf(out, `%d pairs, model %s, %.0f pairs/s

severe AUC                          %.3f
severe average precision            %.3f
macro F1 over the three labels      %.3f
severe pairs that would be approved %.1f %%
pairs sent to review                %.1f %%
expected calibration error          %.3f
`, report.Pairs, report.Model, report.PairsPerSecond, report.SevereAUC, report.SevereAveragePrecision, report.MacroF1,
		100*report.FalseApprovalRate, 100*report.ReviewRate, report.ExpectedCalibrationError)
}
