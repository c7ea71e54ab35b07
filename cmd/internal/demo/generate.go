//go:build cgo

package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/winnowgate/winnow/cmd/internal/app"
	"github.com/winnowgate/winnow/cmd/internal/config"
)

// Generate publishes candidates to the configured cluster, rate a second, until ctx ends or placements are out (0: never),
// and returns how many were published. Each run publishes other placements.
func Generate(ctx context.Context, settings config.Config, placements, rate int, logger *zap.Logger) (published int, err error) {
	producer, err := app.Connection(settings, logger).Client(ctx, kgo.RequiredAcks(kgo.AllISRAcks()))
	if err != nil {
		return 0, err
	}
	defer producer.Close()
	codec, err := app.Codec(ctx, settings)
	if err != nil {
		return 0, err
	}
	seed := rand.Uint64()
	generator, err := NewGenerator(fmt.Sprintf("placement-%x", seed), seed)
	if err != nil {
		return 0, err
	}
	ticker := time.NewTicker(time.Second / time.Duration(rate))
	defer ticker.Stop()
	for placements == 0 || published < placements {
		record, _, err := generator.NextRecord(codec, settings.Topics.Candidates)
		if err != nil {
			return published, err
		}
		err = producer.ProduceSync(ctx, record).FirstErr()
		if ctx.Err() != nil {
			return published, nil
		}
		if err != nil {
			return published, fmt.Errorf("publish to %s: %w", settings.Topics.Candidates, err)
		}
		published++
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return published, nil
		}
	}
	return published, nil
}
