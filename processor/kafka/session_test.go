package kafka_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/winnowgate/winnow/processor"
	"github.com/winnowgate/winnow/processor/kafka"
)

const (
	in    = "in"
	out   = "out"
	group = "gate"
)

type session interface {
	processor.Session
	Close()
}

// fixture is an embedded broker with an input of some records on one partition.
type fixture struct {
	cluster    *kfake.Cluster
	connection kafka.Connection
	client     *kgo.Client
}

func newFixture(t *testing.T, records int) *fixture {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, in, out))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	connection := kafka.Connection{Brokers: cluster.ListenAddrs()}
	client, err := connection.Client(t.Context())
	require.NoError(t, err)
	t.Cleanup(client.Close)
	limit := "100000"
	_, err = kadm.NewClient(client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &limit}}, out)
	require.NoError(t, err)
	for i := range records {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: in, Value: fmt.Append(nil, i)}).FirstErr())
	}
	return &fixture{cluster, connection, client}
}

func (f *fixture) open(t *testing.T, delivery string) session {
	t.Helper()
	limits, err := kafka.TopicLimits(t.Context(), f.client, out)
	require.NoError(t, err)
	config := kafka.SessionConfig{Group: group, Topic: in, TransactionalID: "gate-replica-0", PollRecords: 10, MaxMessageBytes: limits}
	var opened session
	if delivery == "exactly-once" {
		opened, err = kafka.NewTransact(t.Context(), f.connection, config)
	} else {
		opened, err = kafka.NewGroup(f.connection, config)
	}
	require.NoError(t, err)
	return opened
}

