package gate

import "errors"

// errUnreadable marks a pair that the model can't read: the vocabulary knows too little of a side, or the two together are
// longer than the model reads. What it would not see must not pass for harmless.
var errUnreadable = errors.New("the model can't read this text")

// tokenizedAtOnce is how many pairs are tokenized before they are handed over to be scored: some batches' worth, in a few
// milliseconds.
const tokenizedAtOnce = 256

// side is one side of a pair, tokenized.
type side struct {
	ids []int64
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
			themes[pair.theme] = theme
		}
		title := g.encode(pair.title)
		switch err := errors.Join(theme.err, title.err); {
		case err != nil:
			scores[i].err = err
		case !g.manifest.Fits(theme.ids, title.ids):
			scores[i].err = errUnreadable
		default:
			items = append(items, item{pair: i, ids: g.manifest.JoinPair(theme.ids, title.ids)})
		}
	}
	return items
}

func (g *Gate) encode(text string) side {
	ids, err := g.tokenizer.Encode(text)
	if err == nil && !g.manifest.Readable(ids) {
		err = errUnreadable
	}
	return side{ids, err}
}
