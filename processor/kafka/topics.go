package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topic is one of the topics that the gate reads or writes.
type Topic struct {
	Name    string
	Configs map[string]string // of the topic when it is created
}

// CheckTopics fails unless every topic exists and all have the same number of partitions, which it returns.
func CheckTopics(ctx context.Context, client *kgo.Client, topics []Topic) (int, error) {
	described, err := describe(ctx, client, topics)
	if err != nil {
		return 0, err
	}
	var problems []error
	partitions := -1
	for _, topic := range topics {
		found := described[topic.Name]
		switch {
		case errors.Is(found.err, kerr.UnknownTopicOrPartition):
			problems = append(problems, fmt.Errorf("topic %s does not exist: create it, for example with winnow topics create", topic.Name))
		case found.err != nil:
			problems = append(problems, fmt.Errorf("topic %s: %w", topic.Name, found.err))
		case partitions == -1:
			partitions = found.partitions
		case found.partitions != partitions:
			problems = append(problems, fmt.Errorf("topic %s has %d partitions, %s has %d: all five topics need the same number", topic.Name, found.partitions, topics[0].Name, partitions))
		}
	}
	return partitions, errors.Join(problems...)
}

type description struct {
	partitions int
	err        error
}

// describe asks the broker itself; kadm would answer from the client's memory, which a topic just created is not in.
func describe(ctx context.Context, client *kgo.Client, topics []Topic) (map[string]description, error) {
	request := kmsg.NewPtrMetadataRequest()
	for _, topic := range topics {
		named := kmsg.NewMetadataRequestTopic()
		named.Topic = kmsg.StringPtr(topic.Name)
		request.Topics = append(request.Topics, named)
	}
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("look up topics: %w", err)
	}
	described := map[string]description{}
	for _, topic := range response.Topics {
		if topic.Topic != nil {
			described[*topic.Topic] = description{len(topic.Partitions), kerr.ErrorForCode(topic.ErrorCode)}
		}
	}
	return described, nil
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
	return created, awaitTopics(ctx, client, topics)
}

// awaitTopics returns once the brokers answer for every topic: they learn of a new one a moment after it is created.
func awaitTopics(ctx context.Context, client *kgo.Client, topics []Topic) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		described, err := describe(ctx, client, topics)
		if err != nil {
			return err
		}
		missing := slices.IndexFunc(topics, func(topic Topic) bool { return described[topic.Name].err != nil })
		if missing < 0 {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("topic %s was created but does not show: %w", topics[missing].Name, described[topics[missing].Name].err)
		}
	}
}

// TopicLimits returns the largest batch in bytes that each topic takes, as the brokers are configured.
func TopicLimits(ctx context.Context, client *kgo.Client, names ...string) (map[string]int32, error) {
	configs, err := kadm.NewClient(client).DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("look up max.message.bytes: %w", err)
	}
	limits := map[string]int32{}
	for _, config := range configs {
		if config.Err != nil {
			return nil, fmt.Errorf("look up max.message.bytes of topic %s: %w", config.Name, config.Err)
		}
		for _, entry := range config.Configs {
			if entry.Key != "max.message.bytes" || entry.Value == nil {
				continue
			}
			limit, err := strconv.ParseInt(*entry.Value, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("max.message.bytes of topic %s: %w", config.Name, err)
			}
			limits[config.Name] = int32(limit)
		}
	}
	return limits, nil
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
