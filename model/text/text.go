// Package text prepares what is written for the model, the same way in serving as in training: model/training's text.py
// means the same, and testdata/vectors.json holds both to it.
package text

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

//go:embed symbols.txt
var symbols string

// meanings gives the words that a shopper reads in a symbol; none: decoration. Its keys are runes, and pairs of them for
// flags.
var meanings = sync.OnceValue(func() map[string]string {
	meanings := map[string]string{}
	for line := range strings.Lines(symbols) {
		symbol, words, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		meanings[symbol] = words
	}
	return meanings
})

// lost stands for a character that was lost: nobody can say what its word was.
const lost = '\uFFFD'

// Fold returns text as the model is to read it: without invisible characters, in NFKC, and with every symbol taken out of
// the word that it is glued to, replaced by its words or gone. Puzzling are the symbols that are gone although nobody said
// that they mean nothing. Folding what is folded changes nothing.
func Fold(text string) (folded string, puzzling string) {
	if isPlain(text) {
		return text, ""
	}
	text = normal(spellOut(text))
	var out, puzzles strings.Builder
	var last rune
	for len(text) > 0 {
		symbols := readSymbols(text, out.String())
		if symbols.size == 0 {
			char, size := utf8.DecodeRuneInString(text)
			if isFlagLetter(char) || char >= 0x334 && char <= 0x338 { // a flag without words; what strikes a word through
				puzzles.WriteRune(char)
			}
			switch {
			case isFlagLetter(char):
				char += 'A' - '🇦'
			case char >= 0x250 && char <= 0x2af: // phonetic letters: in a title they stand for those that they look like
				char = lost
			}
			out.WriteRune(char)
			last, text = char, text[size:]
			continue
		}
		text = text[symbols.size:]
		puzzles.WriteString(symbols.puzzling)
		next, _ := utf8.DecodeRuneInString(text)
		if standsForLetters(last, next) {
			out.WriteRune(lost)
		} else {
			out.WriteString(" " + symbols.words + " ")
		}
		last = ' '
	}
	return normal(strings.Join(strings.Fields(out.String()), " ")), puzzles.String()
}

// normal is NFKC; the joiner that norm puts between more marks than any text needs goes again, since nobody sees it.
func normal(text string) string { return strings.ReplaceAll(norm.NFKC.String(text), "\u034f", "") }

// isPlain reports whether text is ASCII without control characters, which is what nearly every title is.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c >= 0x80 || c == 0x7f || c < ' ' && (c < '\t' || c > '\r') {
			return false
		}
	}
	return true
}

// run is symbols without a space between them.
type run struct {
	size            int // bytes
	words, puzzling string
}

// readSymbols returns the symbols that the rest of a text begins with, none perhaps; before is what was written so far.
func readSymbols(rest, before string) run {
	var found run
	for {
		symbol, words, known := meaning(rest[found.size:])
		char, _ := utf8.DecodeRuneInString(symbol)
		switch {
		case known:
		case char < utf8.RuneSelf || char == lost || isFlagLetter(char):
			return found
		case unicode.In(char, unicode.Sm, unicode.Sc) && hasNumberBeside(before, rest[found.size+len(symbol):]):
			words = symbol
		case unicode.In(char, unicode.S, unicode.Me, unicode.Co, unicode.Cn):
			found.puzzling += symbol
		default:
			return found
		}
		found.size += len(symbol)
		if words != "" {
			found.words = strings.TrimSpace(found.words + " " + words)
			before = words
		}
	}
}

// meaning returns the symbol that text begins with, or its first character if that has no meaning.
func meaning(text string) (symbol, words string, known bool) {
	if text == "" || text[0] < utf8.RuneSelf {
		return text[:min(len(text), 1)], "", false
	}
	_, first := utf8.DecodeRuneInString(text)
	_, second := utf8.DecodeRuneInString(text[first:])
	for _, length := range []int{first + second, first} {
		if words, known = meanings()[text[:length]]; known {
			return text[:length], words, true
		}
	}
	return text[:first], "", false
}

// hasNumberBeside reports whether what stands between two texts has a number next to it: without one, × and € count nothing.
func hasNumberBeside(before, after string) bool {
	last, _ := utf8.DecodeLastRuneInString(strings.TrimSpace(before))
	first, _ := utf8.DecodeRuneInString(strings.TrimSpace(after))
	return unicode.IsNumber(last) || unicode.IsNumber(first)
}

// standsForLetters reports whether a symbol between two characters may stand for a letter (p★rk): nobody can say that it
// doesn't, unless a capital shows that a word begins there (Mac🧀Cheese).
func standsForLetters(before, after rune) bool {
	parted := unicode.Is(unicode.Ll, before) && unicode.Is(unicode.Lu, after)
	return unicode.In(before, unicode.L, unicode.M) && unicode.IsLetter(after) && !parted
}

func isFlagLetter(char rune) bool { return char >= '🇦' && char <= '🇿' }

// HasWord reports whether text holds a letter or a digit.
func HasWord(text string) bool { return strings.ContainsFunc(text, isWord) }

// Lost returns the words of folded text that lack a character: a tokenizer passes over what stands in its place.
func Lost(folded string) []string {
	var words []string
	if strings.ContainsRune(folded, lost) {
		for _, word := range strings.Fields(folded) {
			if strings.ContainsRune(word, lost) {
				words = append(words, word)
			}
		}
	}
	return words
}

func isWord(char rune) bool { return unicode.IsLetter(char) || unicode.IsNumber(char) }
