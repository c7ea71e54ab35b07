//go:build cgo

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/winnowgate/winnow/cmd/internal/config"
)

func benchCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "bench",
		Short: "Measure the gate on this machine, alone or from Kafka to committed verdicts",
		Args:  noArguments,
		RunE:  func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(benchEngineCommand(), benchPipelineCommand())
	return command
}

// vary returns every setting with every value of a flag's list; without values the settings stay.
func vary[T any](settings []config.Config, values []T, set func(*config.Config, T)) []config.Config {
	if len(values) == 0 {
		return settings
	}
	var varied []config.Config
	for _, setting := range settings {
		for _, value := range values {
			changed := setting
			set(&changed, value)
			varied = append(varied, changed)
		}
	}
	return varied
}

// valid returns settings, or what is wrong with one of them.
func valid(settings []config.Config) ([]config.Config, error) {
	for _, setting := range settings {
		if err := setting.Validate(); err != nil {
			return nil, usageError{err}
		}
	}
	return settings, nil
}

// atLeast refuses a flag's values below a bound.
func atLeast(bound int, flags map[string][]int) error {
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		for _, value := range flags[name] {
			if value < bound {
				return usageError{fmt.Errorf("--%s is %d, must be at least %d", name, value, bound)}
			}
		}
	}
	return nil
}

// report prints rows, a table or one JSON object a row, on standard output.
func report[T any](rows []T, asJSON bool, table func(io.Writer, []T) error) error {
	if len(rows) == 0 {
		return nil
	}
	if !asJSON {
		return table(os.Stdout, rows)
	}
	encoder := json.NewEncoder(os.Stdout)
	for _, row := range rows {
		if err := encoder.Encode(row); err != nil {
			return err
		}
	}
	return nil
}
