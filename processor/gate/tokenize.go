package gate

import (
	"errors"
	"slices"

	"github.com/winnowgate/winnow/model"
)

// errUnreadable marks a pair that the model can't read: a word of it is outside the vocabulary, nobody knows what a symbol of
// its theme means, or the two sides together are longer than the model reads. What it would not see must not pass for harmless.
var errUnreadable = errors.New("the model can't read this text")

// tokenizedAtOnce is how many pairs are tokenized before they are handed over to be scored: some batches' worth, in a few
// milliseconds.
const tokenizedAtOnce = 256

// side is one side of a pair, tokenized.
type side struct {
	model.Encoded
	err error
}

// tokenize encodes pairs[start:end] without a known score, each theme once. A pair that can't be encoded gets its error.
func (g *Gate) tokenize(pairs []pair, start, end int, themes map[string]side, known []bool, scores []score) []item {
	items := make([]item, 0, end-start)
	for i, pair := range pairs[start:end] {
		i += start
		if known[i] {
			continue
		}
		theme, ok := themes[pair.theme]
		if !ok {
			theme = g.encode(pair.theme)
			// A theme's symbol may be all that it asks for; a title says what it sells in words.
			theme.Unread = append(theme.Unread, theme.Puzzling...)
			themes[pair.theme] = theme
		}
		title := g.encode(pair.title)
		unread := slices.Concat(theme.Unread, title.Unread)
		switch err := errors.Join(theme.err, title.err); {
		case err != nil:
			scores[i].err = err
		case len(unread) > 0, len(theme.IDs) == 0, len(title.IDs) == 0, !g.manifest.Fits(theme.IDs, title.IDs):
			scores[i].err, scores[i].unread = errUnreadable, unread
		default:
			items = append(items, item{pair: i, ids: g.manifest.JoinPair(theme.IDs, title.IDs)})
		}
	}
	return items
}

func (g *Gate) encode(text string) side {
	encoded, err := g.tokenizer.Encode(text)
	return side{encoded, err}
}
