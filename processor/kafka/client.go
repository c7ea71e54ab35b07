// Package kafka is the only one that talks to brokers: it makes clients and the sessions that deliver a consumer group's
// records, exactly once or at least once.
package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Connection says how brokers are reached.
type Connection struct {
	Brokers []string
	TLS     TLS
	SASL    SASL
	Logger  kgo.Logger // nil: silent
	Hooks   []kgo.Hook // metrics
}

// TLS switches encryption on; CAFile adds a certificate authority to the system's.
type TLS struct {
	Enabled bool   `yaml:"enabled" env:"ENABLED"`
	CAFile  string `yaml:"ca_file" env:"CA_FILE"`
}

// SASL authenticates; an empty mechanism does not.
type SASL struct {
	Mechanism string `yaml:"mechanism" env:"MECHANISM"` // plain, scram-sha-256 or scram-sha-512
	Username  string `yaml:"username" env:"USERNAME"`
	Password  string `yaml:"password" env:"PASSWORD"`
}

// Validate reports an unknown mechanism, or one without a user.
func (s SASL) Validate() error {
	switch s.Mechanism {
	case "":
		return nil
	case "plain", "scram-sha-256", "scram-sha-512":
		if s.Username == "" {
			return fmt.Errorf("username is empty, mechanism %s needs one", s.Mechanism)
		}
		return nil
	default:
		return fmt.Errorf("mechanism is %q, must be plain, scram-sha-256 or scram-sha-512", s.Mechanism)
	}
}

func (s SASL) mechanism() sasl.Mechanism {
	switch s.Mechanism {
	case "plain":
		return plain.Auth{User: s.Username, Pass: s.Password}.AsMechanism()
	case "scram-sha-256":
		return scram.Auth{User: s.Username, Pass: s.Password}.AsSha256Mechanism()
	default:
		return scram.Auth{User: s.Username, Pass: s.Password}.AsSha512Mechanism()
	}
}

func (c Connection) options() ([]kgo.Opt, error) {
	options := []kgo.Opt{kgo.SeedBrokers(c.Brokers...), kgo.ClientID("winnow")}
	if c.Logger != nil {
		options = append(options, kgo.WithLogger(c.Logger))
	}
	if len(c.Hooks) > 0 {
		options = append(options, kgo.WithHooks(c.Hooks...))
	}
	if c.TLS.Enabled {
		config, err := c.TLS.config()
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.DialTLSConfig(config))
	}
	if c.SASL.Mechanism != "" {
		options = append(options, kgo.SASL(c.SASL.mechanism()))
	}
	return options, nil
}

func (t TLS) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile == "" {
		return config, nil
	}
	authority, err := os.ReadFile(t.CAFile)
	if err != nil {
		return nil, fmt.Errorf("kafka.tls.ca_file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("system certificates: %w", err)
	}
	if !pool.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("kafka.tls.ca_file: %s holds no PEM certificate", t.CAFile)
	}
	config.RootCAs = pool
	return config, nil
}

// Client returns a client for administration and for producing, once a broker has answered it.
func (c Connection) Client(ctx context.Context, extra ...kgo.Opt) (*kgo.Client, error) {
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append(options, extra...)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	if err := reach(ctx, client, c.Brokers); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// reachTimeout is generous to a cluster that is just starting, and short enough that a wrong address is told soon.
const reachTimeout = 15 * time.Second

func reach(ctx context.Context, client *kgo.Client, brokers []string) error {
	limited, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if err := client.Ping(limited); err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err() // asked to stop: the brokers are not at fault
		}
		return fmt.Errorf("no broker answers at %s (kafka.brokers): %w", strings.Join(brokers, ", "), err)
	}
	return nil
}

// What one lane fetches at a time, however far it lags. A batch that is larger than decompressedBytes when decompressed
// stops the lane with an error that names its offset: it is no accident of a generator.
const (
	fetchBytes          = 16 << 20 // one fetch of all partitions
	fetchPartitionBytes = 2 << 20  // of one partition
	decompressedBytes   = 64 << 20 // one batch, against decompression bombs
)

func consumerOptions(config SessionConfig, assignment *Assignment) []kgo.Opt {
	return []kgo.Opt{
		kgo.ConsumerGroup(config.Group),
		kgo.ConsumeTopics(config.Topic),
		// A group that has committed nothing starts at the beginning: candidates published before it must be judged too.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartitionBytes),
		kgo.MaxConcurrentFetches(1),
		kgo.MaxDecompressBatchBytes(decompressedBytes),
		kgo.SessionTimeout(20 * time.Second), // a killed replica's partitions wait this long for another
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytesFn(config.limit),
		kgo.OnPartitionsAssigned(assignment.assigned),
		kgo.OnPartitionsRevoked(assignment.gone),
		kgo.OnPartitionsLost(assignment.gone),
	}
}

// poll returns the next records, at least one, or the first error.
func poll(ctx context.Context, fetch func() kgo.Fetches) ([]*kgo.Record, error) {
	for {
		fetches := fetch()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var problems []error
		fetches.EachError(func(topic string, partition int32, err error) {
			problems = append(problems, fmt.Errorf("fetch %s/%d: %w", topic, partition, err))
		})
		if len(problems) > 0 {
			return nil, errors.Join(problems...)
		}
		if records := fetches.Records(); len(records) > 0 {
			return records, nil
		}
	}
}
