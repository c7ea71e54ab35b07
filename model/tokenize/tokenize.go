//go:build cgo

// Package tokenize turns text into token ids with a Hugging Face tokenizer.json. It is one of the two packages that need
// cgo: it links libtokenizers.a.
package tokenize

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/daulet/tokenizers"
)

// Tokenizer encodes one side of a pair at a time. It is safe for concurrent use until Close.
type Tokenizer struct {
	mu     sync.RWMutex // held for reading while native code runs, so that Close waits for it
	native *tokenizers.Tokenizer
}

// Open loads the content of a tokenizer.json. Truncation and padding that it may ask for are switched off: a side is cut
// when the pair is assembled, because only then it is known how much room it has.
func Open(data []byte) (*Tokenizer, error) {
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
	return &Tokenizer{native: native}, nil
}

// Encode returns the token ids of text, without special tokens; text without any token gives none.
func (t *Tokenizer) Encode(text string) ([]int64, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	// The native call takes a C string, which ends at the first NUL: what follows it would never be judged.
	text = strings.ReplaceAll(text, "\x00", "")
	encoding, err := t.native.EncodeWithOptionsErr(text, false)
	if err != nil {
		return nil, fmt.Errorf("tokenize %q: %w", abridged(text), err)
	}
	ids := make([]int64, len(encoding.IDs))
	for i, id := range encoding.IDs {
		ids[i] = int64(id)
	}
	return ids, nil
}

func abridged(text string) string {
	const limit = 40
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return text
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
