package schema

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func sample() Candidate {
	generator := "themes-7b"
	created := time.UnixMilli(1_764_000_000_123).UTC()
	return Candidate{
		PlacementID: "p-1", Theme: "Gluten-free baking", Generator: &generator, CreatedAt: &created,
		Products: []Product{{"a", "Almond flour", map[string]string{"brand": "Nüt"}}, {"b", "Crème fraîche 🥐", map[string]string{}}},
	}
}

func requireClass(t *testing.T, err error, class Class) {
	t.Helper()
	var blame *Error
	require.ErrorAs(t, err, &blame)
	require.Equal(t, class, blame.Class, "%v", err)
}

func TestCodec_RoundTripsACandidate(t *testing.T) {
	codec := NewCodec(DefaultLimits(), nil)
	want := sample()
	data, err := codec.EncodeCandidate(&want)
	require.NoError(t, err)
	got, err := codec.DecodeCandidate(t.Context(), data)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// A truncated record must never pass for a shorter one: the missing products might be the severe ones.
func TestCodec_EveryProperPrefixIsAnError(t *testing.T) {
	codec := NewCodec(DefaultLimits(), nil)
	candidate := sample()
	data, err := codec.EncodeCandidate(&candidate)
	require.NoError(t, err)
	for n := range data {
		_, err := codec.DecodeCandidate(t.Context(), data[:n])
		requireClass(t, err, ClassEncoding)
	}
	_, err = codec.DecodeCandidate(t.Context(), append(bytes.Clone(data), 0))
	requireClass(t, err, ClassEncoding)
}

func TestCodec_RefusesWhatBreaksALimit(t *testing.T) {
	codec := NewCodec(DefaultLimits(), nil)
	for name, test := range map[string]struct {
		change func(*Candidate)
		class  Class
	}{
		"a theme of 100,000 characters": {func(c *Candidate) { c.Theme = strings.Repeat("x", 100_000) }, ClassLimit},
		"too many products":             {func(c *Candidate) { c.Products = make([]Product, 257) }, ClassLimit},
		"a 10 MB record":                {func(c *Candidate) { c.Theme = strings.Repeat("x", 10<<20) }, ClassLimit},
		"an empty placement":            {func(c *Candidate) { c.Products = nil }, ClassInvalid},
		"no placement id":               {func(c *Candidate) { c.PlacementID = "" }, ClassInvalid},
		"no theme":                      {func(c *Candidate) { c.Theme = "" }, ClassInvalid},
		"a product without a title":     {func(c *Candidate) { c.Products[1].Title = "" }, ClassInvalid},
		"a title that is not UTF-8":     {func(c *Candidate) { c.Products[0].Title = "\xff" }, ClassInvalid},
		"too many attributes":           {func(c *Candidate) { c.Products[1].Attributes = attributes(65) }, ClassLimit},
		"a huge attribute":              {func(c *Candidate) { c.Products[1].Attributes["x"] = strings.Repeat("x", 8<<10+1) }, ClassLimit},
		"a huge key of an attribute":    {func(c *Candidate) { c.Products[1].Attributes[strings.Repeat("x", 8<<10+1)] = "" }, ClassLimit},
		"a key that is not UTF-8":       {func(c *Candidate) { c.Products[1].Attributes["\xff"] = "" }, ClassInvalid},
		"a value that is not UTF-8":     {func(c *Candidate) { c.Products[1].Attributes["x"] = "\xff" }, ClassInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			candidate := sample()
			test.change(&candidate)
			// AppendEncode, because hostile input need not come from an encoder that checks.
			data, err := candidateSchema.AppendSingleObject(nil, &candidate)
			if err != nil {
				data = rawCandidate(candidate)
			}
			_, err = codec.DecodeCandidate(t.Context(), data)
			requireClass(t, err, test.class)
		})
	}
}

func attributes(count int) map[string]string {
	made := map[string]string{}
	for i := range count {
		made[fmt.Sprint(i)] = "x"
	}
	return made
}

// rawCandidate writes a candidate whose strings the encoder refuses.
func rawCandidate(c Candidate) []byte {
	fingerprint := fingerprint(candidateSchema, &Candidate{})
	data := append([]byte{singleObjectMagic0, singleObjectMagic1}, fingerprint[:]...)
	text := func(s string) { data = append(data, byte(len(s)*2)); data = append(data, s...) }
	text(c.PlacementID)
	text(c.Theme)
	data = append(data, byte(len(c.Products)*2))
	for _, product := range c.Products {
		text(product.ProductID)
		text(product.Title)
		for key, value := range product.Attributes {
			data = append(data, 2)
			text(key)
			text(value)
		}
		data = append(data, 0)
	}
	return append(data, 0, 0, 0)
}

