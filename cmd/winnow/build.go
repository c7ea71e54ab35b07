//go:build cgo

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/model/onnx"
)

// buildOptions are the flags of winnow model build; what they mean stands at the builder, model/training.
type buildOptions struct {
	checkpoint, out, name, arithmetic string
	pairs, split                      string
	labels                            []string
	maxTokens                         int
	training, python                  string
	shares                            []share
}

// share is a flag of the builder that takes 0 to 1.
type share struct {
	flag  string
	value *float64
}

func modelBuildCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "build",
		Short: "Build a bundle from a Hugging Face DeBERTa-v2 or v3 classifier",
		Long: `Folds a checkpoint (config.json, model.safetensors, tokenizer.json) into a fast graph, proves that it computes the same,
fits temperature and thresholds on labelled pairs, and writes a bundle that winnow run can load.

It drives the builder in model/training of Winnow's source, which needs Python 3.11 or newer with the packages of
model/training/requirements-test.txt, and no training framework. The pairs are a CSV file with the columns theme, title and
label, in UTF-8 and read by the same strict rules as by winnow eval; the split says with the columns theme and part which
themes are train, validation and test (make one with python -m winnow_training.split).

A bundle that is there is replaced when the new one is whole; a build that fails or is stopped leaves it. What the builder
says goes to standard error. Exit codes: 1 it refused the checkpoint or the pairs, 2 a flag is wrong.`,
		Example: "  winnow model build --checkpoint ./deberta --pairs labelled.csv --split split.csv --out bundles/snacks --name snacks\n" +
			"  winnow model build --checkpoint ./sigmoid --label LABEL_0=severe --arithmetic int8 --pairs labelled.csv --split split.csv --out bundles/fast",
		Args: noArguments,
	}
	var options buildOptions
	flags := command.Flags()
	flags.StringVar(&options.checkpoint, "checkpoint", "", "folder of the checkpoint (required)")
	flags.StringVar(&options.out, "out", "", "folder of the bundle; if it holds one, that is replaced at the end (required)")
	flags.StringVar(&options.pairs, "pairs", "", "CSV file of labelled pairs; without it those of the starter")
	flags.StringVar(&options.split, "split", "", "CSV file that says which theme is in which part; without it the starter's")
	flags.StringVar(&options.name, "name", "", "the bundle's name in verdicts (required)")
	flags.StringVar(&options.arithmetic, "arithmetic", model.FP32, "of the matrix products: fp32 or int8")
	flags.StringArrayVar(&options.labels, "label", nil, "NAME=LABEL: which of relevant, weak and severe a checkpoint's label means")
	flags.IntVar(&options.maxTokens, "max-tokens", 128, fmt.Sprintf("longest pair that the bundle reads, %d to %d", model.MinTokens, model.MaxTokens))
	for _, of := range []struct {
		flag   string
		normal float64
		usage  string
	}{
		{"missed-severe", 0.03, "bound on the share of severe pairs below the review threshold"},
		{"severe-precision", 0.8, "bound on the share of violations that are right"},
		{"severe-share", 0.04, "share of severe products in traffic"},
		{"weak-share", 0.12, "share of weak products in traffic"},
		{"lost-relevant", 0.02, "bound on the share of relevant pairs called weak"},
	} {
		options.shares = append(options.shares, share{of.flag, flags.Float64(of.flag, of.normal, of.usage)})
	}
	risk := flags.Float64("risk", 0, "1 minus --severe-precision")
	if err := flags.MarkDeprecated("risk", "use --severe-precision, which is 1 minus it"); err != nil {
		panic(err) // the flag stands in the line before
	}
	flags.StringVar(&options.training, "training", "model/training", "the folder model/training of Winnow's source")
	flags.StringVar(&options.python, "python", "python3", "the Python that has the builder's packages")
	command.RunE = func(command *cobra.Command, _ []string) error {
		if flags.Changed("risk") {
			if err := flags.Set("severe-precision", fmt.Sprint(1-*risk)); err != nil {
				return usageError{err}
			}
		}
		arguments, err := options.arguments()
		if err != nil {
			return usageError{err}
		}
		if strings.ContainsRune(options.python, filepath.Separator) { // the builder runs in another folder
			if options.python, err = filepath.Abs(options.python); err != nil {
				return usageError{err}
			}
		}
		if err := options.ready(command.Context()); err != nil {
			return usageError{err}
		}
		if err := options.run(command.Context(), arguments); err != nil {
			return builderError(err)
		}
		bundle, err := model.Open(options.out)
		if err != nil {
			return err
		}
		fmt.Fprintf(command.OutOrStdout(), "%s is ready: set model.bundle to %s\n", bundle.ID(), options.out)
		return nil
	}
	return command
}

