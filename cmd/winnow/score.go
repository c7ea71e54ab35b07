//go:build cgo

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/winnowgate/winnow/processor"
	"github.com/winnowgate/winnow/processor/gate"
	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/schema"
)

// scoreChunk is how many candidates are judged together: as many as a poll of winnow run, so that memory and speed are
// alike.
const scoreChunk = 256

// byteOrderMark is what some editors and spreadsheets put before UTF-8.
const byteOrderMark = "\ufeff"

func scoreCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "score",
		Short: "Judge candidates from standard input, without Kafka",
		Long: `Reads one candidate as JSON a line and writes one verdict as JSON a line, in the same order, through the gate that
winnow run uses. A line that is no candidate gets the verdict dead-letter, its class as the reason and an error; so does
one that can be read in two ways, with a key twice or half a surrogate pair. A byte order mark at the start is skipped.

With --explain each verdict has an explanation: the thresholds in force and, for every product in order, its probabilities, what
it was found to be (relevant, duplicate, weak, uncertain, unscored, severe), what decided that (rule:NAME, severe_threshold,
review_threshold, weak_threshold, below_thresholds, title, no_score), the words and symbols of theme and title that the model
can't read (unread), and why it was pruned, if it was.`,
		Example: `  echo '{"placement_id":"p1","theme":"Vegan desserts","products":[{"product_id":"a","title":"Beef jerky"}]}' | winnow score
  winnow score --explain < candidates.jsonl | jq '.explanation.products[] | select(.pruned != "")'`,
		Args: noArguments,
	}
	path := configFlag(command)
	explain := command.Flags().Bool("explain", false, "add to each verdict what decided each of its products")
	command.RunE = func(command *cobra.Command, _ []string) error {
		settings, err := loadConfig(*path)
		if err != nil {
			return err
		}
		engine, err := openEngine(command.Context(), settings)
		if err != nil {
			return err
		}
		codec, answer := schema.NewCodec(settings.Limits, nil), verdictLine(engine.Gate.Policy())
		if *explain {
			answer = explainedLine(engine.Gate.Policy())
		}
		err = score(command.Context(), engine.Gate, answer, codec, settings.Limits, os.Stdin, os.Stdout)
		return errors.Join(err, engine.Close())
	}
	return command
}

// line is one verdict; its JSON is part of the command's contract.
type line struct {
	PlacementID string          `json:"placement_id"`
	Verdict     string          `json:"verdict"`
	Reasons     []string        `json:"reasons"`
	Products    []schema.Scored `json:"products"`
	Pruned      []schema.Pruned `json:"pruned"`
	Error       string          `json:"error,omitempty"`
	Explanation *explanation    `json:"explanation,omitempty"`
}

// answer makes the line of one candidate.
type answer func(placementID string, scored gate.Scored) line

func score(ctx context.Context, gate *gate.Gate, answer answer, codec *schema.Codec, limits schema.Limits, in io.Reader, out io.Writer) error {
	reader := bufio.NewReaderSize(in, 64<<10)
	if err := skipByteOrderMark(reader); err != nil {
		return fmt.Errorf("read line 1: %w", err)
	}
	writer := bufio.NewWriter(out)
	encoder := json.NewEncoder(writer)
	encoder.SetEscapeHTML(false)
	for number, ended := 1, false; !ended; {
		var lines []line
		var candidates []schema.Candidate
		var indexes []int
		for len(lines) < scoreChunk && !ended {
			data, err := readLine(reader, limits.RecordBytes)
			if ended = errors.Is(err, io.EOF); ended && len(data) == 0 {
				break
			}
			if err != nil && !ended {
				return fmt.Errorf("read line %d: %w", number, err)
			}
			candidate, err := codec.DecodeCandidateJSON(data)
			if err != nil {
				lines = append(lines, deadLine(candidate.PlacementID, number, err))
			} else {
				candidates, indexes = append(candidates, candidate), append(indexes, len(lines))
				lines = append(lines, line{})
			}
			number++
		}
		read, err := gate.Score(ctx, candidates)
		if err != nil {
			return err
		}
		for i, scored := range read {
			lines[indexes[i]] = answer(candidates[i].PlacementID, scored)
		}
		for _, line := range lines {
			if err := encoder.Encode(line); err != nil {
				return fmt.Errorf("write verdict: %w", err)
			}
		}
		if err := writer.Flush(); err != nil {
			return fmt.Errorf("write verdicts: %w", err)
		}
	}
	return nil
}

func skipByteOrderMark(reader *bufio.Reader) error {
	start, err := reader.Peek(len(byteOrderMark))
	if err != nil || string(start) != byteOrderMark {
		return nil //nolint:nilerr // the first line is shorter than a mark, or can't be read, which reading it says
	}
	_, err = reader.Discard(len(start))
	return err
}

// readLine returns the next line without its end. Of a line longer than limit it returns the first limit+1 bytes, enough
// to see that it is too long, and skips the rest.
func readLine(reader *bufio.Reader, limit int) ([]byte, error) {
	var text []byte
	for {
		part, more, err := reader.ReadLine()
		if err != nil {
			return text, err
		}
		text = append(text, part[:min(len(part), limit+1-len(text))]...)
		if !more {
			return text, nil
		}
	}
}

func deadLine(placementID string, number int, err error) line {
	class := schema.ClassEncoding
	var blame *schema.Error
	if errors.As(err, &blame) {
		class = blame.Class
	}
	return line{
		PlacementID: placementID, Verdict: processor.VerdictDeadLetter, Reasons: []string{string(class)},
		Products: []schema.Scored{}, Pruned: []schema.Pruned{}, Error: fmt.Sprintf("line %d: %v", number, err),
	}
}

func verdictLine(policy judge.Policy) answer {
	return func(placementID string, scored gate.Scored) line {
		if scored.Err != nil {
			return line{
				PlacementID: placementID, Verdict: processor.VerdictDeadLetter, Reasons: []string{string(processor.ClassInference)},
				Products: []schema.Scored{}, Pruned: []schema.Pruned{}, Error: scored.Err.Error(),
			}
		}
		verdict := policy.Judge(scored.Placement)
		return line{
			PlacementID: placementID, Verdict: string(verdict.Outcome), Reasons: processor.Codes(verdict.Reasons),
			Products: processor.Scored(verdict.Products), Pruned: processor.Pruned(verdict.Pruned),
		}
	}
}
