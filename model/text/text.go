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

const (
	lost = '\uFFFD' // a character that was lost: nobody can say what its word was
	gap  = '\x00'   // a symbol that was taken out, until it is known what is around it; no text holds it by then
)

// Fold returns text as the model is to read it: without invisible characters, in NFKC, and with every symbol taken out of
// the word that it is glued to, replaced by its words or gone. Puzzling are the symbols that are gone although nobody said
// that they mean nothing. Folding what is folded changes nothing.
func Fold(text string) (folded string, puzzling string) {
	if isPlain(text) {
		return text, ""
	}
	text = normal(readable(text))
	var out, puzzles strings.Builder
	for len(text) > 0 {
		if text[0] < utf8.RuneSelf {
			out.WriteByte(text[0])
			text = text[1:]
			continue
		}
		symbol, words, known := meaning(text)
		text = text[len(symbol):]
		switch {
		case known && words != "":
			out.WriteString(" " + words + " ")
		case known:
			out.WriteRune(gap)
		default:
			char := []rune(symbol)[0]
			written, puzzle := fold(char)
			out.WriteString(written)
			if puzzle {
				puzzles.WriteRune(char)
			}
		}
	}
	// What was put in place of a letter-like symbol can compose with what followed it.
	return normal(strings.Join(strings.Fields(closed(out.String())), " ")), puzzles.String()
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

// readable drops what nobody sees, and spells out what compatibility (NFKC) would make part of a word or number.
func readable(text string) string {
	var out strings.Builder
	var last rune
	joined := false
	for _, char := range text {
		switch {
		case joined && strings.ContainsRune("♀♂🌾🍳", char): // says who it is, not what it shows alone: a cook holds no egg
		case isInvisible(char):
		case strings.ContainsRune("™®©℠", char):
			out.WriteByte(' ')
		case char == '´':
			out.WriteByte('\'')
		case char == '№':
			out.WriteString(" number ")
		case isFraction(char) && unicode.IsDigit(last): // 1½ is not 11/2
			out.WriteString(" " + string(char))
		default:
			out.WriteRune(char)
		}
		joined = char == '\u200d'
		if !isInvisible(char) {
			last = char
		}
	}
	return out.String()
}

func isInvisible(char rune) bool {
	switch {
	case char >= '\t' && char <= '\r', char == '\u0085': // white space
		return false
	case char >= 0x180b && char <= 0x180f, char >= 0xfe00 && char <= 0xfe0f, char >= 0xe0100 && char <= 0xe01ef: // variation selectors
		return true
	case char >= 0x1f3fb && char <= 0x1f3ff: // skin tones
		return true
	}
	switch char {
	case '\u034f', '\u115f', '\u1160', '\u17b4', '\u17b5', '\u20e3', '\u3164', '\uffa0': // joiners, fillers, the key of a keycap
		return true
	}
	return unicode.In(char, unicode.Cc, unicode.Cf)
}

func isFraction(char rune) bool {
	return char >= '¼' && char <= '¾' || char >= '⅐' && char <= '⅟' || char == '↉'
}

// meaning returns the symbol that text begins with, or its first character if that has no meaning.
func meaning(text string) (symbol, words string, known bool) {
	_, first := utf8.DecodeRuneInString(text)
	_, second := utf8.DecodeRuneInString(text[first:])
	for _, length := range []int{first + second, first} {
		if words, known = meanings()[text[:length]]; known {
			return text[:length], words, true
		}
	}
	return text[:first], "", false
}

// fold returns what one character of normalised text becomes, and whether it puzzles.
func fold(char rune) (string, bool) {
	switch {
	case char == lost:
		return string(char), false
	case char >= '🅐' && char <= '🅩' || char >= '🅰' && char <= '🆉': // white letters on a disc or a square
		return string('A' + (char-'🅐')%32), false
	case char >= '🇦' && char <= '🇿': // half of a flag that has no words
		return string('A' + char - '🇦'), true
	case char >= 0x250 && char <= 0x2af: // phonetic letters: in a title they stand for those that they look like
		return string(lost), false
	case unicode.In(char, unicode.Sm, unicode.Sc):
		return " " + string(char) + " ", false
	case unicode.In(char, unicode.So, unicode.Sk, unicode.Me, unicode.Co, unicode.Cn):
		return string(gap), true
	}
	return string(char), char >= 0x334 && char <= 0x338 // what strikes a word through
}

// closed replaces what was taken out: inside a word it stood for letters, or nobody can say that it didn't.
func closed(text string) string {
	if !strings.ContainsRune(text, gap) {
		return text
	}
	var out strings.Builder
	var last rune
	open := false
	for _, char := range text {
		if char == gap {
			open = true
			continue
		}
		if open && isWord(last) && isWord(char) {
			out.WriteRune(lost)
		} else if open {
			out.WriteByte(' ')
		}
		open = false
		last = char
		out.WriteRune(char)
	}
	return out.String()
}

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
