package processor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/winnowgate/winnow/processor"
	"github.com/winnowgate/winnow/processor/processortest"
	"github.com/winnowgate/winnow/schema"
)

// polls is a session for tests: it delivers its polls one by one, and a poll that was not committed again.
type polls struct {
	polls     [][]*kgo.Record
	finish    func(out []*kgo.Record) (bool, error) // nil commits
	committed [][]*kgo.Record
	stop      context.CancelFunc // called when everything is committed
}

func (p *polls) Poll(ctx context.Context) ([]*kgo.Record, error) {
	if len(p.committed) == len(p.polls) {
		p.stop()
		return nil, ctx.Err()
	}
	return p.polls[len(p.committed)], nil
}

func (p *polls) Finish(_ context.Context, out []*kgo.Record) (bool, error) {
	if p.finish != nil {
		if committed, err := p.finish(out); !committed || err != nil {
			return committed, err
		}
	}
	p.committed = append(p.committed, out)
	return true, nil
}

var topics = processor.Topics{
	Approved: processortest.Approved, Tombstones: processortest.Tombstones,
	Review: processortest.Review, DeadLetter: processortest.DeadLetter,
}

func run(t *testing.T, session *polls) ([]*kgo.Record, *prometheus.Registry, error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	session.stop = stop
	offset := int64(0)
	for _, poll := range session.polls {
		for _, record := range poll {
			record.Topic, record.Partition, record.Offset, record.Timestamp = processortest.Candidates, 3, offset, time.Now()
			offset++
		}
	}
	registry := prometheus.NewRegistry()
	runner := processor.NewRunner(session, processortest.Gate(t), schema.NewCodec(schema.DefaultLimits(), nil), processor.Config{
		Topics: topics, Model: "test@0123", MaxDeadLetterShare: 0.5, FinishTimeout: time.Minute,
	}, processor.NewMetrics(registry))
	err := runner.Run(ctx)
	var out []*kgo.Record
	for _, poll := range session.committed {
		out = append(out, poll...)
	}
	return out, registry, err
}

func one(record *kgo.Record) *polls { return &polls{polls: [][]*kgo.Record{{record}}} }

func headers(record *kgo.Record) map[string]string {
	found := map[string]string{}
	for _, header := range record.Headers {
		found[header.Key] = string(header.Value)
	}
	return found
}

func decode[T any](t *testing.T, name string, data []byte) T {
	t.Helper()
	var value T
	_, err := avro.MustParse(schema.Definition(name)).DecodeSingleObject(data, &value)
	require.NoError(t, err)
	return value
}

func TestRunner_ApprovedIsOneRecordWithItsProvenance(t *testing.T) {
	record := processortest.Record(t, processortest.Candidate("p", "oats", "OATS", "rye"))
	record.Headers = []kgo.RecordHeader{{Key: "traceparent", Value: []byte("00-abc-def-01")}, {Key: "winnow-verdict", Value: []byte("approved")}}
	out, _, err := run(t, one(record))
	require.NoError(t, err)
	require.Len(t, out, 1)
	require.Equal(t, processortest.Approved, out[0].Topic)
	require.Equal(t, "p", string(out[0].Key))
	approved := decode[schema.Approved](t, "approved", out[0].Value)
	require.Len(t, approved.Products, 2)
	require.Equal(t, "duplicate-title", approved.Pruned[0].Reason)
	require.Equal(t, map[string]string{
		"winnow-source": "placements.candidates/3/0", "winnow-decision": approved.Decision.ID, "winnow-model": "test@0123",
		"winnow-policy": approved.Decision.Policy, "winnow-provider": "test", "winnow-verdict": "approved",
		"winnow-reasons": "duplicate-title", "traceparent": "00-abc-def-01",
	}, headers(out[0]))
	require.True(t, strings.HasPrefix(approved.Decision.ID, "3-0-"))
}

