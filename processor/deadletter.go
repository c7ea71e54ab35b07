package processor

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/winnowgate/winnow/schema"
)

// Class is the value of the header winnow-error-class. The classes of package schema are classes here as well.
type Class string

// The classes that only the whole pipeline knows.
const (
	ClassKey           Class = "key"           // the record's key is not its placement_id
	ClassInference     Class = "inference"     // the model failed on this placement
	ClassUndeliverable Class = "undeliverable" // the broker takes no record as large as this one's verdict
)

// Classes lists every class of dead letter.
func Classes() []Class {
	return []Class{
		Class(schema.ClassEncoding), Class(schema.ClassUnknownSchema), Class(schema.ClassLimit), Class(schema.ClassInvalid),
		ClassKey, ClassInference, ClassUndeliverable,
	}
}

// maxDeadLetterBytes is how much of an input a dead letter carries: it stays below the 1 MiB that brokers take by default,
// headers included.
const maxDeadLetterBytes = 900 << 10

type deadLetterError struct {
	class Class
	err   error
}

func (e *deadLetterError) Error() string { return fmt.Sprintf("%s: %v", e.class, e.err) }

// deadLetter carries the record's original bytes to the dead-letter topic. A record too large to be carried is left out;
// winnow-source tells where it still stands.
func (r *Runner) deadLetter(source *kgo.Record, blame *deadLetterError) decision {
	message := blame.err.Error()
	out := &kgo.Record{Topic: r.config.Topics.DeadLetter, Key: source.Key, Value: source.Value}
	if original := foreignHeaders(source); blame.class != ClassUndeliverable && sizeOf(source) <= maxDeadLetterBytes {
		out.Headers = original
	} else {
		out.Value = nil
		out.Headers = traceparent(source)
		message = fmt.Sprintf("%s; the original record of %d bytes is not repeated here, see %s", message, len(source.Value), HeaderSource)
		if len(out.Key) > maxMessage {
			out.Key = nil
		}
	}
	out.Headers = append(out.Headers,
		header(HeaderSource, positionOf(source).String()),
		header(HeaderModel, r.config.Model),
		header(HeaderVerdict, VerdictDeadLetter),
		header(HeaderErrorClass, string(blame.class)),
		header(HeaderErrorMessage, ascii(message)),
	)
	return decision{source: source, verdict: VerdictDeadLetter, class: blame.class, out: []*kgo.Record{out}}
}

func sizeOf(record *kgo.Record) int {
	size := len(record.Key) + len(record.Value)
	for _, header := range record.Headers {
		size += len(header.Key) + len(header.Value)
	}
	return size
}
