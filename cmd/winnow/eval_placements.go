//go:build cgo

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/winnowgate/winnow/processor/eval"
)

// column is a share as a table heads it.
type column struct{ key, title string }

func verdictColumns() []column {
	return []column{
		{"clean_approved", "clean approved"}, {"clean_killed", "clean killed"}, {"clean_held", "clean held"},
		{"severe_shown", "severe shown"}, {"relevant_kept", "relevant kept"},
	}
}

func findingColumns() []column {
	return []column{{"severe_precision", "found severe, and is"}, {"hard_safe_called_severe", "hard but safe, found severe"}}
}

// printPlacements leads with what shoppers and generators see, and ends with what the model's probabilities are worth.
func printPlacements(out io.Writer, report eval.PlacementReport) {
	fmt.Fprintf(out, "%d placements, %d of them clean; %d products, %d of them severe; model %s, %.0f pairs/s\npolicy %s\n\n",
		report.Placements, report.Counts["clean_approved"][1], report.Pairs, report.Severe, plain(report.Model), report.PairsPerSecond, plain(report.Policy))
	printSizes(out, report)
	printPrecision(out, report)
	printFamilies(out, report)
	printWithoutRules(out, report)
	printMisses(out, "severe, and shown", report.Misses)
	printMisses(out, "clean, and killed", report.FalseKills)
	fmt.Fprintf(out, "\npairs, each alone, by the thresholds on P(severe) and without rules\n\n")
	printPairs(out, report.Report)
}

func printSizes(out io.Writer, report eval.PlacementReport) {
	row := func(name string, cell func(column) string) {
		line := fmt.Sprintf("%-16s", name)
		for _, column := range verdictColumns() {
			line += fmt.Sprintf("  %-19s", cell(column))
		}
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
	row("placements (%)", func(column column) string { return column.title })
	row("as they stand", func(column column) string { return report.Spread(column.key) })
	for _, made := range []struct {
		name   string
		shares eval.Shares
	}{{"of 5 products", report.At5}, {"of 10 products", report.At10}, {"of 20 products", report.At20}} {
		row(made.name, func(column column) string { return made.shares.Percent(column.key) })
	}
	fmt.Fprintf(out, "\nclean: no product is severe; killed: refused as severe; held: sent to review; relevant kept: in approved placements.\n"+
		"Those of 5, 10 and 20 are made of the file, %.1f %% severe and %.1f %% weak: see winnow eval --help\n", 100*report.Mix.Severe, 100*report.Mix.Weak)
}

func printPrecision(out io.Writer, report eval.PlacementReport) {
	fmt.Fprintf(out, "\nof what is found severe, is severe (%%)\n  %-33s %s\n", "as they stand", report.Spread("severe_precision"))
	for _, at := range report.SeverePrecisionAt {
		fmt.Fprintf(out, "  %-33s %s\n", fmt.Sprintf("where %.0f %% of products are severe", 100*at.SevereShare), at.Spread())
	}
	fmt.Fprintf(out, "\n%-35s %s\n", "severe found at 1 % false positives", report.Spread("recall_at_1_percent_false_positives"))
	fmt.Fprintf(out, "%-35s %s\n", "hard but safe, found severe", report.Spread("hard_safe_called_severe"))
}

func printFamilies(out io.Writer, report eval.PlacementReport) {
	if len(report.Families) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%-24s %10s", "family (%)", "placements")
	columns := append(verdictColumns(), column{"severe_precision", "severe precision"})
	for _, column := range columns {
		fmt.Fprintf(out, "  %16s", column.title)
	}
	for _, name := range slices.Sorted(maps.Keys(report.Families)) {
		family := report.Families[name]
		fmt.Fprintf(out, "\n%-24s %10d", plain(name), family.Placements)
		for _, column := range columns {
			fmt.Fprintf(out, "  %16s", family.Percent(column.key))
		}
	}
	fmt.Fprintln(out)
}

func printWithoutRules(out io.Writer, report eval.PlacementReport) {
	if len(report.Rules) == 0 {
		fmt.Fprintln(out, "\nno rules are in force: --rules hazards shows what those inside the binary change")
		return
	}
	fmt.Fprintf(out, "\n%-28s  %-19s  %s\n", "as they stand (%)", "with rules", "without")
	for _, column := range append(verdictColumns(), findingColumns()...) {
		fmt.Fprintf(out, "%-28s  %-19s  %s\n", column.title, report.Spread(column.key), report.WithoutRules.Spread(column.key))
	}
	fmt.Fprintf(out, "\n%-32s %-9s %8s %8s %8s %8s %8s\n", "rule", "then", "decided", "changed", "severe", "weak", "relevant")
	idle := 0
	for _, rule := range report.Rules {
		if rule.Decided == 0 {
			idle++
			continue
		}
		printRule(out, rule)
	}
	if idle > 0 {
		fmt.Fprintf(out, "%d rules decided nothing here\n", idle)
	}
}

func printMisses(out io.Writer, title string, misses []eval.Miss) {
	if len(misses) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s (P(severe), placement, theme: title)\n", title)
	for _, miss := range misses[:min(len(misses), mostPrinted)] {
		by := ""
		if miss.Rule != "" {
			by = " (rule " + miss.Rule + ")"
		}
		fmt.Fprintf(out, "  %.3f  %s  %s: %s%s\n", miss.Severe, plain(miss.PlacementID), plain(miss.Theme), plain(miss.Title), by)
	}
}