// A consumer that reads the approved topic alone must learn that an approval no longer holds.
func TestRunner_SevereAndReviewWithdrawAnApproval(t *testing.T) {
	for title, topic := range map[string]string{processortest.SevereTitle: processortest.Tombstones, processortest.UncertainTitle: processortest.Review} {
		out, _, err := run(t, one(processortest.Record(t, processortest.Candidate("p", "oats", title))))
		require.NoError(t, err)
		require.Len(t, out, 2)
		require.Equal(t, topic, out[0].Topic)
		require.NotEmpty(t, out[0].Value)
		require.Equal(t, processortest.Approved, out[1].Topic)
		require.Equal(t, "p", string(out[1].Key))
		require.Nil(t, out[1].Value)
		require.Equal(t, headers(out[0]), headers(out[1]))
	}
}

func TestRunner_ATombstoneNamesTheViolations(t *testing.T) {
	out, _, err := run(t, one(processortest.Record(t, processortest.Candidate("p", "oats", processortest.SevereTitle))))
	require.NoError(t, err)
	tombstone := decode[schema.Tombstone](t, "tombstone", out[0].Value)
	require.Len(t, tombstone.Violations, 1)
	require.Equal(t, processortest.SevereTitle, tombstone.Violations[0].Title)
	require.Greater(t, tombstone.Violations[0].Severe, 0.9)
}

// What a generator says of a product comes back with it, and what was left out says how the model saw it.
func TestRunner_ProductsKeepTheirAttributesAndPrunedOnesTheirProbabilities(t *testing.T) {
	for topic, titles := range map[string][]string{
		processortest.Approved: {"oats", "OATS"}, processortest.Review: {processortest.UncertainTitle, "oats", "OATS"}, processortest.Tombstones: {processortest.SevereTitle},
	} {
		candidate := processortest.Candidate("p", titles...)
		for i := range candidate.Products {
			candidate.Products[i].Attributes = map[string]string{"position": fmt.Sprint(i)}
		}
		out, _, err := run(t, one(processortest.Record(t, candidate)))
		require.NoError(t, err)
		require.Equal(t, topic, out[0].Topic)
		var shown []schema.Scored
		var pruned []schema.Pruned
		switch topic {
		case processortest.Approved:
			approved := decode[schema.Approved](t, "approved", out[0].Value)
			shown, pruned = approved.Products, approved.Pruned
		case processortest.Review:
			review := decode[schema.Review](t, "review", out[0].Value)
			shown, pruned = review.Products, review.Pruned
		default:
			shown = decode[schema.Tombstone](t, "tombstone", out[0].Value).Violations
		}
		require.Equal(t, map[string]string{"position": "0"}, shown[0].Attributes)
		if topic != processortest.Tombstones {
			require.Equal(t, map[string]string{"position": fmt.Sprint(len(titles) - 1)}, pruned[0].Attributes)
			require.Greater(t, pruned[0].Relevant, 0.9)
		}
	}
}

