package eval

import (
	"context"
	"fmt"
	"time"

	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor/gate"
	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/schema"
)

// chunk is how many pairs are judged together: enough to fill batches, few enough to see progress.
const chunk = 512

// Run judges each pair as a placement of its own. The gate's policy must ask for one product and prune nothing, so that the
// outcome is the thresholds' decision on the pair. progress is called with how many pairs are done.
func Run(ctx context.Context, gate *gate.Gate, pairs []Pair, progress func(done int)) (Report, error) {
	if policy := gate.Policy(); policy.MinProducts != 1 || policy.PruneWeak {
		return Report{}, fmt.Errorf("the policy %s decides on more than a pair's thresholds", policy.Version())
	}
	scored := make([]Scored, 0, len(pairs))
	started := time.Now()
	for len(scored) < len(pairs) {
		part := pairs[len(scored):min(len(scored)+chunk, len(pairs))]
		judged, err := run(ctx, gate, part)
		if err != nil {
			return Report{}, err
		}
		scored = append(scored, judged...)
		progress(len(scored))
	}
	report := Measure(scored, gate.Policy())
	report.PairsPerSecond = float64(len(pairs)) / time.Since(started).Seconds()
	return report, nil
}

func run(ctx context.Context, gate *gate.Gate, pairs []Pair) ([]Scored, error) {
	candidates := make([]schema.Candidate, len(pairs))
	for i, pair := range pairs {
		candidates[i] = schema.Candidate{PlacementID: "pair", Theme: pair.Theme, Products: []schema.Product{{ProductID: "1", Title: pair.Title}}}
	}
	outcomes, err := gate.Judge(ctx, candidates)
	if err != nil {
		return nil, err
	}
	scored := make([]Scored, len(pairs))
	for i, outcome := range outcomes {
		if outcome.Err != nil {
			return nil, fmt.Errorf("%q under %q: %w", pairs[i].Title, pairs[i].Theme, outcome.Err)
		}
		scored[i] = Scored{Pair: pairs[i], Probabilities: probabilities(outcome.Verdict), Outcome: outcome.Verdict.Outcome}
	}
	return scored, nil
}

func probabilities(verdict judge.Verdict) model.Probabilities {
	return verdict.Products[0].Probabilities
}
