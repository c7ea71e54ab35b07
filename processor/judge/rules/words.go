package rules

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// eachWord calls found with each word of a text as rules compare them: lower case, without accents and apostrophes, so that
// "Kids'", "KIDS" and "kid’s" are "kids", and "Jalapeño" is "jalapeno". A word is letters and digits; a point between digits
// and a percent sign after them belong to it, so that "0.0%" is one word, and not that of "0 sugar". Everything else parts words.
// What found gets is overwritten by the next word.
func eachWord(text string, found func(word []byte)) {
	if !isASCII(text) {
		text = norm.NFKD.String(text) // an accent becomes a mark of its own, which is dropped below
	}
	var buffer [64]byte
	word := buffer[:0]
	digit := func(at int) bool { return 0 <= at && at < len(text) && '0' <= text[at] && text[at] <= '9' }
	for i, char := range text {
		switch {
		case 'a' <= char && char <= 'z' || '0' <= char && char <= '9':
			word = append(word, text[i])
		case 'A' <= char && char <= 'Z':
			word = append(word, text[i]+'a'-'A')
		case char >= utf8.RuneSelf && (unicode.IsLetter(char) || unicode.IsNumber(char)):
			word = utf8.AppendRune(word, unicode.ToLower(char))
		case unicode.IsMark(char) || strings.ContainsRune("'’‘ʼ`´", char):
		case char == '.' && digit(i-1) && digit(i+1) || char == '%' && digit(i-1):
			word = append(word, text[i])
		case len(word) > 0:
			found(word)
			word = word[:0]
		}
	}
	if len(word) > 0 {
		found(word)
	}
}

func foldWords(text string) []string {
	var words []string
	eachWord(text, func(word []byte) { words = append(words, string(word)) })
	return words
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// word is the number of a word that some rule names; a text's other words are all unnamed, and match nothing.
type word int

const unnamed word = 0

// vocabulary numbers the words that rules name, so that a text is searched by comparing numbers.
type vocabulary map[string]word

func (v vocabulary) number(text string) word {
	number, known := v[text]
	if !known {
		number = word(len(v) + 1)
		v[text] = number
	}
	return number
}

// read appends the words of a text; named is false where no rule names one of them.
func (v vocabulary) read(into []word, text string) (words []word, named bool) {
	eachWord(text, func(found []byte) {
		number := v[string(found)]
		named = named || number != unnamed
		into = append(into, number)
	})
	return into, named
}

// phrases finds any of some words and phrases in a text: by its first word, what must follow it. The last word of each also
// stands for its regular plural.
type phrases map[word][][]word

func newPhrases(vocabulary vocabulary, texts []string) phrases {
	found := phrases{}
	for _, text := range texts {
		var phrase []word
		words := foldWords(text)
		last := len(words) - 1
		for _, before := range words[:last] {
			phrase = append(phrase, vocabulary.number(before))
		}
		for _, form := range withPlural(words[last]) {
			whole := append(slices.Clone(phrase), vocabulary.number(form))
			found[whole[0]] = append(found[whole[0]], whole[1:])
		}
	}
	return found
}

// withPlural returns a word and its plural as most words make it: beers, peaches, cherries.
func withPlural(word string) []string {
	forms := []string{word, word + "s"}
	if stem, ok := strings.CutSuffix(word, "y"); ok && stem != "" && !strings.ContainsRune("aeiou", rune(stem[len(stem)-1])) {
		forms = append(forms, stem+"ies")
	}
	for _, ending := range []string{"s", "x", "z", "ch", "sh", "o"} {
		if strings.HasSuffix(word, ending) {
			forms = append(forms, word+"es")
		}
	}
	return forms
}

// at returns how many words of the longest phrase stand at words[i]; 0 is none.
func (p phrases) at(words []word, i int) int {
	if words[i] == unnamed {
		return 0
	}
	longest := 0
	for _, rest := range p[words[i]] {
		if len(rest) < len(words)-i && slices.Equal(rest, words[i+1:i+1+len(rest)]) {
			longest = max(longest, 1+len(rest))
		}
	}
	return longest
}

func (p phrases) in(words []word) bool {
	for i := range words {
		if p.at(words, i) > 0 {
			return true
		}
	}
	return false
}

// cut returns words with each phrase replaced by a gap, over which no other phrase reaches; the very words where none is found.
func (p phrases) cut(words []word) []word {
	if !p.in(words) {
		return words
	}
	kept := slices.Clone(words)
	for i := 0; i < len(words); {
		length := p.at(words, i)
		for j := range length {
			kept[i+j] = unnamed
		}
		i += max(length, 1)
	}
	return kept
}
