// Package config composes the configuration of the whole program: defaults, then a strict YAML file, then environment
// variables. Every problem is reported at once.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
	"go.yaml.in/yaml/v3"

	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor/kafka"
	"github.com/winnowgate/winnow/schema"
)

// EnvironmentPrefix starts the name of every environment variable that sets a key: kafka.brokers is WINNOW_KAFKA_BROKERS.
const EnvironmentPrefix = "WINNOW_"

// The ways of delivery.
const (
	ExactlyOnce = "exactly-once"
	AtLeastOnce = "at-least-once"
)

// Config is everything that can be set.
type Config struct {
	Kafka          Kafka          `yaml:"kafka" envPrefix:"KAFKA_"`
	Topics         Topics         `yaml:"topics" envPrefix:"TOPICS_"`
	SchemaRegistry SchemaRegistry `yaml:"schema_registry" envPrefix:"SCHEMA_REGISTRY_"`
	Limits         schema.Limits  `yaml:"limits" envPrefix:"LIMITS_"`
	Model          Model          `yaml:"model" envPrefix:"MODEL_"`
	Gate           Gate           `yaml:"gate" envPrefix:"GATE_"`
	Policy         Policy         `yaml:"policy" envPrefix:"POLICY_"`
	Admin          Admin          `yaml:"admin" envPrefix:"ADMIN_"`
	Log            Log            `yaml:"log" envPrefix:"LOG_"`
}

// Kafka says where the brokers are and how the group consumes.
type Kafka struct {
	Brokers     []string   `yaml:"brokers" env:"BROKERS"`
	Group       string     `yaml:"group" env:"GROUP"`
	Delivery    string     `yaml:"delivery" env:"DELIVERY"`
	Lanes       int        `yaml:"lanes" env:"LANES"`               // sessions over one gate
	Replica     string     `yaml:"replica" env:"REPLICA"`           // names this process in its transactional ids; "" is the host's name
	PollRecords int        `yaml:"poll_records" env:"POLL_RECORDS"` // most candidates of one transaction
	TLS         kafka.TLS  `yaml:"tls" envPrefix:"TLS_"`
	SASL        kafka.SASL `yaml:"sasl" envPrefix:"SASL_"`
}

// Topics names the five topics.
type Topics struct {
	Candidates string `yaml:"candidates" env:"CANDIDATES"`
	Approved   string `yaml:"approved" env:"APPROVED"`
	Tombstones string `yaml:"tombstones" env:"TOMBSTONES"`
	Review     string `yaml:"review" env:"REVIEW"`
	DeadLetter string `yaml:"dead_letter" env:"DEAD_LETTER"`
}

// SchemaRegistry switches from Avro single-object encoding to Confluent's wire format.
type SchemaRegistry struct {
	URL string `yaml:"url" env:"URL"` // "": none
}

// Model says which bundle scores, and on what.
type Model struct {
	Bundle    string   `yaml:"bundle" env:"BUNDLE"` // starter, or a folder
	Providers []string `yaml:"providers" env:"PROVIDERS"`
	Require   string   `yaml:"require" env:"REQUIRE"` // refuse any other provider
	Workers   int      `yaml:"workers" env:"WORKERS"` // batches scored at once; 0: two on a GPU, on the CPU one a processor
	Threads   int      `yaml:"threads" env:"THREADS"` // of one worker on the CPU; 0: 1
	Profile   string   `yaml:"profile" env:"PROFILE"` // what the names of ONNX Runtime's profiles start with; "": none

	Device          int               `yaml:"device" env:"DEVICE"`       // the GPU's number
	Precision       string            `yaml:"precision" env:"PRECISION"` // of TensorRT
	Buckets         []int             `yaml:"buckets" env:"BUCKETS"`     // lengths that TensorRT pads to; empty: from 16 to the bundle's longest pair
	WorkspaceBytes  int               `yaml:"workspace_bytes" env:"WORKSPACE_BYTES"`
	EngineCache     string            `yaml:"engine_cache" env:"ENGINE_CACHE"` // a folder; "": in the user's cache folder
	TensorRTOptions map[string]string `yaml:"tensorrt_options" env:"TENSORRT_OPTIONS" envSeparator:";" envKeyValSeparator:"="`
	CUDAOptions     map[string]string `yaml:"cuda_options" env:"CUDA_OPTIONS" envSeparator:";" envKeyValSeparator:"="`
}

