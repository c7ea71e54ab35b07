package schema

import (
	"bytes"
	"context"
	"embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/twmb/avro"
)

// The second line are what the first version wrote, which is still read: the frozen copies that the tests hold too.
//
//go:embed candidate.avsc approved.avsc tombstone.avsc review.avsc
//go:embed testdata/v1/candidate.avsc testdata/v1/tombstone.avsc
var definitions embed.FS

// Definition returns the Avro schema of a record as JSON; name is candidate, approved, tombstone or review.
func Definition(name string) string {
	text, err := definitions.ReadFile(name + ".avsc")
	if err != nil {
		panic(fmt.Sprintf("schema: no definition %q", name)) // a programmer's mistake: the names are constants
	}
	return string(text)
}

var (
	candidateSchema = avro.MustParse(Definition("candidate"))
	approvedSchema  = avro.MustParse(Definition("approved"))
	tombstoneSchema = avro.MustParse(Definition("tombstone"))
	reviewSchema    = avro.MustParse(Definition("review"))

	candidateReaders = readers("candidate", candidateSchema, &Candidate{})
	tombstoneReaders = readers("tombstone", tombstoneSchema, &Tombstone{})
)

// readers returns, by the fingerprint of a single-object header, what decodes the body as a record of the current version.
func readers(name string, current *avro.Schema, zero any) map[[8]byte]*avro.Schema {
	first := avro.MustParse(Definition("testdata/v1/" + name))
	resolved, err := avro.Resolve(first, current)
	if err != nil {
		panic(fmt.Sprintf("schema: %s: %v", name, err)) // the tests of evolution would have failed before
	}
	return map[[8]byte]*avro.Schema{fingerprint(current, zero): current, fingerprint(first, zero): resolved}
}

// fingerprint is what a single-object header of the schema holds, taken from such a header.
func fingerprint(schema *avro.Schema, zero any) [8]byte {
	data, err := schema.AppendSingleObject(nil, zero)
	if err != nil {
		panic(err) // the zero record always encodes
	}
	found, _, err := avro.SingleObjectFingerprint(data)
	if err != nil {
		panic(err)
	}
	return found
}

// The first bytes of the two encodings: Avro single-object, and Confluent's wire format (0, then a big-endian id).
const (
	singleObjectMagic0 = 0xC3
	singleObjectMagic1 = 0x01
	confluentMagic     = 0x00
	confluentHeader    = 5
)

// Codec decodes candidates and encodes verdicts. It is safe for concurrent use.
type Codec struct {
	limits   Limits
	registry *Registry // nil: none is configured
}

// NewCodec returns a codec. With a registry it writes Confluent's wire format, without (nil) Avro single-object
// encoding; it reads both, Confluent's only with a registry.
func NewCodec(limits Limits, registry *Registry) *Codec {
	return &Codec{limits: limits, registry: registry}
}

// DecodeCandidate decodes and checks one record. An *Error blames the record; any other error (the registry can't be
// reached, ctx ended) means that the same record may decode later.
func (c *Codec) DecodeCandidate(ctx context.Context, data []byte) (Candidate, error) {
	if len(data) > c.limits.RecordBytes {
		return Candidate{}, &Error{ClassLimit, fmt.Errorf("record has %d bytes, the limit is %d", len(data), c.limits.RecordBytes)}
	}
	reader, body, err := c.framing(ctx, data)
	if err != nil {
		return Candidate{}, err
	}
	var candidate Candidate
	rest, err := reader.Decode(body, &candidate)
	if err != nil {
		return Candidate{}, &Error{ClassEncoding, fmt.Errorf("not a winnow.v1.Candidate: %w", err)}
	}
	if len(rest) > 0 {
		return Candidate{}, &Error{ClassEncoding, fmt.Errorf("%d bytes follow the record", len(rest))}
	}
	return candidate, c.limits.Check(&candidate)
}