func TestCodec_NamesWhatTheBytesAreNot(t *testing.T) {
	codec := NewCodec(DefaultLimits(), nil)
	for name, test := range map[string]struct {
		data  []byte
		class Class
		says  string
	}{
		"nothing":                {nil, ClassEncoding, "no value"},
		"JSON":                   {[]byte(`{"placement_id":"p"}`), ClassEncoding, "starts with 0x7b"},
		"a foreign fingerprint":  {append([]byte{0xC3, 1}, make([]byte, 9)...), ClassUnknownSchema, "0000000000000000"},
		"Confluent, no registry": {[]byte{0, 0, 0, 0, 7, 1}, ClassUnknownSchema, "schema id 7"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := codec.DecodeCandidate(t.Context(), test.data)
			requireClass(t, err, test.class)
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestCodec_ReadsACandidateAsJSONStrictly(t *testing.T) {
	codec := NewCodec(DefaultLimits(), nil)
	candidate, err := codec.DecodeCandidateJSON([]byte(`{"placement_id":"p","theme":"t","products":[{"product_id":"a","title":"x"}]}`))
	require.NoError(t, err)
	require.Equal(t, "x", candidate.Products[0].Title)
	candidate, err = codec.DecodeCandidateJSON([]byte(`{"placement_id":"p","theme":"t","products":[{"product_id":"a","title":"x","attributes":{"brand":"y"}}]}`))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"brand": "y"}, candidate.Products[0].Attributes)
	_, err = codec.DecodeCandidateJSON([]byte("{\"placement_id\":\"\xff\"}"))
	requireClass(t, err, ClassInvalid)
	for _, line := range []string{`{"placement_id":"p","theme":"t","product":[]}`, `{"placement_id":"p","theme":"t","products":[{"product_id":"a","title":"x","attributes":{"brand":1}}]}`, `{} {}`, `[]`, ``, `nonsense`} {
		_, err := codec.DecodeCandidateJSON([]byte(line))
		requireClass(t, err, ClassEncoding)
	}
}

// The golden bytes are what generators and deployers already hold: a change here breaks them.
func TestCodec_WritesTheGoldenBytes(t *testing.T) {
	codec := NewCodec(DefaultLimits(), nil)
	candidate := sample()
	decision := Decision{"0-7-ab", time.UnixMilli(1_764_000_000_456).UTC(), "starter@0123", "v1", "cpu"}
	scored := []Scored{{"a", "Almond flour", 0.75, 0.2, 0.05, map[string]string{"brand": "Nüt"}}}
	pruned := []Pruned{{"b", "Crème fraîche 🥐", "weak", 0.1, 0.85, 0.05, nil}}
	for name, encode := range map[string]func() ([]byte, error){
		"candidate": func() ([]byte, error) { return codec.EncodeCandidate(&candidate) },
		"approved": func() ([]byte, error) {
			return codec.EncodeApproved(&Approved{"p-1", "t", scored, pruned, nil, decision})
		},
		"tombstone": func() ([]byte, error) {
			return codec.EncodeTombstone(&Tombstone{"p-1", "t", scored, nil, decision})
		},
		"review": func() ([]byte, error) {
			return codec.EncodeReview(&Review{"p-1", "t", scored, pruned, []string{"uncertain"}, nil, decision})
		},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := encode()
			require.NoError(t, err)
			file := "testdata/v2/" + name + ".bin"
			if os.Getenv("WINNOW_UPDATE_GOLDEN") != "" {
				require.NoError(t, os.WriteFile(file, data, 0o644))
			}
			golden, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, golden, data)
		})
	}
}

// hostileAttributes claims 2^62 attributes where none follow.
func hostileAttributes() []byte {
	product := Candidate{PlacementID: "p", Theme: "t", Products: []Product{{"a", "x", nil}}}
	data := rawCandidate(product)
	return binary.AppendVarint(data[:len(data)-4], 1<<62)
}

// What a record claims to hold costs nothing: memory follows what it holds.
func TestCodec_AMapThatClaimsTooMuchIsAnErrorAtOnce(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := NewCodec(DefaultLimits(), nil).DecodeCandidate(t.Context(), hostileAttributes())
	runtime.ReadMemStats(&after)
	requireClass(t, err, ClassEncoding)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

// Whatever the bytes are, decoding ends with a candidate within the limits or with an error that blames the record.
func FuzzDecodeCandidate(f *testing.F) {
	codec := NewCodec(DefaultLimits(), nil)
	candidate := sample()
	data, err := codec.EncodeCandidate(&candidate)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)-3])
	f.Add([]byte{0, 0, 0, 0, 1, 2})
	if data, err = os.ReadFile("testdata/v1/candidate.bin"); err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	candidate.Products[1].Attributes = attributes(65)
	f.Add(rawCandidate(candidate))
	f.Add(hostileAttributes())
	f.Fuzz(func(t *testing.T, data []byte) {
		candidate, err := codec.DecodeCandidate(t.Context(), data)
		var blame *Error
		if err != nil && !errors.As(err, &blame) {
			t.Fatalf("error blames nobody: %v", err)
		}
		if err == nil && DefaultLimits().Check(&candidate) != nil {
			t.Fatal("decoded a candidate beyond the limits")
		}
	})
}