// validate leaves what depends on the bundle, and the providers' own options, to whoever opens it.
func (m *Model) validate(check func(ok bool, format string, values ...any), within func(key string, value, low, high int)) {
	check(m.Bundle != "", "model.bundle is empty, must be starter or a folder")
	check(len(m.Providers) > 0, "model.providers is empty, must list some of %v", model.Providers())
	for _, provider := range m.Providers {
		check(slices.Contains(model.Providers(), provider), "model.providers holds %q, must be some of %v", provider, model.Providers())
	}
	check(m.Require == "" || slices.Contains(m.Providers, m.Require), "model.require is %q, must be empty or one of model.providers %v", m.Require, m.Providers)
	processors := runtime.GOMAXPROCS(0) // what a container's limit leaves of the machine's
	most := max(processors, 2)          // a GPU's default is two, however few processors feed it
	check(0 <= m.Workers && m.Workers <= most, "model.workers is %d, must be 0 to %d: this process may use %d processors", m.Workers, most, processors)
	check(0 <= m.Threads && m.Threads <= processors, "model.threads is %d, must be 0 to the %d processors that this process may use", m.Threads, processors)
	check(m.Workers*m.Threads <= processors || max(m.Workers, m.Threads) > processors, "model.workers is %d and model.threads is %d, their product must be at most the %d processors", m.Workers, m.Threads, processors)
	within("model.device", m.Device, 0, 63)
	check(slices.Contains(model.Precisions(), m.Precision), "model.precision is %q, must be one of %v", m.Precision, model.Precisions())
	within("model.workspace_bytes", m.WorkspaceBytes, 0, 1<<40)
}

// Gate bounds batches and the memory of scores.
type Gate struct {
	BatchTokens   int `yaml:"batch_tokens" env:"BATCH_TOKENS"`
	PendingTokens int `yaml:"pending_tokens" env:"PENDING_TOKENS"` // that wait for a batch, of all lanes
	CacheEntries  int `yaml:"cache_entries" env:"CACHE_ENTRIES"`
}

// Admin is the endpoint of health and metrics.
type Admin struct {
	Listen string `yaml:"listen" env:"LISTEN"`
}

// Log says how much is logged: debug, info, warn or error.
type Log struct {
	Level string `yaml:"level" env:"LEVEL"`
}

// Default returns the configuration that runs against a broker on this machine.
func Default() Config {
	return Config{
		// 256 placements of some 10 products are 2,500 pairs: seconds of scoring on two processors, so one transaction's
		// 33 ms cost about 1 %, and a killed replica repeats seconds of work.
		Kafka: Kafka{Brokers: []string{"127.0.0.1:9092"}, Group: "winnow", Delivery: ExactlyOnce, Lanes: 2, PollRecords: 256},
		Topics: Topics{
			Candidates: "placements.candidates", Approved: "placements.approved", Tombstones: "placements.tombstones",
			Review: "placements.review", DeadLetter: "placements.dead-letter",
		},
		Limits: schema.DefaultLimits(),
		Model: Model{
			Bundle: "starter", Providers: model.Providers(), Precision: model.FP16,
			Buckets: []int{}, TensorRTOptions: map[string]string{}, CUDAOptions: map[string]string{},
		},
		// 512 tokens are some 30 pairs (docs/performance.md). 16,384 scores take some MB and reach beyond several polls of all lanes.
		// 262,144 pending tokens are some 16,000 pairs and 2 MB of ids.
		Gate:   Gate{BatchTokens: 512, PendingTokens: 262_144, CacheEntries: 16_384},
		Policy: defaultPolicy(),
		Admin:  Admin{Listen: "127.0.0.1:8080"},
		Log:    Log{Level: "info"},
	}
}

// InvalidError is an error of whoever wrote the configuration.
type InvalidError struct{ Err error }

func (e *InvalidError) Error() string { return "configuration: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *InvalidError) Unwrap() error { return e.Err }

// Load reads the file at path ("": none) over the defaults and the environment, given as KEY=VALUE, over both.
func Load(path string, environment []string) (Config, error) {
	config := Default()
	if path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return Config{}, fmt.Errorf("configuration: %w", err)
		}
		decoder := yaml.NewDecoder(bytes.NewReader(data))
		decoder.KnownFields(true)
		if err := decoder.Decode(&config); err != nil && !errors.Is(err, io.EOF) { // io.EOF: the file is empty
			return Config{}, fmt.Errorf("configuration %s: %w", path, err)
		}
	}
	if err := override(&config, environment); err != nil {
		return Config{}, err
	}
	if err := config.Validate(); err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	return config, nil
}

