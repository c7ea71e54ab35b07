//go:build cgo

package tokenize

import (
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/winnowgate/winnow/model"
)

func openStarter(t *testing.T) (*model.Bundle, *Tokenizer) {
	t.Helper()
	bundle, err := model.Open(model.Starter)
	require.NoError(t, err)
	tokenizer, err := Open(bundle.Tokenizer)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tokenizer.Close()) })
	return bundle, tokenizer
}

// The goldens are what Hugging Face's own pipeline makes of each pair: truncation, empty sides, NUL, combining
// characters, a literal [SEP], other scripts (winnow_training.goldens writes them).
func TestTokenizer_AssemblesPairsAsHuggingFaceDoes(t *testing.T) {
	data, err := os.ReadFile("../testdata/goldens.json")
	require.NoError(t, err)
	var goldens []struct {
		Theme, Title string
		IDs          []int64
	}
	require.NoError(t, json.Unmarshal(data, &goldens))
	require.Greater(t, len(goldens), 100)
	bundle, tokenizer := openStarter(t)
	for _, golden := range goldens {
		theme, err := tokenizer.Encode(golden.Theme)
		require.NoError(t, err)
		title, err := tokenizer.Encode(golden.Title)
		require.NoError(t, err)
		require.Equal(t, golden.IDs, bundle.Manifest.JoinPair(theme, title), "%q / %q", golden.Theme, golden.Title)
	}
}

// What follows a NUL is part of what would be shown, so it must be part of what is judged.
func TestTokenizer_ReadsBehindANUL(t *testing.T) {
	_, tokenizer := openStarter(t)
	cut, err := tokenizer.Encode("oat\x00 pork")
	require.NoError(t, err)
	whole, err := tokenizer.Encode("oat pork")
	require.NoError(t, err)
	require.Equal(t, whole, cut)
}

func TestTokenizer_TextWithoutTokensGivesNone(t *testing.T) {
	_, tokenizer := openStarter(t)
	for _, text := range []string{"", " ", "\x00", "\t\n", "\u200b"} {
		ids, err := tokenizer.Encode(text)
		require.NoError(t, err)
		require.Empty(t, ids, "%q", text)
	}
}

func TestTokenizer_CloseWaitsAndEndsEncoding(t *testing.T) {
	bundle, err := model.Open(model.Starter)
	require.NoError(t, err)
	tokenizer, err := Open(bundle.Tokenizer)
	require.NoError(t, err)
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for {
				if _, err := tokenizer.Encode(strings.Repeat("whole grain crackers ", 50)); err != nil {
					return
				}
			}
		})
	}
	require.NoError(t, tokenizer.Close())
	running.Wait()
	_, err = tokenizer.Encode("oat")
	require.Error(t, err)
	require.NoError(t, tokenizer.Close())
}

func TestOpen_RefusesWhatIsNoTokenizer(t *testing.T) {
	for _, data := range []string{"", "nonsense", "null", "{}", `{"model": 3}`} {
		_, err := Open([]byte(data))
		require.ErrorContains(t, err, "tokenizer.json", "%q", data)
	}
}
