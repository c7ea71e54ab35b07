//go:build cgo

package main

import (
	"fmt"
	"io"

	"github.com/winnowgate/winnow/processor/eval"
)

func printReport(out io.Writer, report eval.Report) {
	fmt.Fprintf(out, "%d pairs, %d of them severe, model %s, %.0f pairs/s\n\n", report.Pairs, report.Severe, plain(report.Model), report.PairsPerSecond)
	printPairs(out, report)
	printMistakes(out, "severe, and approved", report.FalseApprovals)
	printMistakes(out, "harmless, and refused as severe", report.FalseViolations)
}

// printPairs says how far the probabilities can be believed, and what other thresholds would do to pairs.
func printPairs(out io.Writer, report eval.Report) {
	fmt.Fprintf(out, `severe AUC                          %.3f
severe average precision            %.3f
macro F1 over the three labels      %.3f
severe pairs that would be approved %.1f %%
pairs sent to review                %.1f %%
expected calibration error          %.3f

`, report.SevereAUC, report.SevereAveragePrecision, report.MacroF1, 100*report.FalseApprovalRate, 100*report.ReviewRate, report.ExpectedCalibrationError)
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
}

// mostPrinted is how many mistakes of a kind a terminal shows; the page and the JSON list more.
const mostPrinted = 8

// printMistakes lists the worst few.
func printMistakes(out io.Writer, title string, mistakes []eval.Mistake) {
	if len(mistakes) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s (P(severe), theme: title)\n", title)
	for _, mistake := range mistakes[:min(len(mistakes), mostPrinted)] {
		fmt.Fprintf(out, "  %.3f  %s: %s\n", mistake.Severe, plain(mistake.Theme), plain(mistake.Title))
	}
}
