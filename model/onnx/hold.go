package onnx

import (
	"context"

	"github.com/winnowgate/winnow/model"
)

// scorer scores batches, padded to its lengths where it has some.
type scorer interface {
	Score(ctx context.Context, batch model.Batch) ([]model.Logits, error)
	Lengths() []int
}

// hold holds candidate's decisions about the probes against reference's.
func hold(ctx context.Context, manifest *model.Manifest, config Config, reference, candidate scorer) (agreement, error) {
	wanted, err := scoreAll(ctx, manifest, config, reference)
	if err != nil {
		return agreement{}, err
	}
	got, err := scoreAll(ctx, manifest, config, candidate)
	if err != nil {
		return agreement{}, err
	}
	return compare(manifest, wanted, got), nil
}

// scoreAll returns the probes' logits in their order.
func scoreAll(ctx context.Context, manifest *model.Manifest, config Config, by scorer) ([]model.Logits, error) {
	batches, err := cut(config.Probes, by.Lengths(), config.BatchTokens)
	if err != nil {
		return nil, err
	}
	all := make([]model.Logits, len(config.Probes))
	for _, batch := range batches {
		rows := make([][]int64, len(batch))
		for i, probe := range batch {
			rows[i] = config.Probes[probe]
		}
		logits, err := by.Score(ctx, manifest.NewBatch(rows))
		if err != nil {
			return nil, err
		}
		for i, probe := range batch {
			all[probe] = logits[i]
		}
	}
	return all, nil
}
