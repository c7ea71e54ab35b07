package judge

import (
	"slices"
	"strings"
	"unicode"

	"github.com/winnowgate/winnow/model/text"
)

// titleKey is equal for titles that a shopper would call the same: the set of their words, whatever the case, order,
// punctuation, spelling in Unicode and repetition, and their quantities. A number keeps what it counts and the numbers beside
// it, so sizes, packs and percentages stay products of their own: 0.5 L and 5.0 L, 4 x 6 oz and 6 x 4 oz.
func titleKey(title string) string {
	folded, puzzling := text.Fold(title)
	words, quantities := titleWords(strings.ToLower(folded)).parts()
	if len(words)+len(quantities) == 0 {
		return title
	}
	slices.Sort(words)
	slices.Sort(quantities)
	return strings.Join(slices.Concat(slices.Compact(words), quantities, []string{puzzling}), "|")
}

// titleWords is a title, folded and in lower case.
type titleWords []rune

func (t titleWords) parts() (words, quantities []string) {
	for i := 0; i < len(t); {
		end := i + 1
		switch {
		case unicode.IsLetter(t[i]):
			end = t.skip(i, func(char rune) bool { return unicode.In(char, unicode.L, unicode.M, unicode.N) })
			words = append(words, string(t[i:end]))
		case t.isNumber(i):
			var quantity string
			quantity, end = t.quantity(i)
			quantities = append(quantities, quantity)
		case isSign(t[i]):
			words = append(words, string(t[i]))
		}
		i = end
	}
	return words, quantities
}

// quantity returns the one that begins at i, and where it ends: numbers that belong together, and the word or percent sign
// behind them, which is where their unit stands.
func (t titleWords) quantity(i int) (string, int) {
	var out strings.Builder
	for link, next := "", i; ; {
		end := t.numeralEnd(next)
		out.WriteString(link + canonical(string(t[next:end])))
		i = end
		if link, next = t.link(end); link == "" {
			break
		}
	}
	out.WriteByte(' ')
	unit := t.skip(i, func(char rune) bool { return !unicode.In(char, unicode.L, unicode.N) && !isSign(char) })
	switch {
	case unit == len(t):
	case t[unit] == '%':
		out.WriteByte('%')
		return out.String(), unit + 1
	case unicode.IsLetter(t[unit]):
		end := t.skip(unit, func(char rune) bool { return unicode.In(char, unicode.L, unicode.M) })
		out.WriteString(string(t[unit:end]))
		return out.String(), end
	}
	return out.String(), i
}

// link returns what ties a number that ends at i to the next, spelled one way, and where that begins; "": nothing does.
func (t titleWords) link(i int) (string, int) {
	at := t.skip(i, unicode.IsSpace)
	if at == len(t) {
		return "", i
	}
	link, next := " ", t.skip(at+1, unicode.IsSpace)
	switch char := t[at]; {
	case strings.ContainsRune("x×*", char):
		link = "x"
	case char == '/':
		link = "/"
	case strings.ContainsRune("-–", char) && at == i: // between spaces it is punctuation
		link, next = "-", at+1
	case at > i:
		next = at // 1 1/2
	default:
		return "", i
	}
	if !t.isNumber(next) {
		return "", i
	}
	return link, next
}

// isNumber reports whether a number begins at i.
func (t titleWords) isNumber(i int) bool {
	return i < len(t) && (unicode.IsNumber(t[i]) || t[i] == '.' && i+1 < len(t) && unicode.IsNumber(t[i+1]))
}

func (t titleWords) numeralEnd(i int) int {
	for {
		i = t.skip(i, unicode.IsNumber)
		if i+1 >= len(t) || t[i] != '.' && t[i] != ',' || !unicode.IsNumber(t[i+1]) {
			return i
		}
		i++
	}
}

// skip returns the first place from i on whose character is not one of those.
func (t titleWords) skip(i int, those func(rune) bool) int {
	for i < len(t) && those(t[i]) {
		i++
	}
	return i
}

// isSign reports whether char tells two titles apart as a word does.
func isSign(char rune) bool {
	return strings.ContainsRune("%+<>", char) || unicode.Is(unicode.Sc, char)
}

// canonical is equal for numerals of one value: 0.50, 0,5 and .5. One that can be read in two ways stays as it is.
func canonical(numeral string) string {
	whole, decimals, found := strings.Cut(strings.Replace(numeral, ",", ".", 1), ".")
	switch {
	case !found || strings.ContainsAny(decimals, ".,"):
		return numeral
	case len(decimals) == 3 && strings.Contains(numeral, ","):
		return whole + decimals // 1,000
	case len(decimals) == 3 && strings.HasSuffix(decimals, "0"):
		return numeral // 1.000 is a thousand to some
	}
	if whole == "" {
		whole = "0"
	}
	return strings.TrimSuffix(whole+"."+strings.TrimRight(decimals, "0"), ".")
}