// Each record that can't be judged becomes one dead letter, with its bytes untouched, and its neighbours get verdicts.
func TestRunner_DeadLettersCarryTheOriginalAndTheReason(t *testing.T) {
	good := processortest.Record(t, processortest.Candidate("p", "oats"))
	for name, test := range map[string]struct {
		record *kgo.Record
		class  string
		says   string
	}{
		"undecodable":          {&kgo.Record{Key: []byte("k"), Value: []byte("nonsense")}, "encoding", "starts with 0x6e"},
		"no value":             {&kgo.Record{Key: []byte("k")}, "encoding", "no value"},
		"an unknown schema id": {&kgo.Record{Key: []byte("k"), Value: []byte{0, 0, 0, 0, 9, 1}}, "unknown-schema", "schema id 9"},
		"an empty placement":   {processortest.Record(t, processortest.Candidate("k")), "invalid", "products is empty"},
		"another key":          {&kgo.Record{Key: []byte("other"), Value: good.Value}, "key", `key is "other", its placement_id "p"`},
		"no key":               {&kgo.Record{Value: good.Value}, "key", `key is ""`},
		"a huge theme": {processortest.Record(t, schema.Candidate{PlacementID: "k", Theme: strings.Repeat("x", 100_000),
			Products: []schema.Product{{ProductID: "a", Title: "b"}}}), "limit", "theme has 100000 bytes"},
		"an engine that fails": {processortest.Record(t, processortest.Candidate("k", processortest.PoisonTitle)), "inference", "the engine fails"},
	} {
		t.Run(name, func(t *testing.T) {
			test.record.Headers = []kgo.RecordHeader{{Key: "origin", Value: []byte("here")}, {Key: "winnow-model", Value: []byte("forged")}}
			neighbour := processortest.Record(t, processortest.Candidate("n", "oats"))
			out, registry, err := run(t, &polls{polls: [][]*kgo.Record{{test.record, neighbour}}})
			require.NoError(t, err)
			require.Len(t, out, 2)
			require.Equal(t, processortest.DeadLetter, out[0].Topic)
			require.Equal(t, test.record.Key, out[0].Key)
			require.Equal(t, test.record.Value, out[0].Value)
			found := headers(out[0])
			require.Equal(t, "here", found["origin"])
			require.Equal(t, "test@0123", found["winnow-model"])
			require.Equal(t, "dead-letter", found["winnow-verdict"])
			require.Equal(t, test.class, found["winnow-error-class"])
			require.Contains(t, found["winnow-error-message"], test.says)
			require.Equal(t, "placements.candidates/3/0", found["winnow-source"])
			require.Equal(t, processortest.Approved, out[1].Topic)
			require.InDelta(t, 1, testutil.ToFloat64(counter(t, registry, "winnow_dead_letters_total", "class", test.class)), 0)
		})
	}
}

func counter(t *testing.T, registry *prometheus.Registry, name, label, value string) prometheus.Collector {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "found"})
	for _, family := range families {
		for _, metric := range family.Metric {
			if family.GetName() == name && metric.Label[0].GetName() == label && metric.Label[0].GetValue() == value {
				gauge.Set(metric.GetCounter().GetValue())
			}
		}
	}
	return gauge
}

// A record of 10 MB can't be repeated on a topic that takes 1 MB; its dead letter says where it stands.
func TestRunner_AHugeRecordBecomesASmallDeadLetter(t *testing.T) {
	out, _, err := run(t, one(&kgo.Record{Key: []byte("k"), Value: make([]byte, 10<<20)}))
	require.NoError(t, err)
	require.Nil(t, out[0].Value)
	found := headers(out[0])
	require.Equal(t, "limit", found["winnow-error-class"])
	require.Contains(t, found["winnow-error-message"], "10485760 bytes is not repeated here, see winnow-source")
}

func TestRunner_ErrorMessagesAreSmallASCII(t *testing.T) {
	out, _, err := run(t, one(&kgo.Record{Key: []byte(strings.Repeat("ключ\n", 1000)), Value: processortest.Record(t, processortest.Candidate("p", "oats")).Value}))
	require.NoError(t, err)
	message := headers(out[0])["winnow-error-message"]
	require.LessOrEqual(t, len(message), 500)
	for _, char := range message {
		require.True(t, char >= ' ' && char <= '~', "%q", message)
	}
}

// When most of a poll can't be judged the fault is not the records': stop, commit nothing, let somebody look.
func TestRunner_ASystemicFaultStopsAndCommitsNothing(t *testing.T) {
	poll := make([]*kgo.Record, 30)
	for i := range poll {
		poll[i] = processortest.Record(t, processortest.Candidate(fmt.Sprint(i), processortest.PoisonTitle))
	}
	out, _, err := run(t, &polls{polls: [][]*kgo.Record{poll}})
	require.ErrorIs(t, err, processor.ErrSystemic)
	require.ErrorContains(t, err, "30 of the latest 30")
	require.Empty(t, out)
}

// At low traffic a poll holds few records, and a fault that lasts must be seen all the same.
func TestRunner_ASystemicFaultIsSeenAcrossSmallPolls(t *testing.T) {
	var small [][]*kgo.Record
	for range 10 {
		small = append(small, []*kgo.Record{{Key: []byte("k"), Value: []byte("nonsense")}, {Key: []byte("k")}, {Value: []byte("x")}})
	}
	out, _, err := run(t, &polls{polls: small})
	require.ErrorIs(t, err, processor.ErrSystemic)
	require.Len(t, out, 18, "what six polls committed before the twentieth dead letter")
}

