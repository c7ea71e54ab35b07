package gate

import "errors"

// errUnreadable marks a pair that the model can't read: the vocabulary knows too little of a side, or the two together are
// longer than the model reads. What it would not see must not pass for harmless.
var errUnreadable = errors.New("the model can't read this text")

// item is a tokenized pair that waits for its score.
type item struct {
	pair int // index into the plan's pairs
	ids  []int64
}

// tokenize encodes the pairs without a known score, each theme once. A pair that can't be encoded gets its error.
func (g *Gate) tokenize(pairs []pair, scores []score) []item {
	type side struct {
		ids []int64
		err error
	}
	encode := func(text string) side {
		ids, err := g.tokenizer.Encode(text)
		if err == nil && !g.manifest.Readable(ids) {
			err = errUnreadable
		}
		return side{ids, err}
	}
	themes := map[string]side{}
	items := make([]item, 0, len(pairs))
	for i, pair := range pairs {
		if scores[i].known {
			continue
		}
		theme, ok := themes[pair.theme]
		if !ok {
			theme = encode(pair.theme)
			themes[pair.theme] = theme
		}
		title := encode(pair.title)
		if err := errors.Join(theme.err, title.err); err != nil {
			scores[i].err = err
			continue
		}
		if !g.manifest.Fits(theme.ids, title.ids) {
			scores[i].err = errUnreadable
			continue
		}
		items = append(items, item{pair: i, ids: g.manifest.JoinPair(theme.ids, title.ids)})
	}
	return items
}
