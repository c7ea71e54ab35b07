// Package eval measures a gate on labelled pairs: how well it ranks severe pairs, what its thresholds let through, and
// how far its probabilities can be believed.
package eval

import (
	"errors"
	"io"

	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor/table"
)

// Pair is one judged pair.
type Pair struct {
	Theme string `json:"theme"`
	Title string `json:"title"`
	Label string `json:"label"`
}

func labels() []string { return []string{model.LabelRelevant, model.LabelWeak, model.LabelSevere} }

// ReadPairs reads CSV with a header that names the columns theme, title and label, in any order; what is wrong with it is an
// error that names the line.
func ReadPairs(in io.Reader) ([]Pair, error) {
	rows, err := table.Read(in, map[string][]string{"label": labels()}, "theme", "title", "label")
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("the file holds no pairs")
	}
	pairs := make([]Pair, len(rows))
	for i, row := range rows {
		pairs[i] = Pair{row.Cells["theme"], row.Cells["title"], row.Cells["label"]}
	}
	return pairs, nil
}
