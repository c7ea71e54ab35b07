//go:build cgo

package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/winnowgate/winnow/cmd/internal/config"
	"github.com/winnowgate/winnow/schema"
)

func startCluster(t *testing.T, topics config.Topics) (*kfake.Cluster, config.Config) {
	t.Helper()
	names := []string{}
	for _, topic := range topics.All() {
		names = append(names, topic.Name)
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, names...), kfake.BrokerConfigs(map[string]string{"message.max.bytes": "20000000"}))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	settings := config.Default()
	settings.Kafka.Brokers = cluster.ListenAddrs()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	settings.Admin.Listen = listener.Addr().String()
	require.NoError(t, listener.Close())
	return cluster, settings
}

func encode(t *testing.T, candidate schema.Candidate) []byte {
	t.Helper()
	value, err := schema.NewCodec(schema.DefaultLimits(), nil).EncodeCandidate(&candidate)
	require.NoError(t, err)
	return value
}

func breakfast(id string) schema.Candidate {
	return schema.Candidate{PlacementID: id, Theme: "Breakfast on the go", Products: []schema.Product{
		{ProductID: "1", Title: "Granola bars, oats and honey"}, {ProductID: "2", Title: "Breakfast biscuit with sausage and egg"},
		{ProductID: "3", Title: "Yogurt drink, strawberry"}, {ProductID: "4", Title: "Croissant, butter"},
	}}
}

// Every kind of bad record, among good ones: each becomes one dead letter with its class, nothing is lost, and the
// process stays ready and ends cleanly.
func TestRun_BadInputsBecomeDeadLettersAndNothingIsLost(t *testing.T) {
	_, settings := startCluster(t, config.Default().Topics)
	long := breakfast("long")
	long.Theme = strings.Repeat("x", 100_000)
	bad := map[string]struct {
		value []byte
		class string
	}{
		"undecodable": {[]byte("nonsense"), "encoding"},
		"empty":       {encode(t, schema.Candidate{PlacementID: "empty", Theme: "t"}), "invalid"},
		"huge":        {make([]byte, 10<<20), "limit"},
		"unknown-id":  {[]byte{0, 0, 0, 1, 2, 3}, "unknown-schema"},
		"long":        {encode(t, long), "limit"},
	}
	var records []*kgo.Record
	for key, input := range bad {
		records = append(records, &kgo.Record{Topic: settings.Topics.Candidates, Key: []byte(key), Value: input.value})
	}
	const good = 10
	for i := range good {
		id := fmt.Sprintf("good-%d", i)
		records = append(records, &kgo.Record{Topic: settings.Topics.Candidates, Key: []byte(id), Value: encode(t, breakfast(id))})
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(settings.Kafka.Brokers...), kgo.ProducerBatchMaxBytes(15<<20), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeTopics(settings.Topics.Approved, settings.Topics.Tombstones, settings.Topics.Review, settings.Topics.DeadLetter), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.ProduceSync(t.Context(), records...).FirstErr())

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, settings, zap.NewNop()) }()
	classes, judged := map[string]string{}, map[string]bool{}
	for len(classes)+len(judged) < len(records) {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(record *kgo.Record) {
			if class := headerOf(record, "winnow-error-class"); class != "" {
				classes[string(record.Key)] = class
			} else {
				judged[string(record.Key)] = true
			}
		})
	}
	for key, input := range bad {
		require.Equal(t, input.class, classes[key], key)
	}
	require.Len(t, judged, good)
	status, body := get(t, settings, "/readyz")
	require.Equal(t, http.StatusOK, status, body)
	_, body = get(t, settings, "/metrics")
	require.Contains(t, body, `winnow_dead_letters_total{class="limit"} 2`)
	requireMetrics(t, body)
	_, body = get(t, settings, "/livez")
	require.Equal(t, "ok\n", body)
	stop()
	require.NoError(t, <-ended)
}

// Dashboards and alerts read these names: renaming one needs a migration note.
func requireMetrics(t *testing.T, exposition string) {
	t.Helper()
	var names []string
	for line := range strings.Lines(exposition) {
		if fields := strings.Fields(line); len(fields) > 3 && fields[1] == "TYPE" && strings.HasPrefix(fields[2], "winnow_") && !strings.HasPrefix(fields[2], "winnow_kafka_") {
			names = append(names, fields[2]+" "+fields[3])
		}
	}
	require.Equal(t, []string{
		"winnow_dead_letters_total counter", "winnow_finish_seconds histogram", "winnow_finishes_total counter",
		"winnow_gate_batch_pairs histogram", "winnow_gate_busy_seconds_total counter", "winnow_gate_padded_tokens_total counter",
		"winnow_gate_pairs_total counter", "winnow_gate_pending_tokens gauge", "winnow_gate_stage_seconds histogram",
		"winnow_gate_tokens_total counter", "winnow_gate_workers gauge", "winnow_poll_records histogram",
		"winnow_record_age_seconds histogram", "winnow_verdicts_total counter",
	}, names)
}

func headerOf(record *kgo.Record, key string) string {
	for _, header := range record.Headers {
		if header.Key == key {
			return string(header.Value)
		}
	}
	return ""
}

func get(t *testing.T, settings config.Config, path string) (int, string) {
	t.Helper()
	response, err := http.Get("http://" + settings.Admin.Listen + path)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func TestRun_NamesWhatKeepsItFromStarting(t *testing.T) {
	_, settings := startCluster(t, config.Default().Topics)
	for name, test := range map[string]struct {
		change func(*config.Config)
		says   string
	}{
		"a topic that does not exist": {func(c *config.Config) { c.Topics.Review = "elsewhere" }, "topic elsewhere does not exist"},
		"a bundle that is none":       {func(c *config.Config) { c.Model.Bundle = t.TempDir() }, "manifest.json"},
		"a registry out of reach":     {func(c *config.Config) { c.SchemaRegistry.URL = "http://127.0.0.1:1" }, "schema registry http://127.0.0.1:1"},
		"a provider that is required": {func(c *config.Config) { c.Model.Require = "cuda" }, "cuda"},
		"a budget below one pair":     {func(c *config.Config) { c.Gate.BatchTokens = 64 }, "batch_tokens is 64, below the 128 tokens"},
		"a threshold that crosses":    {func(c *config.Config) { c.Policy.ReviewThreshold = 0.99 }, "review_threshold is 0.99"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := settings
			test.change(&changed)
			err := Run(t.Context(), changed, zap.NewNop())
			require.ErrorContains(t, err, test.says)
		})
	}
}
