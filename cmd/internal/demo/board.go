//go:build cgo

package demo

import (
	"fmt"
	"io"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/winnowgate/winnow/processor"
	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/schema"
)

// board counts verdicts and shows them as they come.
type board struct {
	out      io.Writer
	expected int
	seen     map[string]bool // by the candidate's position
	summary  Summary
	reported int
}

func newBoard(out io.Writer, expected int) *board {
	fmt.Fprintf(out, "%-10s  %-34s  %-52s  %s\n", "VERDICT", "THEME", "BECAUSE OF", "P(SEVERE)")
	return &board{out: out, expected: expected, seen: map[string]bool{}}
}

func (b *board) decided() int {
	return b.summary.Approved + b.summary.Severe + b.summary.Review + b.summary.DeadLetter
}

func (b *board) record(record *kgo.Record) error {
	headers := map[string]string{}
	for _, header := range record.Headers {
		headers[header.Key] = string(header.Value)
	}
	verdict, source := headers[processor.HeaderVerdict], headers[processor.HeaderSource]
	if record.Value == nil && verdict != processor.VerdictDeadLetter {
		return nil // the null that withdraws an approval accompanies a verdict elsewhere
	}
	if b.seen[source] {
		return fmt.Errorf("the candidate at %s has two verdicts", source)
	}
	b.seen[source] = true
	switch verdict {
	case string(judge.Approved):
		b.summary.Approved++
	case string(judge.Review):
		b.summary.Review++
	case string(judge.Severe):
		b.summary.Severe++
		if err := b.showSevere(record); err != nil {
			return err
		}
	default:
		b.summary.DeadLetter++
		b.row("dead letter", source, headers[processor.HeaderErrorClass], "")
	}
	if verdict == string(judge.Approved) || b.summary.Model == "" {
		b.summary.Model, b.summary.Provider = headers[processor.HeaderModel], headers[processor.HeaderProvider]
	}
	return nil
}

func (b *board) showSevere(record *kgo.Record) error {
	tombstone, err := schema.DecodeTombstone(record.Value)
	if err != nil {
		return fmt.Errorf("tombstone of %s: %w", record.Key, err)
	}
	for _, violation := range tombstone.Violations {
		b.row("severe", tombstone.Theme, violation.Title, fmt.Sprintf("%.3f", violation.Severe))
	}
	return nil
}

func (b *board) row(verdict, theme, because, probability string) {
	fmt.Fprintf(b.out, "%-10s  %-34s  %-52s  %s\n", verdict, fit(theme, 34), fit(because, 52), probability)
}

// progress prints the counts each time another tenth is decided.
func (b *board) progress() {
	tenth := b.decided() * 10 / b.expected
	if tenth == b.reported {
		return
	}
	b.reported = tenth
	fmt.Fprintf(b.out, "%s %3d %%  approved %d  severe %d  review %d  dead letter %d\n",
		strings.Repeat("█", tenth)+strings.Repeat("░", 10-tenth), tenth*10, b.summary.Approved, b.summary.Severe, b.summary.Review, b.summary.DeadLetter)
}

func fit(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	return string(runes[:width-1]) + "…"
}
