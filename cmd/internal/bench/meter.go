package bench

import (
	"fmt"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// reading is what a gate has counted up to some moment, of one process or summed over several.
type reading struct {
	busy, workers         float64 // seconds in which a worker ran a batch, summed over workers; workers
	tokens, paddedTokens  float64
	scored, cached        float64 // pairs
	batches               float64
	residentBytes         float64
	finishes, finishTotal float64 // transactions, their seconds
}

// readingOf picks the counts from families, as a registry or an endpoint gives them.
func readingOf(families map[string]*dto.MetricFamily) reading {
	one := func(name string) *dto.Metric {
		if family := families[name]; family != nil && len(family.GetMetric()) > 0 {
			return family.GetMetric()[0]
		}
		return &dto.Metric{}
	}
	labelled := func(name, value string) float64 {
		for _, metric := range families[name].GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetValue() == value {
					return metric.GetCounter().GetValue()
				}
			}
		}
		return 0
	}
	return reading{
		busy: one("winnow_gate_busy_seconds_total").GetCounter().GetValue(), workers: one("winnow_gate_workers").GetGauge().GetValue(),
		tokens: one("winnow_gate_tokens_total").GetCounter().GetValue(), paddedTokens: one("winnow_gate_padded_tokens_total").GetCounter().GetValue(),
		scored: labelled("winnow_gate_pairs_total", "model"), cached: labelled("winnow_gate_pairs_total", "cache"),
		batches:       float64(one("winnow_gate_batch_pairs").GetHistogram().GetSampleCount()),
		residentBytes: one("process_resident_memory_bytes").GetGauge().GetValue(),
		finishes:      float64(one("winnow_finish_seconds").GetHistogram().GetSampleCount()),
		finishTotal:   one("winnow_finish_seconds").GetHistogram().GetSampleSum(),
	}
}

func (r reading) plus(other reading) reading {
	return reading{
		r.busy + other.busy, r.workers + other.workers, r.tokens + other.tokens, r.paddedTokens + other.paddedTokens,
		r.scored + other.scored, r.cached + other.cached, r.batches + other.batches, r.residentBytes + other.residentBytes,
		r.finishes + other.finishes, r.finishTotal + other.finishTotal,
	}
}

// Scoring is how the device was used over some time.
type Scoring struct {
	Scored          int     `json:"scored"` // pairs that the model scored
	Cached          int     `json:"cached"` // pairs whose score was remembered
	Seconds         float64 `json:"seconds"`
	TokensPerSecond float64 `json:"tokens_per_second"`
	PaddingWaste    float64 `json:"padding_waste"` // share of the computed tokens
	BatchFill       float64 `json:"batch_fill"`    // of the budget, on average
	IdleShare       float64 `json:"idle_share"`    // of the workers' time
	ResidentBytes   int64   `json:"resident_bytes"`
}

// scoringOf compares two readings that are so many seconds apart.
func scoringOf(before, after reading, seconds float64, batchTokens int) Scoring {
	scored, cached := after.scored-before.scored, after.cached-before.cached
	padded, batches := after.paddedTokens-before.paddedTokens, after.batches-before.batches
	result := Scoring{Scored: int(scored), Cached: int(cached), Seconds: seconds, ResidentBytes: int64(after.residentBytes)}
	if seconds > 0 {
		result.TokensPerSecond = (after.tokens - before.tokens) / seconds
		result.IdleShare = 1 - (after.busy-before.busy)/(after.workers*seconds)
	}
	if batches > 0 {
		result.PaddingWaste = 1 - (after.tokens-before.tokens)/padded
		result.BatchFill = padded / batches / float64(batchTokens)
	}
	return result
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// quantile returns the value that a share of values does not exceed.
func quantile(values []time.Duration, share float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}
