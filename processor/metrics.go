package processor

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/winnowgate/winnow/processor/judge"
)

// Metrics are shared by all lanes of a process.
type Metrics struct {
	verdicts    *prometheus.CounterVec
	deadLetters *prometheus.CounterVec
	finishes    *prometheus.CounterVec
	polled      prometheus.Histogram
	finish      prometheus.Histogram
	age         prometheus.Histogram
}

// NewMetrics registers the metrics, every series at zero.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	factory := promauto.With(registerer)
	metrics := &Metrics{
		verdicts:    factory.NewCounterVec(prometheus.CounterOpts{Name: "winnow_verdicts_total", Help: "Candidates with a committed verdict."}, []string{"verdict"}),
		deadLetters: factory.NewCounterVec(prometheus.CounterOpts{Name: "winnow_dead_letters_total", Help: "Committed dead letters by error class."}, []string{"class"}),
		finishes:    factory.NewCounterVec(prometheus.CounterOpts{Name: "winnow_finishes_total", Help: "Polls by how they ended: committed, redelivered (the group moved on) or rejected (the broker refused a verdict)."}, []string{"result"}),
		polled:      factory.NewHistogram(prometheus.HistogramOpts{Name: "winnow_poll_records", Help: "Candidates of one poll.", Buckets: prometheus.ExponentialBuckets(1, 4, 7)}),
		finish:      factory.NewHistogram(prometheus.HistogramOpts{Name: "winnow_finish_seconds", Help: "Time to make one poll's verdicts and offsets durable.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 12)}),
		age:         factory.NewHistogram(prometheus.HistogramOpts{Name: "winnow_record_age_seconds", Help: "Age of a candidate, from its timestamp, when its verdict is committed.", Buckets: prometheus.ExponentialBuckets(0.01, 3, 13)}),
	}
	for _, verdict := range []string{string(judge.Approved), string(judge.Severe), string(judge.Review), VerdictDeadLetter} {
		metrics.verdicts.WithLabelValues(verdict)
	}
	for _, class := range Classes() {
		metrics.deadLetters.WithLabelValues(string(class))
	}
	for _, result := range []string{"committed", "redelivered", "rejected"} {
		metrics.finishes.WithLabelValues(result)
	}
	return metrics
}

func (m *Metrics) observe(decisions []decision, committed bool, now time.Time) {
	if !committed {
		m.finishes.WithLabelValues("redelivered").Inc()
		return
	}
	m.finishes.WithLabelValues("committed").Inc()
	m.polled.Observe(float64(len(decisions)))
	for _, decision := range decisions {
		m.verdicts.WithLabelValues(decision.verdict).Inc()
		if decision.verdict == VerdictDeadLetter {
			m.deadLetters.WithLabelValues(string(decision.class)).Inc()
		}
		m.age.Observe(max(now.Sub(decision.source.Timestamp), 0).Seconds())
	}
}
