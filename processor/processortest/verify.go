package processortest

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Output is one record of an output topic, as an independent reader saw it.
type Output struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       string
	Null      bool   // the value is null
	Source    string // topic/partition/offset of the candidate
	Verdict   string
	Reasons   string
}

// kcatFormat prints topic, partition, offset, key, value length (-1 for null) and headers, a record a line. The unit
// separators keep what generators write from being read as another field.
const kcatFormat = "%t\x1f%p\x1f%o\x1f%k\x1f%S\x1f%h\n"

// ReadOutputs reads topics whole, read_committed, with kcat: librdkafka shares no code with what wrote them.
func ReadOutputs(t *testing.T, broker string, topics ...string) []Output {
	t.Helper()
	var outputs []Output
	for _, topic := range topics {
		command := exec.Command("kcat", "-b", broker, "-C", "-t", topic, "-o", "beginning", "-e", "-q",
			"-X", "isolation.level=read_committed", "-f", kcatFormat)
		text, err := command.Output()
		require.NoError(t, err, "kcat on %s", topic)
		for line := range strings.Lines(string(text)) {
			outputs = append(outputs, parseOutput(t, strings.TrimSuffix(line, "\n")))
		}
	}
	return outputs
}

var (
	sourceHeader  = regexp.MustCompile(`winnow-source=([^,]+)`)
	verdictHeader = regexp.MustCompile(`winnow-verdict=([a-z-]+)`)
	reasonsHeader = regexp.MustCompile(`winnow-reasons=([a-z0-9:,-]*)`)
)

func parseOutput(t *testing.T, line string) Output {
	t.Helper()
	fields := strings.Split(line, "\x1f")
	require.Len(t, fields, 6, "%q", line)
	partition, err := strconv.ParseInt(fields[1], 10, 32)
	require.NoError(t, err)
	offset, err := strconv.ParseInt(fields[2], 10, 64)
	require.NoError(t, err)
	header := func(pattern *regexp.Regexp) string {
		if match := pattern.FindStringSubmatch(fields[5]); match != nil {
			return match[1]
		}
		return ""
	}
	return Output{
		Topic: fields[0], Partition: int32(partition), Offset: offset, Key: fields[3], Null: fields[4] == "-1",
		Source: header(sourceHeader), Verdict: header(verdictHeader), Reasons: header(reasonsHeader),
	}
}

// Input is one candidate as it was published.
type Input struct {
	Source  string // topic/partition/offset
	Key     string
	Verdict string // what an independent judgement says; "" where any will do
}

// Report is what Verify found wrong; the zero value is a perfect run.
type Report struct {
	Missing   []string // inputs without a verdict
	Duplicate []string // inputs with more than one
	Wrong     []string // verdicts that differ from the expected, and keys whose newest approval is not the truth
}

// OK reports a perfect run.
func (r Report) OK() bool { return len(r.Missing)+len(r.Duplicate)+len(r.Wrong) == 0 }

func (r Report) String() string {
	return fmt.Sprintf("missing=%d duplicate=%d wrong=%d", len(r.Missing), len(r.Duplicate), len(r.Wrong))
}

// Verify checks that every input has exactly one verdict, the expected one, and that the newest record of each key on the
// approved topic tells whether the key's last judged candidate was approved. inputs come in the order of publication.
func Verify(inputs []Input, outputs []Output) Report {
	var report Report
	verdicts := map[string][]string{}
	newest := map[string]Output{} // by key, on the approved topic
	for _, output := range outputs {
		withdrawal := output.Topic == Approved && output.Null
		if !withdrawal {
			verdicts[output.Source] = append(verdicts[output.Source], output.Verdict)
		}
		if output.Topic == Approved {
			newest[output.Key] = output // one key is in one partition, which is read in order
		}
	}
	published := map[string]bool{}
	for _, input := range inputs {
		published[input.Source] = true
	}
	for source := range verdicts {
		if !published[source] {
			report.Wrong = append(report.Wrong, source+": a verdict on what was never published")
		}
	}
	last := map[string]string{}
	for _, input := range inputs {
		switch found := verdicts[input.Source]; {
		case len(found) == 0:
			report.Missing = append(report.Missing, input.Source)
		case len(found) > 1:
			report.Duplicate = append(report.Duplicate, fmt.Sprintf("%s: %v", input.Source, found))
		case input.Verdict != "" && found[0] != input.Verdict:
			report.Wrong = append(report.Wrong, fmt.Sprintf("%s: %s instead of %s", input.Source, found[0], input.Verdict))
		case found[0] != "dead-letter":
			last[input.Key] = found[0]
		}
	}
	for key, verdict := range last {
		record, exists := newest[key]
		shown := exists && !record.Null
		if shown != (verdict == "approved") {
			report.Wrong = append(report.Wrong, fmt.Sprintf("key %s: last verdict %s, but shown=%v", key, verdict, shown))
		}
		if !exists && verdict != "approved" {
			report.Wrong = append(report.Wrong, fmt.Sprintf("key %s: last verdict %s without a null on the approved topic", key, verdict))
		}
	}
	return report
}