func override(config *Config, environment []string) error {
	options := env.Options{Prefix: EnvironmentPrefix, Environment: env.ToMap(environment)}
	params, err := env.GetFieldParamsWithOptions(config, options)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	known := map[string]bool{}
	for _, param := range params {
		known[param.Key] = true
	}
	var unknown []string
	for name := range options.Environment {
		if strings.HasPrefix(name, EnvironmentPrefix) && !known[name] && !model.ReadsVariable(name) && !serviceLink.MatchString(name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		names := strings.Join(unknown, ", ")
		return fmt.Errorf("configuration: the environment sets %s, which is no key: names are %s, the section and the key, such as WINNOW_KAFKA_BROKERS%s", names, EnvironmentPrefix, instead(names))
	}
	if err := env.ParseWithOptions(config, options); err != nil {
		return fmt.Errorf("configuration: environment: %w", err)
	}
	return nil
}

// serviceLink matches what Kubernetes sets in every container for a Service that is called winnow or winnow-something.
var serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_.+)?)$`)

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// Validate reports every problem with its key, value and bound.
func (c *Config) Validate() error {
	var problems []error
	check := func(ok bool, format string, values ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, values...))
		}
	}
	within := func(key string, value, low, high int) {
		check(low <= value && value <= high, "%s is %d, must be %d to %d", key, value, low, high)
	}
	part := func(key string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", key, err))
		}
	}
	check(len(c.Kafka.Brokers) > 0, "kafka.brokers is empty")
	for _, broker := range c.Kafka.Brokers {
		_, _, err := net.SplitHostPort(broker)
		check(err == nil, "kafka.brokers holds %q, must be host:port", broker)
	}
	check(c.Kafka.Group != "", "kafka.group is empty")
	check(c.Kafka.Delivery == ExactlyOnce || c.Kafka.Delivery == AtLeastOnce, "kafka.delivery is %q, must be %s or %s", c.Kafka.Delivery, ExactlyOnce, AtLeastOnce)
	within("kafka.lanes", c.Kafka.Lanes, 1, 64)
	within("kafka.poll_records", c.Kafka.PollRecords, 1, 100_000)
	part("kafka.sasl", c.Kafka.SASL.Validate())
	names := map[string]bool{}
	for _, topic := range c.Topics.All() {
		check(topicName.MatchString(topic.Name), "topics.%s is %q, must be 1 to 249 letters, digits, dots, hyphens or underscores", topic.Key, topic.Name)
		check(!names[topic.Name], "topics.%s is %q, which another topic is called already", topic.Key, topic.Name)
		names[topic.Name] = true
	}
	part("limits", c.Limits.Validate())
	c.Model.validate(check, within)
	within("gate.batch_tokens", c.Gate.BatchTokens, 1, 1<<20)
	within("gate.pending_tokens", c.Gate.PendingTokens, c.Gate.BatchTokens, 1<<30)
	within("gate.cache_entries", c.Gate.CacheEntries, 0, 1<<26)
	within("policy.min_products", c.Policy.MinProducts, 1, c.Limits.Products)
	c.Policy.validate(check)
	_, _, err := net.SplitHostPort(c.Admin.Listen)
	check(err == nil, "admin.listen is %q, must be host:port", c.Admin.Listen)
	check(slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level), "log.level is %q, must be debug, info, warn or error", c.Log.Level)
	return errors.Join(problems...)
}

// NamedTopic is a topic with its key in the configuration.
type NamedTopic struct{ Key, Name string }

// All lists the topics, the candidates first.
func (t Topics) All() []NamedTopic {
	return []NamedTopic{
		{"candidates", t.Candidates}, {"approved", t.Approved}, {"tombstones", t.Tombstones},
		{"review", t.Review}, {"dead_letter", t.DeadLetter},
	}
}

// Dump renders the configuration in force as YAML, without secrets.
func (c Config) Dump() ([]byte, error) {
	if c.Kafka.SASL.Password != "" {
		c.Kafka.SASL.Password = "(redacted)"
	}
	return yaml.Marshal(c)
}
