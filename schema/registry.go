package schema

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
)

// subject names a record in errors and as a key of Subjects.
type subject string

const (
	subjectCandidates subject = "candidates"
	subjectApproved   subject = "approved"
	subjectTombstones subject = "tombstones"
	subjectReview     subject = "review"
)

// Subjects are the registry's names of the four records, <topic>-value by convention.
type Subjects struct{ Candidates, Approved, Tombstones, Review string }

// Registry resolves the schema ids of Confluent's wire format.
type Registry struct {
	client  *sr.Client
	headers map[subject][]byte // Confluent's: 0, then the id

	mu      sync.Mutex
	readers map[int]*avro.Schema // by writer id: decodes that writer's bytes into a Candidate
	refused map[int]refusal      // ids that could not be read, so that a flood of them costs one look-up a minute
}

type refusal struct {
	err  *Error
	when time.Time
}

// What hostile ids may leave in memory, and for how long an id stays refused: it may be registered a moment later.
const (
	refusedIDs = 1024
	refusedFor = time.Minute
)

// codeSchemaNotFound is the registry's own word for an id it does not have. A plain 404 may come from whatever stands
// between, and blames no record.
const codeSchemaNotFound = 40403

// OpenRegistry registers the four schemas at url, or finds them registered, and returns the registry. It fails when the
// registry can't be reached or holds an incompatible schema.
func OpenRegistry(ctx context.Context, url string, subjects Subjects) (*Registry, error) {
	client, err := sr.NewClient(sr.URLs(url))
	if err != nil {
		return nil, fmt.Errorf("schema registry %s: %w", url, err)
	}
	registry := &Registry{client: client, headers: map[subject][]byte{}, readers: map[int]*avro.Schema{}, refused: map[int]refusal{}}
	for _, entry := range []struct {
		of         subject
		name       string
		definition string
	}{
		{subjectCandidates, subjects.Candidates, Definition("candidate")},
		{subjectApproved, subjects.Approved, Definition("approved")},
		{subjectTombstones, subjects.Tombstones, Definition("tombstone")},
		{subjectReview, subjects.Review, Definition("review")},
	} {
		registered, err := client.CreateSchema(ctx, entry.name, sr.Schema{Schema: entry.definition, Type: sr.TypeAvro})
		if err != nil {
			return nil, fmt.Errorf("schema registry %s: register subject %s: %w", url, entry.name, err)
		}
		header, err := new(sr.ConfluentHeader).AppendEncode(nil, registered.ID, nil)
		if err != nil {
			return nil, fmt.Errorf("schema registry %s: subject %s: %w", url, entry.name, err)
		}
		registry.headers[entry.of] = header
	}
	return registry, nil
}

func (r *Registry) header(of subject) []byte {
	return bytes.Clone(r.headers[of])
}

// reader returns the schema that decodes bytes of the writer schema id into a Candidate. An *Error blames the id.
func (r *Registry) reader(ctx context.Context, id int) (*avro.Schema, error) {
	if reader, err, known := r.remembered(id); known {
		return reader, err
	}
	if id < 1 || id > math.MaxInt32 {
		return nil, &Error{ClassUnknownSchema, fmt.Errorf("schema id %d is none: ids are 1 to %d", id, math.MaxInt32)}
	}
	reader, err := r.resolve(ctx, id)
	r.mu.Lock()
	defer r.mu.Unlock()
	var blame *Error
	switch {
	case err == nil:
		r.readers[id] = reader
		delete(r.refused, id)
	case errors.As(err, &blame):
		if len(r.refused) >= refusedIDs {
			clear(r.refused)
		}
		r.refused[id] = refusal{blame, time.Now()}
	}
	return reader, err
}

func (r *Registry) remembered(id int) (reader *avro.Schema, err error, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if reader, ok := r.readers[id]; ok {
		return reader, nil, true
	}
	if refused, ok := r.refused[id]; ok && time.Since(refused.when) < refusedFor {
		return nil, refused.err, true
	}
	return nil, nil, false
}

func (r *Registry) resolve(ctx context.Context, id int) (*avro.Schema, error) {
	writer, err := r.client.SchemaByID(ctx, id)
	var response *sr.ResponseError
	switch {
	case errors.As(err, &response) && response.ErrorCode == codeSchemaNotFound:
		return nil, &Error{ClassUnknownSchema, fmt.Errorf("schema id %d is not in the registry", id)}
	case err != nil:
		return nil, fmt.Errorf("schema registry: look up schema id %d: %w", id, err)
	}
	if writer.Type != sr.TypeAvro {
		return nil, &Error{ClassUnknownSchema, fmt.Errorf("schema id %d is %s, not Avro", id, writer.Type)}
	}
	parsed, err := avro.Parse(writer.Schema)
	if err != nil {
		return nil, &Error{ClassUnknownSchema, fmt.Errorf("schema id %d: %w", id, err)}
	}
	reader, err := avro.Resolve(parsed, candidateSchema)
	if err != nil {
		return nil, &Error{ClassUnknownSchema, fmt.Errorf("schema id %d can't be read as winnow.v1.Candidate: %w", id, err)}
	}
	return reader, nil
}
