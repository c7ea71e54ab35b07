//go:build cgo

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/winnowgate/winnow/cmd/internal/config"
	"github.com/winnowgate/winnow/processor/eval"
	"github.com/winnowgate/winnow/processor/judge/rules"
)

func rulesCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "rules",
		Short: "Check rules, and see on labelled pairs what they change",
		Long: `A rule has a name, when (an expression in CEL over theme, title, product_id, attributes, generator and the probabilities
relevant, weak and severe) and then: severe, uncertain, weak or relevant. The first that matches a product decides it:

  - name: no-beer-for-kids
    when: theme.has_word(['kid', 'school']) && title.without(['root beer']).has_word(['beer', 'pale ale'])
    then: severe

docs/operations.md says the rest. Both commands read a file with such a list, or hazards: the rules inside the binary.`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(rulesCheckCommand(), rulesTestCommand())
	return command
}

func rulesCheckCommand() *cobra.Command {
	command := &cobra.Command{
		Use:     "check",
		Short:   "Compile rules and point at what is wrong",
		Example: "  winnow rules check --rules hazards.yaml",
		Args:    noArguments,
	}
	file := rulesFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		set, err := readRules(*file)
		if err != nil {
			return usageError{err}
		}
		for _, rule := range set.Rules() {
			fmt.Fprintf(command.OutOrStdout(), "%-9s  %s\n", rule.Then, rule.Name)
		}
		fmt.Fprintf(command.OutOrStdout(), "%d rules compile, version %s\n", len(set.Rules()), set.Version())
		return nil
	}
	return command
}

func rulesTestCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "test",
		Short: "What rules change on labelled pairs",
		Long: `Scores a CSV file with the columns theme, title and label (relevant, weak or severe), decides each pair by the policy of the
configuration once without rules and once with those of the file alone, and reports for every rule how many pairs it decided and what
their labels are, and the pairs whose decision changes, those first on which the label says that the rule is wrong.`,
		Example: "  winnow rules test --rules hazards.yaml --pairs labelled.csv\n  winnow rules test --rules hazards --pairs labelled.csv --json | jq '.changes[] | select(.harm > 0)'",
		Args:    noArguments,
	}
	path, file := configFlag(command), rulesFlag(command)
	labelled := command.Flags().String("pairs", "", "CSV file of labelled pairs (required)")
	asJSON := command.Flags().Bool("json", false, "print the report as one JSON object")
	command.RunE = func(command *cobra.Command, _ []string) error {
		set, err := readRules(*file)
		if err != nil {
			return usageError{err}
		}
		pairs, err := readPairs(*labelled)
		if err != nil {
			return usageError{err}
		}
		settings, err := loadConfig(*path)
		if err != nil {
			return err
		}
		engine, err := openEngine(command.Context(), settings)
		if err != nil {
			return err
		}
		report, err := eval.CompareRules(command.Context(), engine.Gate, set, pairs, scoringBar(len(pairs)))
		if err := errors.Join(err, engine.Close()); err != nil {
			return err
		}
		report.Model = engine.Bundle.ID()
		if *asJSON {
			return json.NewEncoder(os.Stdout).Encode(report)
		}
		printRules(os.Stdout, report)
		return nil
	}
	return command
}

func rulesFlag(command *cobra.Command) *string {
	return command.Flags().String("rules", "", "YAML file of rules, or hazards: those inside the binary (required)")
}

func readRules(path string) (*rules.Set, error) {
	if path == "" {
		return nil, errors.New("--rules is missing: name a YAML file of rules, or hazards for those inside the binary")
	}
	source, err := config.ReadRules(path)
	if err != nil {
		return nil, fmt.Errorf("--rules: %w", err)
	}
	return rules.Compile(source)
}

func printRules(out io.Writer, report eval.RulesReport) {
	fmt.Fprintf(out, `%d pairs, model %s: the rules decide %d and change %d

                             without rules   with them
severe pairs shown           %13d %11d
severe pairs found severe    %13d %11d
harmless pairs found severe  %13d %11d
weak pairs shown             %13d %11d
relevant pairs shown         %13d %11d

%-32s %-9s %8s %8s %8s %8s %8s
`, report.Pairs, report.Model, report.Decided, report.Changed,
		report.Without.SevereShown, report.With.SevereShown, report.Without.SevereRefused, report.With.SevereRefused,
		report.Without.HarmlessCondemned, report.With.HarmlessCondemned, report.Without.WeakShown, report.With.WeakShown,
		report.Without.RelevantShown, report.With.RelevantShown,
		"rule", "then", "decided", "changed", "severe", "weak", "relevant")
	for _, rule := range report.Rules {
		printRule(out, rule)
	}
	const most = 20
	if len(report.Changes) > 0 {
		fmt.Fprintf(out, "\nwhat changes, the worst first (label, before > after, rule, theme: title)\n")
	}
	for _, change := range report.Changes[:min(len(report.Changes), most)] {
		fmt.Fprintf(out, "  %-8s  %s > %s  %s  %s: %s\n", change.Label, change.Before, change.After, change.Rule, plain(change.Theme), plain(change.Title))
		if change.Failed != "" {
			fmt.Fprintf(out, "            %s\n", plain(change.Failed))
		}
	}
	if len(report.Changes) > most {
		fmt.Fprintf(out, "  and %d more (--json lists the worst 200)\n", report.Changed-most)
	}
}

func printRule(out io.Writer, rule eval.RuleCount) {
	fmt.Fprintf(out, "%-32s %-9s %8d %8d %8d %8d %8d", rule.Name, rule.Then, rule.Decided, rule.Changed, rule.Severe, rule.Weak, rule.Relevant)
	if rule.Failed > 0 {
		fmt.Fprintf(out, "  %d could not be evaluated", rule.Failed)
	}
	fmt.Fprintln(out)
}
