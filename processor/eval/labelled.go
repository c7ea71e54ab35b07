package eval

import (
	"errors"
	"fmt"
	"io"

	"github.com/winnowgate/winnow/processor/table"
)

// Labelled is a file of placements whose products are labelled.
type Labelled struct {
	Pairs      []Pair // one a row
	Placements []Placement
}

// Placement is one of a file, as it stands there.
type Placement struct {
	ID, Theme, Family string // Family is "" where none is named
	Pairs             []int  // its products, as places in Labelled.Pairs
}

// ReadPlacements reads CSV with a header that names the columns placement_id, theme, title and label, and may name family; the
// rows of a placement need not stand together. What is wrong with it is an error that names the line.
func ReadPlacements(in io.Reader) (Labelled, error) {
	rows, err := table.Read(in, map[string][]string{"label": labels()}, "placement_id", "theme", "title", "label")
	if err != nil {
		return Labelled{}, err
	}
	if len(rows) == 0 {
		return Labelled{}, errors.New("the file holds no placements")
	}
	file := Labelled{Pairs: make([]Pair, len(rows))}
	places, firstLines := map[string]int{}, map[string]int{}
	for i, row := range rows {
		id := row.Cells["placement_id"]
		at, known := places[id]
		if !known {
			at = len(file.Placements)
			places[id], firstLines[id] = at, row.Line
			file.Placements = append(file.Placements, Placement{ID: id, Theme: row.Cells["theme"], Family: row.Cells["family"]})
		}
		placement := &file.Placements[at]
		for column, first := range map[string]string{"theme": placement.Theme, "family": placement.Family} {
			if here := row.Cells[column]; here != first {
				return Labelled{}, fmt.Errorf("line %d: placement %q has the %s %q here, and %q on line %d", row.Line, id, column, here, first, firstLines[id])
			}
		}
		file.Pairs[i] = Pair{row.Cells["theme"], row.Cells["title"], row.Cells["label"]}
		placement.Pairs = append(placement.Pairs, i)
	}
	return file, nil
}

// Distinct returns every theme with a title once, which is what has to be scored, and for each row its place among them.
func (l Labelled) Distinct() (pairs []Pair, places []int) {
	type text struct{ theme, title string }
	known := map[text]int{}
	places = make([]int, len(l.Pairs))
	for i, pair := range l.Pairs {
		key := text{pair.Theme, pair.Title}
		at, found := known[key]
		if !found {
			at = len(pairs)
			known[key] = at
			pairs = append(pairs, pair)
		}
		places[i] = at
	}
	return pairs, places
}
