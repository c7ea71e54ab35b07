package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The ways to write a character of a word.
type style int

const (
	plain  style = iota
	raised       // above or below the line, or a word of its own in one character: m², 5㎏, ½, ™
	framed       // a letter in a circle or a square: Ⓗ, 🅱
)

// spellOut drops what nobody sees, and writes with spaces what NFKC would make part of the word or number beside it.
func spellOut(text string) string {
	var out strings.Builder
	var last, stem rune // stem is the last character before what is raised
	joined := false
	for i, char := range text {
		if isInvisible(char) {
			joined = char == '\u200d'
			continue
		}
		if joined && strings.ContainsRune("♀♂🌾🍳", char) { // says who it is, not what it shows alone: a cook holds no egg
			joined = false
			continue
		}
		joined = false
		out.WriteString(between(last, char))
		if styleOf(last) == raised && standsForLetters(stem, char) && unicode.Is(unicode.Ll, char) { // veg³an, but H₂O
			out.WriteRune(lost)
		}
		if styleOf(char) != raised {
			stem = char
		}
		switch {
		case strings.ContainsRune("™®©℠\u20e3", char): // the last makes a keycap of the digit before it
			out.WriteByte(' ')
		case char == '№':
			out.WriteString(" number ")
		case char >= '🅐' && char <= '🅩' || char >= '🅰' && char <= '🆉': // NFKC knows the others
			out.WriteRune('A' + (char-'🅐')%32)
		case char > unicode.MaxASCII && unicode.Is(unicode.Sk, char): // an accent without its letter
			next, _ := utf8.DecodeRuneInString(strings.TrimPrefix(text[i:], string(char)))
			switch {
			case char == '´' && unicode.IsLetter(last) && unicode.IsLetter(next): // don´t
				out.WriteByte('\'')
			case standsForLetters(last, next):
				out.WriteRune(lost)
			default:
				out.WriteByte(' ')
			}
		default:
			out.WriteRune(char)
		}
		last = char
	}
	return out.String()
}

// between returns what parts two neighbours that are not written the same way. A framed letter beside others is a mark of
// its own or one of theirs, and nobody can say which.
func between(before, after rune) string {
	one, other := styleOf(before), styleOf(after)
	switch {
	case one == other || one == plain && !isWord(before) || other == plain && !isWord(after):
		return ""
	case one == framed && unicode.IsLetter(after), other == framed && unicode.IsLetter(before):
		return string(lost)
	}
	return " "
}

func styleOf(char rune) style {
	switch {
	case char < 0xaa:
		return plain
	case char >= 'Ⓐ' && char <= 'ⓩ', char >= '🄰' && char <= '🅉', char >= '🅐' && char <= '🅩', char >= '🅰' && char <= '🆉':
		return framed
	case char == '®', char == '©':
		return raised
	case unicode.In(char, unicode.No, unicode.So), isRaisedLetter(char):
		if normal(string(char)) != string(char) {
			return raised
		}
	}
	return plain
}

func isRaisedLetter(char rune) bool {
	return strings.ContainsRune("ªºⁱⁿ", char) || char >= 0x2b0 && char <= 0x2b8 || char >= 0x2e0 && char <= 0x2e4 ||
		char >= 0x1d2c && char <= 0x1d6a || char >= 0x1d9b && char <= 0x1dbf || char >= 0x2090 && char <= 0x209c
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
	case '\u034f', '\u115f', '\u1160', '\u17b4', '\u17b5', '\u3164', '\uffa0': // joiners, fillers
		return true
	}
	return unicode.In(char, unicode.Cc, unicode.Cf)
}
