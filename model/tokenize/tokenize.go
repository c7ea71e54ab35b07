//go:build cgo

// Package tokenize turns text into token ids with a Hugging Face tokenizer.json. It is one of the two packages that need
// cgo: it links libtokenizers.a.
package tokenize

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/daulet/tokenizers"

	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/model/text"
)

// Tokenizer encodes one side of a pair at a time. It is safe for concurrent use until Close.
type Tokenizer struct {
	mu      sync.RWMutex // held for reading while native code runs, so that Close waits for it
	native  *tokenizers.Tokenizer
	unknown int64 // the id of what the vocabulary lacks
}

// Open loads the content of a tokenizer.json. Truncation and padding that it may ask for are switched off: a side is cut
// when the pair is assembled, because only then it is known how much room it has. Unknown is the id that the manifest names
// for what the vocabulary lacks.
func Open(data []byte, unknown int64) (*Tokenizer, error) {
	var content map[string]json.RawMessage
	if err := json.Unmarshal(data, &content); err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	if content == nil {
		return nil, errors.New("tokenizer.json: it is null")
	}
	content["truncation"], content["padding"] = json.RawMessage("null"), json.RawMessage("null")
	cleaned, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	// Special tokens are encoded as text: a title that holds "[SEP]" must not end its own side of the pair.
	native, err := tokenizers.FromBytes(cleaned, tokenizers.WithEncodeSpecialTokens())
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return &Tokenizer{native: native, unknown: unknown}, nil
}

// Encode returns what the model reads in written: the ids of its tokens once text.Fold has been over it, so that nobody can
// forget that, and what it can't read. Text without any token gives none.
func (t *Tokenizer) Encode(written string) (model.Encoded, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	folded, puzzling := text.Fold(written)
	encoding, err := t.native.EncodeWithOptionsErr(folded, false)
	if err != nil {
		return model.Encoded{}, fmt.Errorf("tokenize %q: %w", abridged(written), err)
	}
	encoded := model.Encoded{IDs: make([]int64, len(encoding.IDs))}
	for i, id := range encoding.IDs {
		encoded.IDs[i] = int64(id)
	}
	for _, symbol := range puzzling {
		encoded.Puzzling = append(encoded.Puzzling, string(symbol))
	}
	if slices.Contains(encoded.IDs, t.unknown) {
		if err := t.lookUp(folded, &encoded); err != nil {
			return model.Encoded{}, fmt.Errorf("tokenize %q: %w", abridged(written), err)
		}
	}
	encoded.Unread = append(encoded.Unread, text.Lost(folded)...)
	if written = strings.TrimSpace(written); written != "" && !text.HasWord(folded) {
		encoded.Unread = append(encoded.Unread, written)
	}
	return encoded, nil
}

// lookUp adds what stands behind the unknown tokens of folded. Where it lies costs more to learn than the ids alone, and
// few titles have one.
func (t *Tokenizer) lookUp(folded string, encoded *model.Encoded) error {
	encoding, err := t.native.EncodeWithOptionsErr(folded, false, tokenizers.WithReturnOffsets())
	if err != nil {
		return err
	}
	for i, id := range encoding.IDs {
		if int64(id) != t.unknown {
			continue
		}
		switch source := folded[encoding.Offsets[i][0]:encoding.Offsets[i][1]]; {
		case text.HasWord(source):
			encoded.Unread = append(encoded.Unread, source)
		case strings.ContainsFunc(source, unicode.IsSymbol):
			encoded.Puzzling = append(encoded.Puzzling, source)
		}
	}
	return nil
}

func abridged(written string) string {
	const limit = 40
	if runes := []rune(written); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return written
}

// Close frees the native tokenizer once no Encode runs. Encode after Close returns an error.
func (t *Tokenizer) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.native == nil {
		return nil
	}
	err := t.native.Close()
	t.native = nil
	return err
}
