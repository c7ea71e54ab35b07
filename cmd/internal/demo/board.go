//go:build cgo

package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/winnowgate/winnow/processor"
	"github.com/winnowgate/winnow/processor/judge"
)

// The first verdicts are all shown, so that whoever looks sees what traffic is like; of those that follow, one calm one in so
// many, and every severe one and every miss.
const (
	shownFirst     = 20
	calmOnesToShow = 10
)

// board counts verdicts, holds them against the truth, and shows them as they come.
type board struct {
	screen   Screen
	reader   reader
	truths   map[string]Truth // by placement_id
	expected int
	seen     map[string]bool // by the candidate's position
	calm     int             // approvals and reviews after the first verdicts
	summary  Summary
	reported int
}

func newBoard(screen Screen, reader reader, truths map[string]Truth, expected int) *board {
	screen.Width = max(screen.Width, narrowestBoard)
	b := &board{screen: screen, reader: reader, truths: truths, expected: expected, seen: map[string]bool{}}
	b.legend()
	return b
}

func (b *board) legend() {
	for _, meaning := range []struct {
		kind kind
		says string
	}{
		{approved, "goes to shoppers; the product beside it was left out"},
		{hit, "killed as severe, rightly: the product beside it breaks the theme"},
		{falseAlarm, "killed as severe, but the product beside it breaks nothing"},
		{miss, "approved, although it shows a product that breaks the theme"},
		{review, "held for a person: too many products were left out"},
		{deadLetter, "the record can't be read"},
	} {
		fmt.Fprintf(b.screen.Out, "  %s  %s\n", b.screen.paint(cell(string(meaning.kind), kindColumns), colours(meaning.kind)), meaning.says)
	}
	fmt.Fprintf(b.screen.Out, "\n%s\n", b.screen.columns("VERDICT", "SHOWN", "THEME", "PRODUCT (PROBABILITY OR RULE) +MORE", ""))
}

func (b *board) decided() int {
	return b.summary.Approved + b.summary.Severe + b.summary.Review + b.summary.DeadLetter
}

func (b *board) record(record *kgo.Record) error {
	headers := map[string]string{}
	for _, header := range record.Headers {
		headers[header.Key] = string(header.Value)
	}
	verdict, ok, err := b.reader.read(record, headers)
	if err != nil || !ok {
		return err
	}
	source := headers[processor.HeaderSource]
	if b.seen[source] {
		return fmt.Errorf("the candidate at %s has two verdicts", source)
	}
	b.seen[source] = true
	if b.truths[verdict.placement] == nil && verdict.outcome != processor.VerdictDeadLetter {
		return fmt.Errorf("the candidate at %s was cut off, and has the verdict %s", source, verdict.outcome)
	}
	b.add(verdict)
	if verdict.outcome == string(judge.Approved) || b.summary.Model == "" {
		b.summary.Model, b.summary.Provider = headers[processor.HeaderModel], headers[processor.HeaderProvider]
	}
	return nil
}

func (b *board) add(verdict verdict) {
	truth := b.truths[verdict.placement]
	switch verdict.outcome {
	case string(judge.Approved):
		b.summary.Approved++
	case string(judge.Review):
		b.summary.Review++
	case string(judge.Severe):
		b.summary.Severe++
	default:
		b.summary.DeadLetter++
	}
	b.summary.tally.add(verdict, truth)
	if b.worthShowing(verdict.kind(truth)) {
		fmt.Fprintln(b.screen.Out, b.screen.line(verdict, truth))
	}
}

func (b *board) worthShowing(found kind) bool {
	if b.decided() <= shownFirst || found != approved && found != review {
		return true
	}
	b.calm++
	return b.calm%calmOnesToShow == 0
}

// finish returns the summary once every candidate has its verdict.
func (b *board) finish(took time.Duration) Summary {
	for _, truth := range b.truths {
		b.summary.Pairs += len(truth)
	}
	b.summary.Candidates, b.summary.Seconds = b.expected, took.Seconds()
	b.summary.PairsPerSecond = float64(b.summary.Pairs) / b.summary.Seconds
	return b.summary
}

// progress prints the counts each time another tenth is decided.
func (b *board) progress() {
	tenth := b.decided() * 10 / b.expected
	if tenth == b.reported {
		return
	}
	b.reported = tenth
	fmt.Fprintf(b.screen.Out, "%s %3d %%  approved %d  severe %d  review %d  dead letter %d\n",
		strings.Repeat("█", tenth)+strings.Repeat("░", 10-tenth), tenth*10, b.summary.Approved, b.summary.Severe, b.summary.Review, b.summary.DeadLetter)
}
