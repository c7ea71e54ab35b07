//go:build cgo

package demo

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/winnowgate/winnow/cmd/internal/config"
)

func TestGenerate_PublishesWhatWasAskedForAndStopsWhenAsked(t *testing.T) {
	settings := config.Default()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, settings.Topics.Candidates))
	require.NoError(t, err)
	defer cluster.Close()
	settings.Kafka.Brokers = cluster.ListenAddrs()
	for range 2 { // each run publishes other placements
		published, err := Generate(t.Context(), settings, 25, 1000, zap.NewNop())
		require.NoError(t, err)
		require.Equal(t, 25, published)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(settings.Kafka.Brokers...), kgo.ConsumeTopics(settings.Topics.Candidates))
	require.NoError(t, err)
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), settings.Topics.Candidates)
	require.NoError(t, err)
	total := int64(0)
	ends.Each(func(offset kadm.ListedOffset) { total += offset.Offset })
	require.EqualValues(t, 50, total)
	keys := map[string]bool{}
	for len(keys) < 50 {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(record *kgo.Record) {
			require.False(t, keys[string(record.Key)])
			keys[string(record.Key)] = true
		})
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Generate(ctx, settings, 0, 1000, zap.NewNop())
	require.ErrorIs(t, err, context.Canceled)
}
