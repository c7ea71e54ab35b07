// Package eval measures a gate on labelled pairs: how well it ranks severe pairs, what its thresholds let through, and
// how far its probabilities can be believed.
package eval

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/winnowgate/winnow/model"
)

// Pair is one judged pair.
type Pair struct {
	Theme string `json:"theme"`
	Title string `json:"title"`
	Label string `json:"label"`
}

func labels() []string { return []string{model.LabelRelevant, model.LabelWeak, model.LabelSevere} }

// ReadPairs reads CSV with a header that names the columns theme, title and label, in any order. A label it does not know
// is an error that names its line.
func ReadPairs(in io.Reader) ([]Pair, error) {
	reader := csv.NewReader(in)
	header, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: its first line must name the columns theme, title and label")
	}
	if err != nil {
		return nil, err
	}
	var columns [3]int
	for i, name := range []string{"theme", "title", "label"} {
		if columns[i] = slices.Index(header, name); columns[i] < 0 {
			return nil, fmt.Errorf("the first line names the columns %q, %s is missing", header, name)
		}
	}
	var pairs []Pair
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		pair := Pair{row[columns[0]], row[columns[1]], row[columns[2]]}
		line, _ := reader.FieldPos(columns[2])
		if !slices.Contains(labels(), pair.Label) {
			return nil, fmt.Errorf("line %d: label %q is not one of %v", line, pair.Label, labels())
		}
		if pair.Theme == "" || pair.Title == "" {
			return nil, fmt.Errorf("line %d: the theme or the title is empty", line)
		}
		pairs = append(pairs, pair)
	}
	if len(pairs) == 0 {
		return nil, errors.New("the file holds no pairs")
	}
	return pairs, nil
}
