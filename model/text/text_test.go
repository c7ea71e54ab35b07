package text

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

type vector struct{ Input, Folded, Puzzling string }

func vectors(t require.TestingT) []vector {
	data, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	var vectors []vector
	require.NoError(t, json.Unmarshal(data, &vectors))
	return vectors
}

// The trainer's tests hold its half to the same file.
func TestFold_ReadsWhatTheTrainerReads(t *testing.T) {
	for _, vector := range vectors(t) {
		folded, puzzling := Fold(vector.Input)
		require.Equal(t, vector.Folded, folded, "%+q", vector.Input)
		require.Equal(t, vector.Puzzling, puzzling, "%+q", vector.Input)
	}
}

func TestFold_EverySymbolGivesItsWords(t *testing.T) {
	for symbol, words := range meanings() {
		folded, puzzling := Fold("pork" + symbol)
		require.Equal(t, strings.TrimSpace("pork "+words), folded, symbol)
		require.Empty(t, puzzling, symbol)
	}
	require.Greater(t, len(meanings()), 1000)
}

func FuzzFold(f *testing.F) {
	for _, vector := range vectors(f) {
		f.Add(vector.Input)
	}
	f.Add("\xff\xfe po\xc3rk")
	f.Add("e" + strings.Repeat("\u0301\u0316", 40))
	f.Fuzz(func(t *testing.T, written string) {
		folded, _ := Fold(written)
		require.True(t, utf8.ValidString(folded))
		twice, _ := Fold(folded)
		require.Equal(t, folded, twice, "%+q", written)
		chars := []rune(folded)
		for i, char := range chars {
			require.False(t, isInvisible(char), "%+q", folded)
			if i == 0 || char <= unicode.MaxASCII || char == lost || !unicode.IsSymbol(char) {
				continue
			}
			around := []rune{chars[i-1], chars[min(i+1, len(chars)-1)]}
			require.False(t, slices.ContainsFunc(around, isWord), "%+q", folded)
		}
	})
}
