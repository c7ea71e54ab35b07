//go:build cgo

package demo

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"
)

// shelvesJSON holds themes and titles as catalogues word them, by their judged label. The model was never trained on these
// themes.
//
//go:embed shelves.json
var shelvesJSON []byte

type shelf struct {
	Theme    string   `json:"theme"`
	Relevant []string `json:"relevant"`
	Weak     []string `json:"weak"`
	Severe   []string `json:"severe"`
}

// breakable reports whether the theme asks for something that a product on the shelf breaks.
func (s shelf) breakable() bool { return len(s.Severe) > 0 }

func readShelves() ([]shelf, error) {
	var shelves []shelf
	if err := json.Unmarshal(shelvesJSON, &shelves); err != nil {
		return nil, fmt.Errorf("shelves.json: %w", err)
	}
	return shelves, nil
}

// deck deals each shelf once before any comes again, and none twice in a row.
type deck struct {
	shelves []shelf
	order   []int // what is left to deal
	last    int
}

func (d *deck) deal(random *rand.Rand) shelf {
	if len(d.order) == 0 {
		d.order = random.Perm(len(d.shelves))
		if end := len(d.order) - 1; d.order[0] == d.last {
			d.order[0], d.order[end] = d.order[end], d.order[0]
		}
	}
	d.last, d.order = d.order[0], d.order[1:]
	return d.shelves[d.last]
}
