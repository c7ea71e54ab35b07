package config

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/processor/judge/rules"
)

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gate.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestLoad_DefaultsAreValid(t *testing.T) {
	settings, err := Load("", nil)
	require.NoError(t, err)
	require.Equal(t, Default(), settings)
}

func TestLoad_TheEnvironmentOverridesTheFileOverridesTheDefaults(t *testing.T) {
	path := file(t, "kafka: {brokers: [a:1], group: from-file, lanes: 3}\npolicy: {uncertain: hold}\n")
	settings, err := Load(path, []string{"WINNOW_KAFKA_BROKERS=b:2,c:3", "WINNOW_POLICY_MIN_PRODUCTS=5", "WINNOW_KAFKA_SASL_MECHANISM=plain", "WINNOW_KAFKA_SASL_USERNAME=u", "HOME=/x", "WINNOW_SERVICE_HOST=10.0.0.1", "WINNOW_PORT=tcp://10.0.0.1:80", "WINNOW_PORT_80_TCP_ADDR=10.0.0.1", "WINNOW_SERVICE_PORT_HTTP=80"})
	require.NoError(t, err)
	require.Equal(t, []string{"b:2", "c:3"}, settings.Kafka.Brokers)
	require.Equal(t, "from-file", settings.Kafka.Group)
	require.Equal(t, 3, settings.Kafka.Lanes)
	require.Equal(t, 5, settings.Policy.MinProducts)
	require.Equal(t, judge.Hold, settings.Policy.Uncertain)
	require.Equal(t, "plain", settings.Kafka.SASL.Mechanism)
	require.Equal(t, Default().Topics, settings.Topics)
}

// The reference configuration in deploy/ is what people copy: it must load, and say nothing but the defaults.
func TestLoad_TheReferenceConfigurationIsTheDefault(t *testing.T) {
	settings, err := Load("../../../deploy/gate.yaml", nil)
	require.NoError(t, err)
	require.Equal(t, Default(), settings)
}

func TestLoad_NamesTheKeyThatDoesNotExist(t *testing.T) {
	_, err := Load(file(t, "kafka:\n  broker: [a:1]\n"), nil)
	require.ErrorContains(t, err, "broker")
	require.ErrorContains(t, err, "gate.yaml")
	_, err = Load("", []string{"WINNOW_KAFKA_BROKER=a:1"})
	require.ErrorContains(t, err, "WINNOW_KAFKA_BROKER, which is no key")
}

func TestLoad_LeavesTheModelsOwnVariablesToIt(t *testing.T) {
	_, err := Load("", []string{"WINNOW_ONNXRUNTIME=/lib", "WINNOW_OPERATORS=/lib", "WINNOW_OPERATORS_LEVEL=avx2"})
	require.NoError(t, err)
}

func TestLoad_NamesTheFileOrTheValueThatCannotBeRead(t *testing.T) {
	_, err := Load("/nowhere/gate.yaml", nil)
	require.ErrorContains(t, err, "/nowhere/gate.yaml")
	_, err = Load(file(t, "kafka: {lanes: many}"), nil)
	require.ErrorContains(t, err, "line 1: cannot unmarshal !!str `many`")
	_, err = Load("", []string{"WINNOW_KAFKA_LANES=many"})
	require.ErrorContains(t, err, "many")
}

// All problems at once, each with its key, its value and its bound.
func TestValidate_ReportsEveryProblem(t *testing.T) {
	_, err := Load(file(t, `
kafka: {brokers: [nohost], group: "", delivery: sometimes, lanes: 0, poll_records: 0, sasl: {mechanism: kerberos}}
topics: {approved: "a b", review: placements.candidates}
limits: {record_bytes: 0}
model: {bundle: "", providers: [npu], require: cuda, workers: -1, threads: 4096, device: -1, precision: int4, workspace_bytes: -1}
gate: {batch_tokens: 0, cache_entries: -1}
policy: {min_products: 0, uncertain: keep, severe: hold, severe_threshold: 2, review_threshold: -1, weak_threshold: .nan, max_dead_letter_share: 7}
admin: {listen: nowhere}
log: {level: loud}
`), nil)
	for _, says := range []string{
		`kafka.brokers holds "nohost", must be host:port`, "kafka.group is empty", `kafka.delivery is "sometimes", must be exactly-once or at-least-once`,
		"kafka.lanes is 0, must be 1 to 64", "kafka.poll_records is 0", `kafka.sasl: mechanism is "kerberos"`,
		`topics.approved is "a b"`, `topics.review is "placements.candidates", which another topic is called already`,
		"limits: record_bytes is 0, must be at least 1", "model.bundle is empty", `model.providers holds "npu", must be some of [tensorrt cuda cpu]`,
		`model.require is "cuda", must be empty or one of model.providers [npu]`, fmt.Sprintf("model.workers is -1, must be 0 to %d", max(runtime.GOMAXPROCS(0), 2)),
		fmt.Sprintf("model.threads is 4096, must be 0 to the %d processors", runtime.GOMAXPROCS(0)), "model.device is -1, must be 0 to 63",
		`model.precision is "int4", must be one of [fp16 bf16 fp32]`, "model.workspace_bytes is -1, must be 0 to 1099511627776",
		"gate.batch_tokens is 0", "gate.cache_entries is -1", "policy.min_products is 0", `policy.uncertain is "keep", must be prune or hold`, `policy.severe is "hold", must be tombstone or prune`, "policy.weak_threshold is NaN, must be 0 to 1", "policy.severe_threshold is 2, must be 0 to 1",
		"policy.review_threshold is -1", "policy.max_dead_letter_share is 7", `admin.listen is "nowhere", must be host:port`, `log.level is "loud"`,
	} {
		require.ErrorContains(t, err, says)
	}
}

