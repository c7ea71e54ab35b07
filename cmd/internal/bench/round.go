//go:build cgo

package bench

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// round is the gate alone and then the pipeline, on placements of the same kind, one right after the other.
type round struct {
	engine      float64 // pairs/s without Kafka
	pipeline    float64 // pairs/s of the placements: what is redelivered is scored again, and counts once
	scoring     Scoring
	age         Latency
	workers     int
	transaction float64 // mean seconds
}

func (r round) ratio() float64 { return r.pipeline / r.engine }

// medianOf returns the round whose ratio is in the middle, of two the lower.
func medianOf(rounds []round) round {
	sorted := slices.SortedFunc(slices.Values(rounds), func(a, b round) int { return cmp.Compare(a.ratio(), b.ratio()) })
	return sorted[(len(sorted)-1)/2]
}

func (p *pipeline) round(ctx context.Context, placements int) (round, error) {
	alone, err := p.withoutKafka(ctx, placements)
	if err != nil {
		return round{}, err
	}
	records, err := p.records(placements)
	if err != nil {
		return round{}, err
	}
	before, err := p.read(ctx)
	if err != nil {
		return round{}, err
	}
	started := time.Now()
	if err := p.producer.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return round{}, fmt.Errorf("publish candidates: %w", err)
	}
	if err := p.observer.collect(ctx, len(records)); err != nil {
		return round{}, err
	}
	seconds := time.Since(started).Seconds()
	after, err := p.read(ctx)
	if err != nil {
		return round{}, err
	}
	ages, err := p.observer.ages(records)
	if err != nil {
		return round{}, err
	}
	return round{
		engine: alone, pipeline: p.pairs(placements) / seconds,
		scoring: scoringOf(before, after, seconds, p.settings.Gate.BatchTokens), workers: int(after.workers),
		age:         Latency{Records: len(ages), P50: quantile(ages, 0.5).Seconds(), P99: quantile(ages, 0.99).Seconds()},
		transaction: (after.finishTotal - before.finishTotal) / max(after.finishes-before.finishes, 1),
	}, nil
}

// withoutKafka returns the pairs/s of the gate in this process, with as many workers as all replicas and nothing around it.
func (p *pipeline) withoutKafka(ctx context.Context, placements int) (float64, error) {
	p.seed++
	workload := NewSynthetic("alone", p.seed, placements, p.options.Products)
	started := time.Now()
	if _, err := p.engine.judge(ctx, p.alone, workload); err != nil {
		return 0, err
	}
	return p.pairs(placements) / time.Since(started).Seconds(), nil
}

// pairs returns how many pairs so many placements hold.
func (p *pipeline) pairs(placements int) float64 { return float64(placements * p.options.Products) }

// read sums what the replicas have counted.
func (p *pipeline) read(ctx context.Context) (reading, error) {
	var sum reading
	for _, replica := range p.replicas {
		read, err := replica.read(ctx)
		if err != nil {
			return reading{}, err
		}
		sum = sum.plus(read)
	}
	return sum, nil
}
