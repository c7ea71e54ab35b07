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

// evalFlags is what eval was asked.
type evalFlags struct {
	config, pairs, placements, rules, html string
	mix                                    eval.Mix
	json                                   bool
}

// evalReport is what eval found, to be shown in either way.
type evalReport interface {
	WritePage(out io.Writer, source string) error
}

func evalCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "eval",
		Short: "Measure the gate on labelled placements, or the model on labelled pairs",
		Long: `With --placements, scores a CSV file with the columns placement_id, theme, title and label (relevant, weak or severe), and
family where placements are of several kinds, through the gate that winnow run uses. Other columns are ignored. Each theme with a
title is scored once; from these scores eval says what the policy in force, with its rules and without them, makes of the placements:
which share of clean ones (no product of which is labelled severe) is approved, killed and held, which share of severe products is
shown, and which of relevant ones is kept. Rules see no product_id, attributes or generator.

Placements of 5, 10 and 20 products are made of the file: 20 of each size for each theme. A label is drawn for every product by
--severe-share and --weak-share, of those that the theme has, and a product of that label under the theme, none twice as long as there
are enough. One that stands twice for want of others is not pruned as a duplicate. The draws are the same in every run. Intervals are
Clopper-Pearson's at 95 %, as if products were independent; those of one theme resemble each other, so the truth is wider. Draws share
products, which no interval of this kind can say: the JSON has them, read them as a lower bound of the doubt.

With --pairs, scores a CSV file with the columns theme, title and label, each pair as a placement of its own, by the thresholds on
P(severe) alone and without rules, and reports how well severe pairs are ranked, what the thresholds let through, and how far the
probabilities can be believed. --placements reports that too.

The file is UTF-8; a row that can be read in two ways is refused with its line.`,
		Example: `  winnow eval --placements labelled.csv --html report.html
  winnow eval --placements labelled.csv --rules hazards --json | jq '{severe_shown, without: .without_rules.severe_shown}'
  winnow eval --pairs labelled.csv --json | jq .severe_auc`,
		Args: noArguments,
	}
	var flags evalFlags
	all := command.Flags()
	path := configFlag(command)
	all.StringVar(&flags.pairs, "pairs", "", "CSV file of labelled pairs (this or --placements is required)")
	all.StringVar(&flags.placements, "placements", "", "CSV file of labelled placements")
	all.StringVar(&flags.rules, "rules", "", "sets policy.rules_file for this run: a YAML file, or hazards, the rules inside the binary")
	all.Float64Var(&flags.mix.Severe, "severe-share", 0.04, "share of severe products in the placements that are made")
	all.Float64Var(&flags.mix.Weak, "weak-share", 0.12, "share of weak products in the placements that are made")
	all.BoolVar(&flags.json, "json", false, "print the report as one JSON object, with every curve")
	all.StringVar(&flags.html, "html", "", "also write the report as one self-contained HTML page to this file")
	command.RunE = func(command *cobra.Command, _ []string) error {
		flags.config = *path
		if (flags.pairs == "") == (flags.placements == "") {
			return usageError{errors.New("name one CSV file, by --placements or by --pairs: --placements reports what --pairs does, and more")}
		}
		if flags.pairs == "" {
			return flags.evalPlacements(command.Context(), command.OutOrStdout())
		}
		for _, name := range []string{"rules", "severe-share", "weak-share"} {
			if all.Changed(name) {
				return usageError{fmt.Errorf("--%s needs --placements: pairs are judged by the thresholds alone", name)}
			}
		}
		return flags.evalPairs(command.Context(), command.OutOrStdout())
	}
	return command
}

func (f evalFlags) evalPairs(ctx context.Context, out io.Writer) error {
	pairs, err := readPairs(f.pairs)
	if err != nil {
		return usageError{err}
	}
	settings, err := loadConfig(f.config)
	if err != nil {
		return err
	}
	writePage, err := pageWriter(f.html) // a path that can't be written is told before an hour of scoring, not after
	if err != nil {
		return usageError{fmt.Errorf("--html: %w", err)}
	}
	engine, err := openEngine(ctx, settings)
	if err != nil {
		return err
	}
	report, err := eval.Run(ctx, engine.Gate, pairs, scoringBar(len(pairs)))
	if err := errors.Join(err, engine.Close()); err != nil {
		return err
	}
	report.Model = engine.Bundle.ID()
	if err := writePage(report, filepath.Base(f.pairs)); err != nil {
		return fmt.Errorf("--html: %w", err)
	}
	if f.json {
		return json.NewEncoder(out).Encode(report)
	}
	printReport(out, report)
	return nil
}

func (f evalFlags) evalPlacements(ctx context.Context, out io.Writer) error {
	if err := f.mix.Validate(); err != nil {
		return usageError{err}
	}
	file, err := readLabelled("--placements", f.placements, eval.ReadPlacements)
	if err != nil {
		return usageError{err}
	}
	settings, err := f.settings()
	if err != nil {
		return err
	}
	writePage, err := pageWriter(f.html)
	if err != nil {
		return usageError{fmt.Errorf("--html: %w", err)}
	}
	engine, err := openEngine(ctx, settings)
	if err != nil {
		return err
	}
	distinct, _ := file.Distinct()
	report, err := eval.RunPlacements(ctx, engine.Gate, file, f.mix, scoringBar(len(distinct)))
	if err := errors.Join(err, engine.Close()); err != nil {
		return err
	}
	report.Model = engine.Bundle.ID()
	if err := writePage(report, filepath.Base(f.placements)); err != nil {
		return fmt.Errorf("--html: %w", err)
	}
	if f.json {
		return json.NewEncoder(out).Encode(report)
	}
	printPlacements(out, report)
	return nil
}

// settings returns the configuration with the rules of --rules; rules that do not compile are told before the model is loaded.
func (f evalFlags) settings() (config.Config, error) {
	settings, err := loadConfig(f.config)
	if err != nil || f.rules == "" {
		return settings, err
	}
	settings.Policy.RulesFile = f.rules
	if _, err := settings.Policy.CompileRules(); err != nil {
		return config.Config{}, usageError{fmt.Errorf("--rules: %w", err)}
	}
	return settings, nil
}

// scoringBar returns what moves a bar on a terminal to how many pairs are done.
func scoringBar(pairs int) func(done int) {
	bar := progressbar.NewOptions(pairs, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription("scoring"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("pairs"),
		progressbar.OptionSetVisibility(term.IsTerminal(int(os.Stderr.Fd()))), progressbar.OptionClearOnFinish())
	return func(done int) { _ = bar.Set(done) } // a bar that can't be drawn stops nothing
}

// pageWriter returns what writes the page to path, which it creates; without a path there is no page.
func pageWriter(path string) (func(report evalReport, source string) error, error) {
	if path == "" {
		return func(evalReport, string) error { return nil }, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return func(report evalReport, source string) error {
		return errors.Join(report.WritePage(file, source), file.Close())
	}, nil
}

func readPairs(path string) ([]eval.Pair, error) {
	if path == "" {
		return nil, errors.New("--pairs is missing: name a CSV file with the columns theme, title and label")
	}
	return readLabelled("--pairs", path, eval.ReadPairs)
}

// readLabelled reads the file that the flag names.
func readLabelled[T any](flag, path string, read func(io.Reader) (T, error)) (T, error) {
	var none T
	file, err := os.Open(path)
	if err != nil {
		return none, fmt.Errorf("%s: %w", flag, err)
	}
	labelled, err := read(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return none, fmt.Errorf("%s %s: %w", flag, path, err)
	}
	return labelled, nil
}
