//go:build cgo

package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/winnowgate/winnow/cmd/internal/app"
	"github.com/winnowgate/winnow/processor/kafka"
)

func topicsCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "topics",
		Short: "The five topics of the gate",
		Args:  noArguments,
		RunE:  func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(topicsCreateCommand())
	return command
}

func topicsCreateCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "create",
		Short: "Create the five topics that the configuration names; those that exist stay as they are",
		Long: `Creates the topics with the same number of partitions each. The approved topic is compacted, so that the newest record
of a placement is the truth; tombstones are kept for a year.`,
		Example: "  winnow topics create --config gate.yaml --partitions 12",
		Args:    noArguments,
	}
	path := configFlag(command)
	partitions := command.Flags().Int32("partitions", 6, "partitions of each topic: the most lanes that can work side by side")
	replication := command.Flags().Int16("replication", -1, "replicas of each partition; -1 is the cluster's default")
	command.RunE = func(command *cobra.Command, _ []string) error {
		if *partitions < 1 {
			return usageError{fmt.Errorf("--partitions is %d, must be at least 1", *partitions)}
		}
		if *replication == 0 || *replication < -1 {
			return usageError{fmt.Errorf("--replication is %d, must be -1 or at least 1", *replication)}
		}
		settings, err := loadConfig(*path)
		if err != nil {
			return err
		}
		client, err := app.Connection(settings, zap.NewNop()).Client(command.Context())
		if err != nil {
			return err
		}
		defer client.Close()
		topics := app.Topics(settings.Topics)
		created, err := kafka.CreateTopics(command.Context(), client, topics, *partitions, *replication)
		for _, topic := range created {
			state := "created"
			if topic.Existed {
				state = "exists"
			}
			fmt.Fprintf(os.Stdout, "%-8s %s\n", state, topic.Name)
		}
		if err != nil {
			return err
		}
		_, err = kafka.CheckTopics(command.Context(), client, topics)
		return err
	}
	return command
}
