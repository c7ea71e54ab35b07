package schema

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

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
	refused map[int]*Error       // ids that can never be read, so that a flood of them costs one look-up
}

// refusedIDs bounds what hostile ids may leave in memory.
const refusedIDs = 1024

// OpenRegistry registers the four schemas at url, or finds them registered, and returns the registry. It fails when the
// registry can't be reached or holds an incompatible schema.
func OpenRegistry(ctx context.Context, url string, subjects Subjects) (*Registry, error) {
	client, err := sr.NewClient(sr.URLs(url))
	if err != nil {
		return nil, fmt.Errorf("schema registry %s: %w", url, err)
	}
	registry := &Registry{client: client, headers: map[subject][]byte{}, readers: map[int]*avro.Schema{}, refused: map[int]*Error{}}
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
	r.mu.Lock()
	defer r.mu.Unlock()
	if reader, ok := r.readers[id]; ok {
		return reader, nil
	}
	if refused, ok := r.refused[id]; ok {
		return nil, refused
	}
	reader, err := r.resolve(ctx, id)
	var blame *Error
	switch {
	case err == nil:
		r.readers[id] = reader
	case errors.As(err, &blame):
		if len(r.refused) >= refusedIDs {
			clear(r.refused)
		}
		r.refused[id] = blame
	}
	return reader, err
}

func (r *Registry) resolve(ctx context.Context, id int) (*avro.Schema, error) {
	writer, err := r.client.SchemaByID(ctx, id)
	var response *sr.ResponseError
	switch {
	case errors.As(err, &response) && response.StatusCode == http.StatusNotFound:
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
