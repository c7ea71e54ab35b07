//go:build cgo && broker

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/winnowgate/winnow/cmd/internal/demo"
	"github.com/winnowgate/winnow/processor/processortest"
	"github.com/winnowgate/winnow/schema"
)

// binaryVariable names the built winnow.
const binaryVariable = "WINNOW_BINARY"

const (
	candidates = 5000
	keys       = 4000 // fewer than candidates: a fifth of the placements is proposed again
	partitions = 6
)

var outputTopics = []string{processortest.Approved, processortest.Tombstones, processortest.Review, processortest.DeadLetter}

func winnow(t *testing.T, arguments ...string) *exec.Cmd {
	t.Helper()
	binary := os.Getenv(binaryVariable)
	require.NotEmpty(t, binary, "%s is not set: run make test-broker", binaryVariable)
	command := exec.Command(binary, arguments...)
	// A clean environment: variables of this test must not be read as configuration.
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	return command
}

// replica is one winnow run.
type replica struct {
	command *exec.Cmd
	log     bytes.Buffer
}

func startReplica(t *testing.T, config, name string) *replica {
	t.Helper()
	started := &replica{command: winnow(t, "run", "--config", config)}
	started.command.Env = append(started.command.Env, "WINNOW_KAFKA_REPLICA="+name)
	started.command.Stderr = &started.log
	require.NoError(t, started.command.Start())
	t.Cleanup(func() {
		if started.command.ProcessState == nil {
			_ = started.command.Process.Kill() // it may have ended by itself
			_ = started.command.Wait()
		}
		if t.Failed() {
			t.Logf("%s:\n%s", name, started.log.String())
		}
	})
	return started
}

func (r *replica) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, r.command.Process.Kill())
	require.Error(t, r.command.Wait())
}

func (r *replica) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, r.command.Process.Signal(syscall.SIGTERM))
	require.NoError(t, r.command.Wait(), "SIGTERM must end a run cleanly")
}

// Two replicas gate 5,000 candidates in 6 partitions; one is killed with -9 midway and started again. Every candidate ends
// with exactly one verdict, the same that winnow score gives, and no severe or doubtful key stays approved.
func TestRun_ExactlyOnceThroughAKill(t *testing.T) {
	broker := processortest.StartBroker(t)
	config := writeConfig(t, broker, "exactly-once")
	create := winnow(t, "topics", "create", "--config", config, "--partitions", fmt.Sprint(partitions), "--replication", "1")
	text, err := create.CombinedOutput()
	require.NoError(t, err, "%s", text)

	records := makeRecords(t)
	publish(t, broker, records)
	first, second := startReplica(t, config, "first"), startReplica(t, config, "second")
	verdicts := newCounter(t, broker)
	verdicts.await(t, candidates*3/10)
	first.kill(t)
	t.Logf("killed one replica after %d verdicts", len(verdicts.sources))
	restarted := startReplica(t, config, "first")
	verdicts.await(t, candidates)
	restarted.stop(t)
	second.stop(t)

	expected := scoreAll(t, records)
	inputs := make([]processortest.Input, len(records))
	for i, record := range records {
		inputs[i] = processortest.Input{Source: fmt.Sprintf("%s/%d/%d", record.Topic, record.Partition, record.Offset), Key: string(record.Key), Verdict: expected[i]}
	}
	report := processortest.Verify(inputs, processortest.ReadOutputs(t, broker, outputTopics...))
	t.Logf("%s faults=1 candidates=%d", report, len(inputs))
	require.True(t, report.OK(), "%+v", report)
}

func writeConfig(t *testing.T, broker, delivery string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gate.yaml")
	// Small polls and no memory of scores, so that the kill falls into the middle of the work.
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `kafka: {brokers: ["%s"], delivery: %s, poll_records: 32}
gate: {cache_entries: 0}
admin: {listen: 127.0.0.1:0}
`, broker, delivery), 0o600))
	return path
}

// makeRecords returns the demo's stream: whole placements, some violations, some records that are cut off.
func makeRecords(t *testing.T) []*kgo.Record {
	t.Helper()
	generator, err := demo.NewGenerator("placement", 7)
	require.NoError(t, err)
	codec := schema.NewCodec(schema.DefaultLimits(), nil)
	records := make([]*kgo.Record, candidates)
	for i := range records {
		if i%keys == 0 { // the same placements again, with other products
			generator, err = demo.NewGenerator("placement", 7+uint64(i))
			require.NoError(t, err)
		}
		records[i], _, err = generator.NextRecord(codec, processortest.Candidates)
		require.NoError(t, err)
	}
	return records
}

func publish(t *testing.T, broker string, records []*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.ProduceSync(t.Context(), records...).FirstErr())
}

// counter follows the verdicts while they are committed.
type counter struct {
	client  *kgo.Client
	sources map[string]bool
}

func newCounter(t *testing.T, broker string) *counter {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(outputTopics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return &counter{client, map[string]bool{}}
}

func (c *counter) await(t *testing.T, count int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	for len(c.sources) < count {
		fetches := c.client.PollFetches(ctx)
		require.NoError(t, ctx.Err(), "%d of %d verdicts", len(c.sources), count)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(record *kgo.Record) {
			for _, header := range record.Headers {
				if header.Key == "winnow-source" {
					c.sources[string(header.Value)] = true
				}
			}
		})
	}
}

// scoreAll judges the same records with winnow score and returns the verdicts; what can't be decoded is a dead letter.
func scoreAll(t *testing.T, records []*kgo.Record) []string {
	t.Helper()
	codec := schema.NewCodec(schema.DefaultLimits(), nil)
	verdicts := make([]string, len(records))
	var input bytes.Buffer
	var indexes []int
	for i, record := range records {
		candidate, err := codec.DecodeCandidate(t.Context(), record.Value)
		if err != nil {
			verdicts[i] = "dead-letter"
			continue
		}
		require.NoError(t, json.NewEncoder(&input).Encode(candidate))
		indexes = append(indexes, i)
	}
	command := winnow(t, "score")
	command.Stdin = &input
	output, err := command.Output()
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	require.Len(t, lines, len(indexes))
	for i, text := range lines {
		var verdict line
		require.NoError(t, json.Unmarshal([]byte(text), &verdict))
		verdicts[indexes[i]] = verdict.Verdict
	}
	return verdicts
}
