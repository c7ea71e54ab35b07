//go:build cgo

package tokenize

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/winnowgate/winnow/model"
)

func BenchmarkTokenizer_Encode(b *testing.B) {
	data, err := os.ReadFile("../../cmd/internal/bench/titles.txt")
	require.NoError(b, err)
	titles := strings.Split(strings.TrimSpace(string(data)), "\n")
	bundle, err := model.Open(model.Starter)
	require.NoError(b, err)
	tokenizer, err := Open(bundle.Tokenizer, bundle.Manifest.SpecialTokens.UNK)
	require.NoError(b, err)
	defer tokenizer.Close()
	for i := 0; b.Loop(); i++ {
		if _, err := tokenizer.Encode(titles[i%len(titles)]); err != nil {
			b.Fatal(err)
		}
	}
}
