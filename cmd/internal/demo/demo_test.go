//go:build cgo

package demo

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/winnowgate/winnow/cmd/internal/config"
)

// The demo is the whole gate on an embedded broker: every candidate gets exactly one verdict, of every kind.
func TestRun_AccountsForEveryCandidate(t *testing.T) {
	var progress bytes.Buffer
	summary, err := Run(t.Context(), config.Default(), 200, Screen{Out: &progress, Width: 100}, zap.NewNop())
	require.NoError(t, err)
	require.Equal(t, 200, summary.Candidates)
	require.Equal(t, 200, summary.Approved+summary.Severe+summary.Review+summary.DeadLetter)
	for name, count := range map[string]int{"approved": summary.Approved, "severe": summary.Severe, "review": summary.Review, "dead letter": summary.DeadLetter} {
		require.Positive(t, count, name)
	}
	require.Contains(t, summary.Model, "starter@")
	require.Equal(t, "cpu", summary.Provider)
	require.Equal(t, summary.Severe, summary.Hits()+summary.FalseAlarms())
	require.Positive(t, summary.Hits())
	require.Positive(t, summary.tally.rules.rightly)
	require.Contains(t, progress.String(), "100 %")
}

func TestRun_StopsWhenAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stopping := writerFunc(func(text []byte) (int, error) {
		cancel() // at the first sign of life
		return len(text), nil
	})
	_, err := Run(ctx, config.Default(), 2000, Screen{Out: stopping, Width: 100}, zap.NewNop())
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "of 2000 candidates decided")
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(text []byte) (int, error) { return f(text) }
