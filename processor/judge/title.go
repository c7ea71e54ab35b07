package judge

import (
	"slices"
	"strings"
	"unicode"
)

// titleKey is equal for titles that a shopper would call the same: the set of their words, whatever the case, order,
// punctuation and repetition. Numbers count, so two sizes of one product stay two products.
func titleKey(title string) string {
	words := strings.FieldsFunc(strings.ToLower(title), func(char rune) bool {
		return !unicode.IsLetter(char) && !unicode.IsNumber(char) && !unicode.IsMark(char)
	})
	if len(words) == 0 {
		return title
	}
	slices.Sort(words)
	return strings.Join(slices.Compact(words), " ")
}
