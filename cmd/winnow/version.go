//go:build cgo

package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/winnowgate/winnow/model"
)

// version is set by the linker (make build).
var version = "development"

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "The version of this binary and of the model inside it",
		Args:  noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			bundle, err := model.Open(model.Starter)
			if err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "winnow %s\nmodel  %s\ngo     %s %s/%s\n", version, bundle.ID(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}
