//go:build cgo

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/winnowgate/winnow/cmd/internal/config"
	"github.com/winnowgate/winnow/processor/eval"
)

func evalCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "eval",
		Short: "Measure the model and its thresholds on labelled pairs",
		Long: `Scores a CSV file with the columns theme, title and label (relevant, weak or severe) through the gate that winnow run
uses, each pair as a placement of its own, by the thresholds on P(severe) alone and without rules, and reports how well
severe pairs are ranked, what the thresholds let through, and how far the probabilities can be believed. The file is UTF-8;
a row that can be read in two ways is refused with its line.`,
		Example: "  winnow eval --pairs labelled.csv\n  winnow eval --pairs labelled.csv --json | jq .severe_auc\n  winnow eval --pairs labelled.csv --html report.html",
		Args:    noArguments,
	}
	path := configFlag(command)
	file := command.Flags().String("pairs", "", "CSV file of labelled pairs (required)")
	asJSON := command.Flags().Bool("json", false, "print the report as one JSON object, with every curve")
	html := command.Flags().String("html", "", "also write the report as one self-contained HTML page to this file")
	command.RunE = func(command *cobra.Command, _ []string) error {
		pairs, err := readPairs(*file)
		if err != nil {
			return usageError{err}
		}
		settings, err := loadConfig(*path)
		if err != nil {
			return err
		}
		writePage, err := pageWriter(*html) // a path that can't be written is told before an hour of scoring, not after
		if err != nil {
			return usageError{fmt.Errorf("--html: %w", err)}
		}
		report, err := evaluate(command.Context(), settings, pairs)
		if err != nil {
			return err
		}
		if err := writePage(report, filepath.Base(*file)); err != nil {
			return fmt.Errorf("--html: %w", err)
		}
		if *asJSON {
			return json.NewEncoder(os.Stdout).Encode(report)
		}
		printReport(os.Stdout, report)
		return nil
	}
	return command
}

func evaluate(ctx context.Context, settings config.Config, pairs []eval.Pair) (eval.Report, error) {
	engine, err := openEngine(ctx, settings)
	if err != nil {
		return eval.Report{}, err
	}
	report, err := eval.Run(ctx, engine.Gate, pairs, scoringBar(len(pairs)))
	report.Model = engine.Bundle.ID()
	return report, errors.Join(err, engine.Close())
}

// scoringBar returns what moves a bar on a terminal to how many pairs are done.
func scoringBar(pairs int) func(done int) {
	bar := progressbar.NewOptions(pairs, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription("scoring"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("pairs"),
		progressbar.OptionSetVisibility(term.IsTerminal(int(os.Stderr.Fd()))), progressbar.OptionClearOnFinish())
	return func(done int) { _ = bar.Set(done) } // a bar that can't be drawn stops nothing
}

// pageWriter returns what writes the page to path, which it creates; without a path there is no page.
func pageWriter(path string) (func(report eval.Report, source string) error, error) {
	if path == "" {
		return func(eval.Report, string) error { return nil }, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return func(report eval.Report, source string) error {
		return errors.Join(report.WritePage(file, source), file.Close())
	}, nil
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
	fmt.Fprintf(out, `%d pairs, %d of them severe, model %s, %.0f pairs/s

severe AUC                          %.3f
severe average precision            %.3f
macro F1 over the three labels      %.3f
severe pairs that would be approved %.1f %%
pairs sent to review                %.1f %%
expected calibration error          %.3f

`, report.Pairs, report.Severe, report.Model, report.PairsPerSecond, report.SevereAUC, report.SevereAveragePrecision, report.MacroF1,
		100*report.FalseApprovalRate, 100*report.ReviewRate, report.ExpectedCalibrationError)
	fmt.Fprintf(out, "%-10s", "label")
	for _, cell := range report.Confusion[:3] {
		fmt.Fprintf(out, " %9s", cell.Predicted)
	}
	label := ""
	for _, cell := range report.Confusion {
		if cell.Label != label {
			label = cell.Label
			fmt.Fprintf(out, "\n%-10s", label)
		}
		if cell.Predicted == "" {
			fmt.Fprintf(out, " %9d without a score", cell.Pairs)
			continue
		}
		fmt.Fprintf(out, " %9d", cell.Pairs)
	}
	fmt.Fprintf(out, "\n\nreview threshold (in use: %.4f)   severe approved   to review\n", report.ReviewThreshold)
	for _, choice := range report.ReviewChoices {
		fmt.Fprintf(out, "%16.4f %32.1f %% %9.1f %%\n", choice.ReviewThreshold, 100*choice.FalseApprovalRate, 100*choice.ReviewRate)
	}
	fmt.Fprintf(out, "\nsevere threshold (in use: %.4f)   precision         severe found\n", report.SevereThreshold)
	for _, choice := range report.SevereChoices {
		fmt.Fprintf(out, "%16.4f %26.1f %% %15.1f %%\n", choice.SevereThreshold, 100*choice.Precision, 100*choice.Recall)
	}
	printMistakes(out, "severe, and approved", report.FalseApprovals)
	printMistakes(out, "harmless, and refused as severe", report.FalseViolations)
}

// printMistakes lists the worst few; the page and the JSON list more.
func printMistakes(out io.Writer, title string, mistakes []eval.Mistake) {
	if len(mistakes) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s (P(severe), theme: title)\n", title)
	for _, mistake := range mistakes[:min(len(mistakes), 8)] {
		fmt.Fprintf(out, "  %.3f  %s: %s\n", mistake.Severe, mistake.Theme, mistake.Title)
	}
}
