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
		Short: "Look at a model bundle",
		Args:  noArguments,
		RunE:  func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(modelInspectCommand(), modelVerifyCommand())
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
temperature              %.3f (%s)
thresholds               severe %.4f, review %.4f, by %d severe pairs
                         %s
trained on               %d pairs: %s (%s)
started from             %s (%s)

on %d pairs of themes never trained on
severe AUC               %.3f
severe average precision %.3f
macro F1                 %.3f
severe pairs approved    %.1f %%
pairs sent to review     %.1f %%
calibration error        %.3f

`, bundle.ID(), manifest.Labels, manifest.MaxTokens, manifest.Calibration.Temperature, manifest.Calibration.Method,
		manifest.Thresholds.Severe, manifest.Thresholds.Review, manifest.Thresholds.Positives, manifest.Thresholds.Method,
		manifest.Training.Pairs, manifest.Training.Data, manifest.Training.DataLicence, manifest.Training.Base, manifest.Training.BaseLicence,
		manifest.Metrics.Pairs, manifest.Metrics.SevereAUC, manifest.Metrics.SevereAveragePrecision, manifest.Metrics.MacroF1,
		100*manifest.Metrics.FalseApprovalRate, 100*manifest.Metrics.ReviewRate, manifest.Metrics.ExpectedCalibrationError)
	for _, name := range slices.Sorted(maps.Keys(manifest.Files)) {
		file := manifest.Files[name]
		fmt.Fprintf(out, "%-24s %9d bytes  sha256 %s\n", name, file.Bytes, file.SHA256)
	}
}