// outputs returns what a read_committed reader finds on the output topic.
func (f *fixture) outputs(t *testing.T) []string {
	t.Helper()
	ends, err := kadm.NewClient(f.client).ListCommittedOffsets(t.Context(), out)
	require.NoError(t, err)
	end, _ := ends.Lookup(out, 0)
	reader, err := f.connection.Client(t.Context(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{out: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	require.NoError(t, err)
	defer reader.Close()
	values := []string{}
	for next := int64(0); next < end.Offset; {
		fetches := reader.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(record *kgo.Record) {
			next = record.Offset + 1
			if !record.Attrs.IsControl() {
				values = append(values, string(record.Value))
			}
		})
	}
	return values
}

func (f *fixture) committedOffset(t *testing.T) int64 {
	t.Helper()
	offsets, err := kadm.NewClient(f.client).FetchOffsets(t.Context(), group)
	require.NoError(t, err)
	offset, ok := offsets.Lookup(in, 0)
	if !ok {
		return -1
	}
	return offset.At
}

func echo(records []*kgo.Record) []*kgo.Record {
	echoed := make([]*kgo.Record, len(records))
	for i, record := range records {
		echoed[i] = &kgo.Record{Topic: out, Value: record.Value}
	}
	return echoed
}

func drain(t *testing.T, session session, records int) {
	t.Helper()
	for done := 0; done < records; {
		polled, err := session.Poll(t.Context())
		require.NoError(t, err)
		committed, err := session.Finish(t.Context(), echo(polled))
		require.NoError(t, err)
		if committed {
			done += len(polled)
		}
	}
}

// Both ways of delivery carry every record over, once where nothing fails, and start where the group left off.
func TestSessions_CarryEveryRecordAndContinue(t *testing.T) {
	for _, delivery := range []string{"exactly-once", "at-least-once"} {
		t.Run(delivery, func(t *testing.T) {
			f := newFixture(t, 25)
			first := f.open(t, delivery)
			polled, err := first.Poll(t.Context())
			require.NoError(t, err)
			require.NotEmpty(t, polled)
			require.LessOrEqual(t, len(polled), 10)
			committed, err := first.Finish(t.Context(), echo(polled))
			require.NoError(t, err)
			require.True(t, committed)
			first.Close()

			second := f.open(t, delivery)
			defer second.Close()
			drain(t, second, 25-len(polled))
			want := make([]string, 25)
			for i := range want {
				want[i] = fmt.Sprint(i)
			}
			require.Equal(t, want, f.outputs(t))
			require.EqualValues(t, 25, f.committedOffset(t))
		})
	}
}

// An output that the broker refuses must not let its input's offset through: neither is committed, the record is named,
// and the poll comes again.
func TestSessions_ARefusedOutputCommitsNothingAndIsNamed(t *testing.T) {
	for _, delivery := range []string{"exactly-once", "at-least-once"} {
		t.Run(delivery, func(t *testing.T) {
			f := newFixture(t, 5)
			session := f.open(t, delivery)
			defer session.Close()
			polled, err := session.Poll(t.Context())
			require.NoError(t, err)
			outputs := echo(polled)
			outputs[len(outputs)-1].Value = make([]byte, 200_000) // beyond what this topic takes, and last of its batch
			committed, err := session.Finish(t.Context(), outputs)
			require.False(t, committed)
			var rejection processor.Rejection
			require.ErrorAs(t, err, &rejection)
			require.Same(t, outputs[len(outputs)-1], rejection.Rejected())
			require.LessOrEqual(t, f.committedOffset(t), int64(0))

			again, err := session.Poll(t.Context())
			require.NoError(t, err)
			require.Equal(t, polled[0].Offset, again[0].Offset)
			committed, err = session.Finish(t.Context(), echo(again))
			require.NoError(t, err)
			require.True(t, committed)
			if delivery == "exactly-once" {
				require.Len(t, f.outputs(t), len(again))
			}
		})
	}
}

// The control of exactly once: at-least-once repeats its outputs when the commit of the offsets fails, transactions do not.
func TestSessions_AFailedOffsetCommitRepeatsOutputsOnlyAtLeastOnce(t *testing.T) {
	for delivery, want := range map[string]int{"exactly-once": 5, "at-least-once": 10} {
		t.Run(delivery, func(t *testing.T) {
			f := newFixture(t, 5)
			failed := false
			refuse := func(request kmsg.Request) (kmsg.Response, error, bool) {
				if failed {
					return nil, nil, false
				}
				failed = true
				return refusal(request), nil, true
			}
			f.cluster.ControlKey(int16(kmsg.OffsetCommit), refuse)
			f.cluster.ControlKey(int16(kmsg.TxnOffsetCommit), refuse)
			for outputs := 0; outputs < 5; {
				session := f.open(t, delivery)
				polled, err := session.Poll(t.Context())
				require.NoError(t, err)
				committed, err := session.Finish(t.Context(), echo(polled))
				session.Close()
				if committed && err == nil {
					outputs += len(polled)
				}
			}
			require.True(t, failed)
			require.Len(t, f.outputs(t), want)
		})
	}
}

// refusal answers a commit as a group that has moved on does.
func refusal(request kmsg.Request) kmsg.Response {
	switch request := request.(type) {
	case *kmsg.OffsetCommitRequest:
		response := request.ResponseKind().(*kmsg.OffsetCommitResponse)
		for _, topic := range request.Topics {
			answer := kmsg.OffsetCommitResponseTopic{Topic: topic.Topic, TopicID: topic.TopicID}
			for _, partition := range topic.Partitions {
				answer.Partitions = append(answer.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: partition.Partition, ErrorCode: kerr.IllegalGeneration.Code})
			}
			response.Topics = append(response.Topics, answer)
		}
		return response
	case *kmsg.TxnOffsetCommitRequest:
		response := request.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
		for _, topic := range request.Topics {
			answer := kmsg.TxnOffsetCommitResponseTopic{Topic: topic.Topic}
			for _, partition := range topic.Partitions {
				answer.Partitions = append(answer.Partitions, kmsg.TxnOffsetCommitResponseTopicPartition{Partition: partition.Partition, ErrorCode: kerr.IllegalGeneration.Code})
			}
			response.Topics = append(response.Topics, answer)
		}
		return response
	default:
		panic(fmt.Sprintf("no refusal for %T", request))
	}
}

// A successor with the same transactional id takes over at once; the predecessor can commit nothing any more.
func TestTransact_ASuccessorFencesItsPredecessor(t *testing.T) {
	f := newFixture(t, 15)
	first := f.open(t, "exactly-once")
	drain(t, first, 10) // its producer is known to the broker now
	polled, err := first.Poll(t.Context())
	require.NoError(t, err)
	before := f.outputs(t)

	second := f.open(t, "exactly-once")
	defer second.Close()
	committed, err := first.Finish(t.Context(), echo(polled))
	require.False(t, committed)
	require.Error(t, err)
	first.Close()
	require.Equal(t, before, f.outputs(t))
}

func TestSessions_PollEndsWithItsContext(t *testing.T) {
	for _, delivery := range []string{"exactly-once", "at-least-once"} {
		f := newFixture(t, 0)
		session := f.open(t, delivery)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := session.Poll(ctx)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		session.Close()
	}
}

func TestClient_NamesTheBrokersThatDoNotAnswer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := kafka.Connection{Brokers: []string{"127.0.0.1:1"}}.Client(ctx)
	require.ErrorContains(t, err, "no broker answers at 127.0.0.1:1 (kafka.brokers)")
}

