//go:build cgo && broker

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/winnowgate/winnow/cmd/internal/bench"
	"github.com/winnowgate/winnow/processor/processortest"
)

// One replica and two: every placement is counted once, rows are complete, and no topic is left behind. Once a replica is
// killed, the bench ends, says so, and cleans up too.
func TestRun_BenchPipeline(t *testing.T) {
	broker := processortest.StartBroker(t)
	t.Run("measures one replica and two", func(t *testing.T) {
		command := winnow(t, "bench", "pipeline", "--brokers", broker, "--placements", "40", "--products", "5", "--rounds", "1",
			"--partitions", "2", "--replicas", "1,2", "--workers", "1", "--load", "0.2", "--sampling", "1s", "--json")
		var progress bytes.Buffer
		command.Stderr = &progress
		output, err := command.Output()
		require.NoError(t, err, "%s", &progress)
		rows := json.NewDecoder(bytes.NewReader(output))
		for replicas := 1; replicas <= 2; replicas++ {
			var row bench.PipelineResult
			require.NoError(t, rows.Decode(&row), "%s", output)
			require.Equal(t, replicas, row.Replicas)
			require.Equal(t, replicas, row.Workers)
			require.Equal(t, 40, row.Age.Records, "one verdict for each placement")
			require.Positive(t, row.Age.P50)
			require.GreaterOrEqual(t, row.Age.P99, row.Age.P50)
			require.InDelta(t, 200, row.PairsPerSecond*row.Seconds, 1e-6, "40 placements of 5 products, each once")
			require.Positive(t, row.Scored)
			require.InEpsilon(t, row.PairsPerSecond/row.EnginePairsSecond, row.OfEngine, 1e-9)
			require.NotNil(t, row.AgeAtLoad)
			require.Positive(t, row.AgeAtLoad.Records)
		}
		require.False(t, rows.More())
		requireNoBenchTopics(t, broker)
	})
	t.Run("ends with a replica that is killed", func(t *testing.T) {
		command := winnow(t, "bench", "pipeline", "--brokers", broker, "--placements", "50000", "--products", "1", "--rounds", "1", "--load", "0")
		output, err := command.StderrPipe()
		require.NoError(t, err)
		require.NoError(t, command.Start())
		lines := bufio.NewScanner(output)
		require.True(t, lines.Scan())
		require.Contains(t, lines.Text(), "starting 1 replica(s)")
		awaitBenchRecords(t, broker)
		require.NoError(t, syscall.Kill(childOf(t, command.Process.Pid), syscall.SIGKILL))
		var rest strings.Builder
		for lines.Scan() {
			fmt.Fprintln(&rest, lines.Text())
		}
		require.Error(t, command.Wait())
		require.Contains(t, rest.String(), "a replica ended")
		require.Contains(t, rest.String(), "signal: killed")
		requireNoBenchTopics(t, broker)
	})
}

// awaitBenchRecords returns once something is published to one of the bench's topics: its replicas are ready by then.
func awaitBenchRecords(t *testing.T, broker string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeRegex(), kgo.ConsumeTopics(`^winnow-bench-.*\.candidates$`),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(100*time.Millisecond), kgo.MetadataMaxAge(time.Second))
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	fetches := client.PollFetches(ctx)
	require.NoError(t, fetches.Err())
	require.False(t, fetches.Empty())
}

// childOf returns a process that this one has started.
func childOf(t *testing.T, process int) int {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", process))
	require.NoError(t, err)
	for _, task := range tasks {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", process, task.Name()))
		require.NoError(t, err)
		if fields := strings.Fields(string(children)); len(fields) > 0 {
			child, err := strconv.Atoi(fields[0])
			require.NoError(t, err)
			return child
		}
	}
	t.Fatalf("process %d has started none", process)
	return 0
}

func requireNoBenchTopics(t *testing.T, broker string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	require.NoError(t, err)
	defer client.Close()
	topics, err := kadm.NewClient(client).ListTopics(t.Context())
	require.NoError(t, err)
	for _, name := range topics.Names() {
		require.NotContains(t, name, "winnow-bench-")
	}
}
