package eval

import (
	"context"
	"fmt"
	"time"

	"github.com/winnowgate/winnow/processor/gate"
	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/schema"
)

// chunk is how many pairs are judged together: enough to fill batches, few enough to see progress.
const chunk = 512

// Run judges each pair as a placement of its own, by the gate's thresholds alone (judge.Policy.ForPairs). progress is called
// with how many pairs are done.
func Run(ctx context.Context, gate *gate.Gate, pairs []Pair, progress func(done int)) (Report, error) {
	policy := gate.Policy().ForPairs()
	started := time.Now()
	read, err := score(ctx, gate, pairs, progress)
	if err != nil {
		return Report{}, err
	}
	seconds := time.Since(started).Seconds()
	products := make([]judge.Product, len(pairs))
	for i, placement := range read {
		products[i] = placement.Products[0]
	}
	report := Measure(scoredPairs(pairs, products, policy), policy)
	report.PairsPerSecond = float64(len(pairs)) / seconds
	return report, nil
}

// RunPlacements scores what is distinct in the file once, and computes every figure from that by the gate's policy. progress is
// called with how many of the distinct pairs are done.
func RunPlacements(ctx context.Context, gate *gate.Gate, file Labelled, mix Mix, progress func(done int)) (PlacementReport, error) {
	distinct, places := file.Distinct()
	started := time.Now()
	read, err := score(ctx, gate, distinct, progress)
	if err != nil {
		return PlacementReport{}, err
	}
	seconds := time.Since(started).Seconds()
	products := make([]judge.Product, len(file.Pairs))
	for i, place := range places {
		products[i] = read[place].Products[0]
	}
	report := MeasurePlacements(file, products, gate.Policy(), mix)
	report.PairsPerSecond = float64(len(distinct)) / seconds
	return report, nil
}

// score reads each pair as a placement of its own.
func score(ctx context.Context, gate *gate.Gate, pairs []Pair, progress func(done int)) ([]judge.Placement, error) {
	placements := make([]judge.Placement, 0, len(pairs))
	for len(placements) < len(pairs) {
		part := pairs[len(placements):min(len(placements)+chunk, len(pairs))]
		candidates := make([]schema.Candidate, len(part))
		for i, pair := range part {
			candidates[i] = schema.Candidate{PlacementID: "pair", Theme: pair.Theme, Products: []schema.Product{{ProductID: "1", Title: pair.Title}}}
		}
		read, err := gate.Score(ctx, candidates)
		if err != nil {
			return nil, err
		}
		for i, scored := range read {
			if scored.Err != nil {
				return nil, fmt.Errorf("%q under %q: %w", part[i].Title, part[i].Theme, scored.Err)
			}
			placements = append(placements, scored.Placement)
		}
		progress(len(placements))
	}
	return placements, nil
}