func TestClient_NamesTheCertificateThatIsNone(t *testing.T) {
	_, err := kafka.Connection{Brokers: []string{"127.0.0.1:1"}, TLS: kafka.TLS{Enabled: true, CAFile: "session_test.go"}}.Client(t.Context())
	require.ErrorContains(t, err, "session_test.go holds no PEM certificate")
}

func TestTopics_AreCreatedOnceAndChecked(t *testing.T) {
	f := newFixture(t, 0)
	topics := []kafka.Topic{{Name: "a", Configs: map[string]string{"cleanup.policy": "compact"}}, {Name: "b"}}
	_, err := kafka.CheckTopics(t.Context(), f.client, topics)
	require.ErrorContains(t, err, "topic a does not exist")
	require.ErrorContains(t, err, "topic b does not exist")
	created, err := kafka.CreateTopics(t.Context(), f.client, topics, 3, 1)
	require.NoError(t, err)
	require.Equal(t, []kafka.Created{{Name: "a"}, {Name: "b"}}, created)
	created, err = kafka.CreateTopics(t.Context(), f.client, topics, 3, 1)
	require.NoError(t, err)
	require.True(t, created[0].Existed)
	partitions, err := kafka.CheckTopics(t.Context(), f.client, topics)
	require.NoError(t, err)
	require.Equal(t, 3, partitions)
	_, err = kafka.CheckTopics(t.Context(), f.client, append(topics, kafka.Topic{Name: in}))
	require.ErrorContains(t, err, "topic in has 1 partitions, a has 3")
}

func TestLag_CountsWhatIsNotCommitted(t *testing.T) {
	f := newFixture(t, 5)
	_, err := kafka.Lag(t.Context(), f.client, "nobody", in)
	require.Error(t, err)
	session := f.open(t, "at-least-once")
	defer session.Close()
	drain(t, session, 5)
	require.NoError(t, f.client.ProduceSync(t.Context(), &kgo.Record{Topic: in}, &kgo.Record{Topic: in}).FirstErr())
	lag, err := kafka.Lag(t.Context(), f.client, group, in)
	require.NoError(t, err)
	require.Equal(t, map[int32]int64{0: 2}, lag)
}

func TestSASL_ValidateNamesTheMechanism(t *testing.T) {
	require.NoError(t, kafka.SASL{}.Validate())
	require.ErrorContains(t, kafka.SASL{Mechanism: "kerberos"}.Validate(), `"kerberos", must be plain`)
	require.ErrorContains(t, kafka.SASL{Mechanism: "plain"}.Validate(), "username is empty")
}