// A configuration of the policy before goes on: where it kept weak products they stay, unless it sets the key that came instead.
func TestLoad_ReadsPruneWeakOfThePolicyBefore(t *testing.T) {
	settings, err := Load(file(t, "policy: {prune_weak: true}"), nil)
	require.NoError(t, err)
	require.False(t, settings.Policy.KeepsWeak())
	settings, err = Load("", []string{"WINNOW_POLICY_PRUNE_WEAK=false"})
	require.NoError(t, err)
	require.True(t, settings.Policy.KeepsWeak())
	_, err = Load(file(t, "policy: {prune_weak: false, weak_threshold: 0.6}"), nil)
	require.ErrorContains(t, err, "policy.weak_threshold is 0.6 and policy.prune_weak, which it replaced, is false: remove policy.prune_weak")
}

// Rules of one's own come before those of the file, which a variable may name; a rule that is wrong is shown where it is.
func TestLoad_RulesComeFromTheFileAndOneBesideIt(t *testing.T) {
	own := "policy:\n  rules:\n  - {name: ours, when: \"title == 'x'\", then: relevant}\n"
	shared := file(t, "- {name: no-beer, when: \"title.has_word(['beer'])\", then: severe}\n")
	settings, err := Load(file(t, own), []string{"WINNOW_POLICY_RULES_FILE=" + shared})
	require.NoError(t, err)
	set, err := settings.Policy.CompileRules()
	require.NoError(t, err)
	require.Equal(t, []rules.Rule{{Name: "ours", When: "title == 'x'", Then: rules.Relevant}, {Name: "no-beer", When: "title.has_word(['beer'])", Then: rules.Severe}}, set.Rules())
	_, err = Load("", []string{"WINNOW_POLICY_RULES_FILE=hazards"})
	require.NoError(t, err)

	for says, text := range map[string]string{
		"policy.rules[0] \"no-alcohol\": 1:1: undeclared reference to 'titel' (did you mean 'title'?)\n  | titel.has_word(['beer'])\n  | ^": "policy: {rules: [{name: no-alcohol, when: \"titel.has_word(['beer'])\", then: severe}]}",
		"policy.rules_file: open /nowhere.yaml":           "policy: {rules_file: /nowhere.yaml}",
		"line 1: field if not found":                      "policy: {rules: [{name: a, if: \"true\", then: severe}]}",
		"\"no-beer\": another rule has this name already": "policy: {rules_file: " + shared + ", rules: [{name: no-beer, when: \"true\", then: severe}]}",
		"holds no rules":                                  "policy: {rules_file: " + file(t, "") + "}",
	} {
		_, err := Load(file(t, text), nil)
		require.ErrorContains(t, err, says)
	}
	_, err = Load("", []string{"WINNOW_POLICY_RULES=x"})
	require.ErrorContains(t, err, "name a file of them by WINNOW_POLICY_RULES_FILE")
}

// Workers and threads share the processors; more of them only wait for each other.
func TestValidate_WorkersTimesThreadsFitTheProcessors(t *testing.T) {
	processors := runtime.GOMAXPROCS(0)
	settings := Default()
	settings.Model.Workers, settings.Model.Threads = processors, 1
	require.NoError(t, settings.Validate())
	settings.Model.Workers, settings.Model.Threads = 1, processors
	require.NoError(t, settings.Validate())
	settings.Model.Workers, settings.Model.Threads = processors+1, 0
	require.ErrorContains(t, settings.Validate(), fmt.Sprintf("model.workers is %d, must be 0 to %d", processors+1, processors))
	runtime.GOMAXPROCS(2) // the product can only be wrong where there are two
	defer runtime.GOMAXPROCS(processors)
	settings.Model.Workers, settings.Model.Threads = 2, 2
	require.ErrorContains(t, settings.Validate(), "model.workers is 2 and model.threads is 2, their product must be at most the 2 processors")
}

// A provider's options are a map: in the file as one, in the environment as name=value;name=value.
func TestLoad_ReadsProviderOptionsAndBuckets(t *testing.T) {
	path := file(t, "model: {buckets: [32, 128], tensorrt_options: {trt_builder_optimization_level: \"5\"}}\n")
	settings, err := Load(path, []string{"WINNOW_MODEL_CUDA_OPTIONS=gpu_mem_limit=1024;use_ep_level_unified_stream=1"})
	require.NoError(t, err)
	require.Equal(t, []int{32, 128}, settings.Model.Buckets)
	require.Equal(t, map[string]string{"trt_builder_optimization_level": "5"}, settings.Model.TensorRTOptions)
	require.Equal(t, map[string]string{"gpu_mem_limit": "1024", "use_ep_level_unified_stream": "1"}, settings.Model.CUDAOptions)
	settings, err = Load(path, []string{"WINNOW_MODEL_BUCKETS=16,64", "WINNOW_MODEL_TENSORRT_OPTIONS=trt_op_types_to_exclude=Gelu,Erf"})
	require.NoError(t, err)
	require.Equal(t, []int{16, 64}, settings.Model.Buckets)
	require.Equal(t, map[string]string{"trt_op_types_to_exclude": "Gelu,Erf"}, settings.Model.TensorRTOptions)
}

func TestDump_HidesThePassword(t *testing.T) {
	settings := Default()
	settings.Kafka.SASL.Password = "hunter2"
	dump, err := settings.Dump()
	require.NoError(t, err)
	require.NotContains(t, string(dump), "hunter2")
	require.Contains(t, string(dump), "(redacted)")
	require.Equal(t, "hunter2", settings.Kafka.SASL.Password)
}