// builderError passes on what the exit code says: 2 blames a flag. Why stands on standard error already.
func builderError(err error) error {
	var exit *exec.ExitError
	stopped := fmt.Errorf("the builder stopped: %w", err)
	if errors.As(err, &exit) && exit.ExitCode() == exitUsage {
		return usageError{stopped}
	}
	return stopped
}

// arguments are the builder's, with absolute paths, because it runs in its own folder.
func (o buildOptions) arguments() ([]string, error) {
	var problems []error
	for _, required := range []struct{ flag, value string }{{"checkpoint", o.checkpoint}, {"out", o.out}, {"name", o.name}} {
		if required.value == "" {
			problems = append(problems, fmt.Errorf("--%s is missing: see winnow model build --help", required.flag))
		}
	}
	if o.name != "" && !model.ValidName(o.name) {
		problems = append(problems, fmt.Errorf("--name is %q, which holds an @ or white space", o.name))
	}
	if o.maxTokens < model.MinTokens || o.maxTokens > model.MaxTokens {
		problems = append(problems, fmt.Errorf("--max-tokens is %d, must be %d to %d", o.maxTokens, model.MinTokens, model.MaxTokens))
	}
	for _, share := range o.shares {
		if !(*share.value >= 0 && *share.value <= 1) { // NaN is no share either
			problems = append(problems, fmt.Errorf("--%s is %v, must be 0 to 1", share.flag, *share.value))
		}
	}
	if (o.pairs == "") != (o.split == "") {
		problems = append(problems, errors.New("--pairs and --split go together: python -m winnow_training.split --pairs F.csv --out split.csv makes a split"))
	}
	arguments := []string{
		"-m", "winnow_training.bundle", "--name", o.name, "--arithmetic", o.arithmetic, "--max-tokens", strconv.Itoa(o.maxTokens),
	}
	for _, share := range o.shares {
		arguments = append(arguments, "--"+share.flag, fmt.Sprint(*share.value))
	}
	for _, label := range o.labels {
		arguments = append(arguments, "--label", label)
	}
	for _, path := range []struct{ flag, value string }{{"--checkpoint", o.checkpoint}, {"--out", o.out}, {"--pairs", o.pairs}, {"--split", o.split}} {
		if path.value == "" {
			continue
		}
		absolute, err := filepath.Abs(path.value)
		problems = append(problems, err)
		arguments = append(arguments, path.flag, absolute)
	}
	return arguments, errors.Join(problems...)
}

// ready says what is missing before the builder is started.
func (o buildOptions) ready(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(o.training, "winnow_training", "bundle.py")); err != nil {
		return fmt.Errorf("--training %s: %w: name the folder model/training of Winnow's source", o.training, err)
	}
	probe := exec.CommandContext(ctx, o.python, "-c", "import winnow_training.bundle")
	probe.Dir = o.training
	if said, err := probe.CombinedOutput(); err != nil {
		lines := bytes.Split(bytes.TrimSpace(said), []byte("\n"))
		return fmt.Errorf("--python %s can't run the builder: %w: %s: install its packages with pip install --require-hashes -r %s",
			o.python, err, lines[len(lines)-1], filepath.Join(o.training, "requirements-test.txt"))
	}
	return nil
}

func (o buildOptions) run(ctx context.Context, arguments []string) error {
	builder := exec.CommandContext(ctx, o.python, arguments...)
	builder.Dir, builder.Stdout, builder.Stderr = o.training, os.Stderr, os.Stderr
	if operators, err := onnx.FindOperators(); err == nil { // without them the builder says so and goes on with their functions
		builder.Env = append(os.Environ(), model.OperatorsVariable+"="+operators)
	}
	return builder.Run()
}
