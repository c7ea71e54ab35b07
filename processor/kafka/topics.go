package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Topic is one of the topics that the gate reads or writes.
type Topic struct {
	Name    string
	Configs map[string]string // of the topic when it is created
}

// CheckTopics fails unless every topic exists and all have the same number of partitions, which it returns.
func CheckTopics(ctx context.Context, client *kgo.Client, topics []Topic) (int, error) {
	names := make([]string, len(topics))
	for i, topic := range topics {
		names[i] = topic.Name
	}
	details, err := kadm.NewClient(client).ListTopics(ctx, names...)
	if err != nil {
		return 0, fmt.Errorf("look up topics: %w", err)
	}
	var problems []error
	partitions := -1
	for _, name := range names {
		detail, ok := details[name]
		switch {
		case !ok || errors.Is(detail.Err, kerr.UnknownTopicOrPartition):
			problems = append(problems, fmt.Errorf("topic %s does not exist: create it, for example with winnow topics create", name))
		case detail.Err != nil:
			problems = append(problems, fmt.Errorf("topic %s: %w", name, detail.Err))
		case partitions == -1:
			partitions = len(detail.Partitions)
		case len(detail.Partitions) != partitions:
			problems = append(problems, fmt.Errorf("topic %s has %d partitions, %s has %d: all five topics need the same number", name, len(detail.Partitions), names[0], partitions))
		}
	}
	return partitions, errors.Join(problems...)
}

// Created says what CreateTopics did with one topic.
type Created struct {
	Name    string
	Existed bool
}

// CreateTopics creates the topics that do not exist yet.
func CreateTopics(ctx context.Context, client *kgo.Client, topics []Topic, partitions int32, replication int16) ([]Created, error) {
	admin := kadm.NewClient(client)
	created := make([]Created, 0, len(topics))
	for _, topic := range topics {
		configs := make(map[string]*string, len(topic.Configs))
		for key, value := range topic.Configs {
			configs[key] = &value
		}
		_, err := admin.CreateTopic(ctx, partitions, replication, configs, topic.Name)
		existed := errors.Is(err, kerr.TopicAlreadyExists)
		if err != nil && !existed {
			return created, fmt.Errorf("create topic %s: %w", topic.Name, err)
		}
		created = append(created, Created{topic.Name, existed})
	}
	return created, nil
}

// Lag returns, by partition, how many records of topic the group has not committed yet. On a topic that is written in
// transactions it never reads 0: each partition keeps its last commit marker.
func Lag(ctx context.Context, client *kgo.Client, group, topic string) (map[int32]int64, error) {
	lags, err := kadm.NewClient(client).Lag(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("lag of group %s: %w", group, err)
	}
	described, ok := lags[group]
	if !ok {
		return nil, fmt.Errorf("lag of group %s: the group is not known", group)
	}
	if err := described.Error(); err != nil {
		return nil, fmt.Errorf("lag of group %s: %w", group, err)
	}
	lag := map[int32]int64{}
	for partition, member := range described.Lag[topic] {
		lag[partition] = max(member.Lag, 0)
	}
	return lag, nil
}
