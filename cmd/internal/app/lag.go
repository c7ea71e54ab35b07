//go:build cgo

package app

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/winnowgate/winnow/cmd/internal/config"
	"github.com/winnowgate/winnow/processor/kafka"
)

const lagInterval = 15 * time.Second

// watchLag exports the group's lag until ctx ends. Without an answer the last value stands.
func watchLag(ctx context.Context, client *kgo.Client, settings config.Config, registerer prometheus.Registerer, logger *zap.Logger) {
	gauge := promauto.With(registerer).NewGaugeVec(prometheus.GaugeOpts{
		Name: "winnow_consumer_lag_records",
		Help: "Candidates whose verdict is not committed, by partition. Never 0 on a topic that is written in transactions.",
	}, []string{"partition"})
	ticker := time.NewTicker(lagInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		lag, err := kafka.Lag(ctx, client, settings.Kafka.Group, settings.Topics.Candidates)
		if err != nil {
			if ctx.Err() == nil {
				logger.Warn("lag unknown", zap.Error(err))
			}
			continue
		}
		for partition, records := range lag {
			gauge.WithLabelValues(strconv.Itoa(int(partition))).Set(float64(records))
		}
	}
}
