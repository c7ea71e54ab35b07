package onnx

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/winnowgate/winnow/model"
)

func plain() *model.Manifest {
	return &model.Manifest{
		Labels: []string{model.LabelRelevant, model.LabelWeak, model.LabelSevere}, MaxTokens: 48,
		Calibration: model.Calibration{Temperature: 1}, Thresholds: model.Thresholds{Severe: model.Threshold{Value: 0.5}, Review: model.Threshold{Value: 0.2}, Weak: model.Threshold{Value: 0.5}},
		SpecialTokens: model.SpecialTokens{CLS: 1, SEP: 2, PAD: 0, UNK: 3},
	}
}

// logitsOf gives a pair this probability of severe.
func logitsOf(severe float64) model.Logits {
	return model.Logits{float32(math.Log(1 - severe)), -100, float32(math.Log(severe))}
}

func many(count int, logits model.Logits) []model.Logits {
	all := make([]model.Logits, count)
	for i := range all {
		all[i] = logits
	}
	return all
}

func TestAgreement_AcceptsAFlipInTwoHundredAndNoMore(t *testing.T) {
	reference := many(400, logitsOf(0.21))
	candidate := many(400, logitsOf(0.21))
	require.NoError(t, compare(plain(), reference, candidate).err())
	candidate[0], candidate[399] = logitsOf(0.19), logitsOf(0.19)
	require.NoError(t, compare(plain(), reference, candidate).err())
	candidate[1] = logitsOf(0.19)
	err := compare(plain(), reference, candidate).err()
	require.ErrorContains(t, err, "of 400 pairs 3 decisions differ (at most 0.5% may)")
	require.ErrorContains(t, err, "model.precision")
}

// What is severe and would be shown is one pair too many, however many others agree.
func TestAgreement_RefusesASingleSeverePairThatWouldBeApproved(t *testing.T) {
	reference := many(10_000, logitsOf(0.9))
	candidate := many(10_000, logitsOf(0.9))
	candidate[77] = logitsOf(0.1)
	require.ErrorContains(t, compare(plain(), reference, candidate).err(), "1 go from severe to approved (none may)")
	candidate[77] = model.Logits{float32(math.NaN())}
	require.NoError(t, compare(plain(), reference, candidate).err(), "what is no number goes to a person")
}

// fakeScorer answers each row with the probability that its first id stands for, moved by shift.
type fakeScorer struct {
	lengths []int
	shift   float64
}

func (f fakeScorer) Lengths() []int { return f.lengths }

func (f fakeScorer) Score(_ context.Context, batch model.Batch) ([]model.Logits, error) {
	logits := make([]model.Logits, batch.Rows)
	for row := range logits {
		logits[row] = logitsOf(float64(batch.IDs[row*batch.Length])/100 - f.shift)
	}
	return logits, nil
}

// The probes' order survives the cutting into batches, whatever each side's buckets are.
func TestHold_ComparesTheSamePairs(t *testing.T) {
	config := Config{BatchTokens: 96}
	for i := range 90 {
		probe := make([]int64, 1+i%48)
		probe[0] = int64(5 + i)
		config.Probes = append(config.Probes, probe)
	}
	agreed, err := hold(t.Context(), plain(), config, fakeScorer{}, fakeScorer{lengths: []int{16, 48}})
	require.NoError(t, err)
	require.Equal(t, agreement{pairs: 90}, agreed)
	agreed, err = hold(t.Context(), plain(), config, fakeScorer{}, fakeScorer{shift: 0.04})
	require.NoError(t, err)
	require.Equal(t, 8, agreed.flips, "four on each side of both thresholds")
	require.Error(t, agreed.err())
	_, err = hold(t.Context(), plain(), config, fakeScorer{}, fakeScorer{lengths: []int{16}})
	require.ErrorContains(t, err, "longest bucket, 16")
}