func TestRunner_AFewDeadLettersAreNotSystemic(t *testing.T) {
	poll := make([]*kgo.Record, 19)
	for i := range poll {
		poll[i] = &kgo.Record{Key: []byte("k"), Value: []byte("nonsense")}
	}
	out, _, err := run(t, &polls{polls: [][]*kgo.Record{poll}})
	require.NoError(t, err)
	require.Len(t, out, 19)
}

// The group moved on: nothing is committed, the records come again and are decided again, with the same decision id.
func TestRunner_ARedeliveryIsDecidedAgainWithTheSameID(t *testing.T) {
	var ids []string
	session := one(processortest.Record(t, processortest.Candidate("p", "oats")))
	session.finish = func(out []*kgo.Record) (bool, error) {
		ids = append(ids, headers(out[0])["winnow-decision"])
		return len(ids) == 3, nil
	}
	out, _, err := run(t, session)
	require.NoError(t, err)
	require.Len(t, out, 1)
	require.Equal(t, []string{ids[0], ids[0], ids[0]}, ids)
}

type tooLarge struct{ record *kgo.Record }

func (tooLarge) Error() string           { return "MESSAGE_TOO_LARGE" }
func (r tooLarge) Rejected() *kgo.Record { return r.record }

// A verdict that the broker never takes would replay for ever: it becomes a dead letter that is small enough.
func TestRunner_ARefusedVerdictBecomesASmallDeadLetter(t *testing.T) {
	session := &polls{polls: [][]*kgo.Record{{
		processortest.Record(t, processortest.Candidate("p", "oats")), processortest.Record(t, processortest.Candidate("q", "oats")),
	}}}
	session.finish = func(out []*kgo.Record) (bool, error) {
		if out[1].Topic == processortest.Approved {
			return false, tooLarge{out[1]}
		}
		return true, nil
	}
	out, _, err := run(t, session)
	require.NoError(t, err)
	require.Equal(t, processortest.Approved, out[0].Topic)
	require.Equal(t, processortest.DeadLetter, out[1].Topic)
	require.Nil(t, out[1].Value)
	require.Equal(t, "undeliverable", headers(out[1])["winnow-error-class"])
	require.Contains(t, headers(out[1])["winnow-error-message"], "MESSAGE_TOO_LARGE")
}

func TestRunner_ARefusedDeadLetterStops(t *testing.T) {
	session := one(processortest.Record(t, processortest.Candidate("p", "oats")))
	session.finish = func(out []*kgo.Record) (bool, error) { return false, tooLarge{out[0]} }
	_, _, err := run(t, session)
	require.ErrorContains(t, err, "not even the dead letter of placements.candidates/3/0")
}

func TestRunner_AFinishThatFailsStops(t *testing.T) {
	session := one(processortest.Record(t, processortest.Candidate("p", "oats")))
	fault := errors.New("fenced")
	session.finish = func([]*kgo.Record) (bool, error) { return false, fault }
	out, _, err := run(t, session)
	require.ErrorIs(t, err, fault)
	require.Empty(t, out)
}

func TestRunner_KeepsTheInputOrder(t *testing.T) {
	var poll []*kgo.Record
	for i := range 50 {
		titles := []string{"oats", processortest.SevereTitle, processortest.UncertainTitle}
		poll = append(poll, processortest.Record(t, processortest.Candidate(fmt.Sprint(i), titles[i%3])))
	}
	out, _, err := run(t, &polls{polls: [][]*kgo.Record{poll}})
	require.NoError(t, err)
	last := -1
	for _, record := range out {
		var key int
		_, err := fmt.Sscan(string(record.Key), &key)
		require.NoError(t, err)
		require.GreaterOrEqual(t, key, last)
		last = key
	}
	require.Equal(t, 49, last)
}
