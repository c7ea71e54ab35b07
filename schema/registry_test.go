package schema

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
)

func openFake(t *testing.T) (*srfake.Registry, *Registry) {
	t.Helper()
	fake := srfake.New()
	t.Cleanup(fake.Close)
	registry, err := OpenRegistry(t.Context(), fake.URL(), Subjects{"c-value", "a-value", "t-value", "r-value"})
	require.NoError(t, err)
	return fake, registry
}

func confluent(id int, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{confluentMagic}, uint32(id)), body...)
}

func TestRegistry_WritesConfluentAndReadsBoth(t *testing.T) {
	_, registry := openFake(t)
	codec, plain := NewCodec(DefaultLimits(), registry), NewCodec(DefaultLimits(), nil)
	want := sample()
	framed, err := codec.EncodeCandidate(&want)
	require.NoError(t, err)
	require.Equal(t, byte(confluentMagic), framed[0])
	single, err := plain.EncodeCandidate(&want)
	require.NoError(t, err)
	for _, data := range [][]byte{framed, single} {
		got, err := codec.DecodeCandidate(t.Context(), data)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// A generator that is ahead of us writes a field we do not know; it is skipped.
func TestRegistry_ReadsANewerWriter(t *testing.T) {
	fake, registry := openFake(t)
	newer := strings.Replace(Definition("candidate"), `"fields": [`, `"fields": [{"name": "market", "type": "string", "default": ""},`, 1)
	client, err := sr.NewClient(sr.URLs(fake.URL()))
	require.NoError(t, err)
	registered, err := client.CreateSchema(t.Context(), "other-value", sr.Schema{Schema: newer})
	require.NoError(t, err)
	want := sample()
	body, err := avro.MustParse(newer).Encode(map[string]any{
		"market": "se", "placement_id": want.PlacementID, "theme": want.Theme, "generator": *want.Generator, "created_at": *want.CreatedAt,
		"products": []any{map[string]any{"product_id": "a", "title": "Almond flour", "attributes": map[string]string{"brand": "Nüt"}}, map[string]any{"product_id": "b", "title": "Crème fraîche 🥐", "attributes": map[string]string{}}},
	})
	require.NoError(t, err)
	got, err := NewCodec(DefaultLimits(), registry).DecodeCandidate(t.Context(), confluent(registered.ID, body))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// A writer may register a schema that nests without end, and send a record that does: a stack that overflows would end
// the process.
func TestRegistry_ARecordThatNestsTooDeepBlamesTheRecord(t *testing.T) {
	fake, registry := openFake(t)
	nesting := strings.Replace(Definition("candidate"), `"fields": [`, `"fields": [{"name": "chain", "type": ["null", {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"], "default": null}]}], "default": null},`, 1)
	client, err := sr.NewClient(sr.URLs(fake.URL()))
	require.NoError(t, err)
	registered, err := client.CreateSchema(t.Context(), "other-value", sr.Schema{Schema: nesting})
	require.NoError(t, err)
	const depth = 1_000_000
	body := bytes.Repeat([]byte{2}, depth) // the second branch of each union: one Node in another
	_, err = NewCodec(DefaultLimits(), registry).DecodeCandidate(t.Context(), confluent(registered.ID, body))
	requireClass(t, err, ClassEncoding)
}

func TestRegistry_AnUnknownIDBlamesTheRecord(t *testing.T) {
	_, registry := openFake(t)
	for range 2 { // the second answer comes from memory
		_, err := NewCodec(DefaultLimits(), registry).DecodeCandidate(t.Context(), confluent(4711, []byte{1}))
		requireClass(t, err, ClassUnknownSchema)
		require.ErrorContains(t, err, "4711")
	}
}

// An outage must not turn good records into dead letters.
func TestRegistry_AnOutageBlamesNoRecord(t *testing.T) {
	fake, registry := openFake(t)
	fake.Close()
	requireBlamesNobody(t, registry)
}

// What stands between may answer 404 for itself while the registry is away.
func TestRegistry_AProxysNotFoundBlamesNoRecord(t *testing.T) {
	_, registry := openFake(t)
	proxy := httptest.NewServer(http.NotFoundHandler())
	defer proxy.Close()
	client, err := sr.NewClient(sr.URLs(proxy.URL))
	require.NoError(t, err)
	registry.client = client
	requireBlamesNobody(t, registry)
}

// An id beyond what a registry gives out is no question worth asking.
func TestRegistry_AnImpossibleIDBlamesTheRecord(t *testing.T) {
	fake, registry := openFake(t)
	fake.Close()
	for _, id := range []int{0, 1 << 31} {
		_, err := NewCodec(DefaultLimits(), registry).DecodeCandidate(t.Context(), confluent(id, []byte{1}))
		requireClass(t, err, ClassUnknownSchema)
	}
}

func requireBlamesNobody(t *testing.T, registry *Registry) {
	t.Helper()
	_, err := NewCodec(DefaultLimits(), registry).DecodeCandidate(t.Context(), confluent(4711, []byte{1}))
	require.Error(t, err)
	var blame *Error
	require.NotErrorAs(t, err, &blame)
}

func TestOpenRegistry_NamesTheAddressThatDoesNotAnswer(t *testing.T) {
	fake := srfake.New()
	fake.Close()
	_, err := OpenRegistry(t.Context(), fake.URL(), Subjects{"c", "a", "t", "r"})
	require.ErrorContains(t, err, fake.URL())
}
