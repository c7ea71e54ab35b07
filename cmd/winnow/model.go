//go:build cgo

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/winnowgate/winnow/model"
)

func modelCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "model",
		Short: "Build, look at and check a model bundle",
		Args:  noArguments,
		RunE:  func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(modelBuildCommand(), modelInspectCommand(), modelVerifyCommand())
	return command
}

func modelInspectCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "inspect [FOLDER]",
		Short:   "What a bundle is: thresholds, figures, origin; without a folder, the starter",
		Example: "  winnow model inspect\n  winnow model inspect bundles/snacks",
		Args:    atMostOneFolder,
		RunE: func(command *cobra.Command, arguments []string) error {
			bundle, err := openBundle(arguments)
			if err != nil {
				return err
			}
			printBundle(command.OutOrStdout(), bundle)
			return nil
		},
	}
}

func modelVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify [FOLDER]",
		Short: "Check every file of a bundle against its manifest; without a folder, the starter",
		Args:  atMostOneFolder,
		RunE: func(command *cobra.Command, arguments []string) error {
			bundle, err := openBundle(arguments)
			if err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "%s: %d files are what its manifest says\n", bundle.ID(), len(bundle.Manifest.Files))
			return nil
		},
	}
}

func atMostOneFolder(command *cobra.Command, arguments []string) error {
	if len(arguments) > 1 {
		return usageError{fmt.Errorf("%s takes one folder, got %q too: see %s --help", command.CommandPath(), arguments[1], command.CommandPath())}
	}
	return nil
}

func openBundle(arguments []string) (*model.Bundle, error) {
	location := model.Starter
	if len(arguments) > 0 {
		location = arguments[0]
	}
	return model.Open(location)
}

func printBundle(out io.Writer, bundle *model.Bundle) {
	manifest := bundle.Manifest
	fmt.Fprintf(out, `%s
labels                   %v, at most %d tokens a pair
arithmetic               %s
temperature              %.3f (%s)
severe from              %s
uncertain from           %s
weak from                %s
trained on               %d pairs: %s (%s)
started from             %s (%s)

on %d pairs of themes never trained on
severe AUC               %.3f
severe average precision %.3f
macro F1                 %.3f
severe pairs approved    %.1f %%
pairs sent to review     %.1f %%
calibration error        %.3f

`, bundle.ID(), manifest.Labels, manifest.MaxTokens, arithmetic(manifest), manifest.Calibration.Temperature, manifest.Calibration.Method,
		threshold(manifest.Thresholds.Severe), threshold(manifest.Thresholds.Review), threshold(manifest.Thresholds.Weak),
		manifest.Training.Pairs, manifest.Training.Data, manifest.Training.DataLicence, manifest.Training.Base, manifest.Training.BaseLicence,
		manifest.Metrics.Pairs, manifest.Metrics.SevereAUC, manifest.Metrics.SevereAveragePrecision, manifest.Metrics.MacroF1,
		100*manifest.Metrics.FalseApprovalRate, 100*manifest.Metrics.ReviewRate, manifest.Metrics.ExpectedCalibrationError)
	for _, name := range slices.Sorted(maps.Keys(manifest.Files)) {
		file := manifest.Files[name]
		fmt.Fprintf(out, "%-24s %9d bytes  sha256 %s\n", name, file.Bytes, file.SHA256)
	}
}

func threshold(t model.Threshold) string {
	return fmt.Sprintf("%.4f, by %d pairs, %d of them of its label (%s)", t.Value, t.Pairs, t.Positives, t.Method)
}

// arithmetic says how the graph computes, and how far that is from its checkpoint.
func arithmetic(manifest model.Manifest) string {
	parity := fmt.Sprintf("the graph in fp32 is within %.1g of the checkpoint's logits on %d pairs", manifest.Parity.LargestLogitDifference, manifest.Parity.Pairs)
	quantisation := manifest.Quantisation
	if quantisation == nil {
		return manifest.Arithmetic + "; " + parity
	}
	return fmt.Sprintf("%s in %d of %d matrix products; %s\n"+
		"                         against fp32 %.2f %% of %d decisions differ, %.2f %% go from severe to approved\n"+
		"                         over %d random batches one pair's logits moved by %.1g",
		manifest.Arithmetic, quantisation.Products, quantisation.Products+len(quantisation.KeptFP32), parity,
		100*quantisation.DecisionFlips, quantisation.Pairs, 100*quantisation.SevereToApproved, quantisation.Batches, quantisation.Spread)
}
