package gate

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	plan, tokenize, infer, judge prometheus.Observer
	pairsScored, pairsCached     prometheus.Counter
	tokens, paddedTokens         prometheus.Counter
	batchPairs                   prometheus.Histogram
	busy                         prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer, workers int, scheduler *scheduler) *metrics {
	factory := promauto.With(registerer)
	factory.NewGauge(prometheus.GaugeOpts{Name: "winnow_gate_workers", Help: "Batches that the scorer runs at a time."}).Set(float64(workers))
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "winnow_gate_pending_tokens", Help: "Padded tokens that are tokenized and wait for a batch.",
	}, func() float64 { return float64(scheduler.waiting()) })
	stages := factory.NewHistogramVec(prometheus.HistogramOpts{
		Name: "winnow_gate_stage_seconds", Help: "Time of one poll in one stage of the gate.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9), // 0.1 ms to 6.5 s
	}, []string{"stage"})
	pairs := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "winnow_gate_pairs_total", Help: "Distinct pairs of a poll, by whether the model scored them or their score was remembered.",
	}, []string{"source"})
	return &metrics{
		plan: stages.WithLabelValues("plan"), tokenize: stages.WithLabelValues("tokenize"),
		infer: stages.WithLabelValues("infer"), judge: stages.WithLabelValues("judge"),
		pairsScored: pairs.WithLabelValues("model"), pairsCached: pairs.WithLabelValues("cache"),
		tokens:       factory.NewCounter(prometheus.CounterOpts{Name: "winnow_gate_tokens_total", Help: "Tokens of the pairs scored, without padding."}),
		paddedTokens: factory.NewCounter(prometheus.CounterOpts{Name: "winnow_gate_padded_tokens_total", Help: "Tokens the model computed, padding included."}),
		batchPairs:   factory.NewHistogram(prometheus.HistogramOpts{Name: "winnow_gate_batch_pairs", Help: "Pairs in one batch.", Buckets: prometheus.ExponentialBuckets(1, 2, 10)}),
		busy: factory.NewCounter(prometheus.CounterOpts{
			Name: "winnow_gate_busy_seconds_total",
			Help: "Time in which a worker of the scorer ran a batch, summed over workers: its rate over winnow_gate_workers is how busy the device is.",
		}),
	}
}

func (m *metrics) observeBatch(pairs, tokens, padded int) {
	m.pairsScored.Add(float64(pairs))
	m.tokens.Add(float64(tokens))
	m.paddedTokens.Add(float64(padded))
	m.batchPairs.Observe(float64(pairs))
}