// framing strips the header and returns the schema that decodes the body into a Candidate.
func (c *Codec) framing(ctx context.Context, data []byte) (*avro.Schema, []byte, error) {
	switch {
	case len(data) == 0:
		return nil, nil, &Error{ClassEncoding, errors.New("the record has no value")}
	case len(data) >= 2 && data[0] == singleObjectMagic0 && data[1] == singleObjectMagic1:
		return singleObject(data, candidateReaders, "winnow.v1.Candidate")
	case data[0] == confluentMagic && len(data) >= confluentHeader:
		id := int(binary.BigEndian.Uint32(data[1:confluentHeader]))
		if c.registry == nil {
			return nil, nil, &Error{ClassUnknownSchema, fmt.Errorf("schema id %d, but no schema registry is configured (schema_registry.url)", id)}
		}
		reader, err := c.registry.reader(ctx, id)
		return reader, data[confluentHeader:], err
	default:
		return nil, nil, &Error{ClassEncoding, fmt.Errorf("starts with %#02x: neither Avro single-object encoding (c3 01) nor Confluent's wire format (00)", data[0])}
	}
}

// singleObject returns what decodes the body, by the fingerprint before it.
func singleObject(data []byte, readers map[[8]byte]*avro.Schema, record string) (*avro.Schema, []byte, error) {
	found, body, err := avro.SingleObjectFingerprint(data)
	if err != nil {
		return nil, nil, &Error{ClassEncoding, err}
	}
	reader, known := readers[found]
	if !known {
		return nil, nil, &Error{ClassUnknownSchema, fmt.Errorf("single-object fingerprint %x is that of no version of %s that this build reads", found, record)}
	}
	return reader, body, nil
}

// DecodeCandidateJSON decodes and checks a candidate written as one JSON object. A field it does not know, a key that stands
// twice and half a surrogate are errors.
func (c *Codec) DecodeCandidateJSON(data []byte) (Candidate, error) {
	if len(data) > c.limits.RecordBytes {
		return Candidate{}, &Error{ClassLimit, fmt.Errorf("line has %d bytes, the limit is %d", len(data), c.limits.RecordBytes)}
	}
	if !utf8.Valid(data) { // encoding/json would put replacement characters where winnow run finds a dead letter
		return Candidate{}, invalid("the line is not valid UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var candidate Candidate
	if err := decoder.Decode(&candidate); err != nil {
		return Candidate{}, &Error{ClassEncoding, fmt.Errorf("not a candidate as JSON: %w", err)}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Candidate{}, &Error{ClassEncoding, errors.New("more than one JSON value on the line")}
	}
	if err := unambiguous(data); err != nil {
		return Candidate{}, err
	}
	return candidate, c.limits.Check(&candidate)
}

// EncodeCandidate encodes what a generator publishes.
func (c *Codec) EncodeCandidate(candidate *Candidate) ([]byte, error) {
	return c.encode(subjectCandidates, candidateSchema, candidate)
}

// EncodeApproved encodes a value of the approved topic.
func (c *Codec) EncodeApproved(approved *Approved) ([]byte, error) {
	return c.encode(subjectApproved, approvedSchema, approved)
}

// EncodeTombstone encodes a value of the tombstones topic.
func (c *Codec) EncodeTombstone(tombstone *Tombstone) ([]byte, error) {
	return c.encode(subjectTombstones, tombstoneSchema, tombstone)
}

// EncodeReview encodes a value of the review topic.
func (c *Codec) EncodeReview(review *Review) ([]byte, error) {
	return c.encode(subjectReview, reviewSchema, review)
}

func (c *Codec) encode(of subject, schema *avro.Schema, record any) ([]byte, error) {
	var data []byte
	var err error
	if c.registry == nil {
		data, err = schema.AppendSingleObject(nil, record)
	} else {
		data, err = schema.AppendEncode(c.registry.header(of), record)
	}
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", of, err)
	}
	return data, nil
}

// DecodeTombstone decodes a value of the tombstones topic that was written in Avro single-object encoding, by this version or
// the first.
func DecodeTombstone(data []byte) (Tombstone, error) {
	reader, body, err := singleObject(data, tombstoneReaders, "winnow.v1.Tombstone")
	if err != nil {
		return Tombstone{}, err
	}
	var tombstone Tombstone
	if _, err := reader.Decode(body, &tombstone); err != nil {
		return Tombstone{}, &Error{ClassEncoding, fmt.Errorf("not a winnow.v1.Tombstone: %w", err)}
	}
	return tombstone, nil
}
