package model

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
)

// Drawn from model/training/data/judged_pairs.csv: 134 pairs of each label, of themes that no model was trained on.
//
//go:embed probes.csv
var probes []byte

// Probe is the text of one (theme, title) pair.
type Probe struct{ Theme, Title string }

// Probes returns real pairs, as many harmless as severe, on which two ways to run one graph can be held against each
// other.
func Probes() ([]Probe, error) {
	records, err := csv.NewReader(bytes.NewReader(probes)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("probes.csv: %w", err)
	}
	list := make([]Probe, 0, len(records))
	for _, record := range records[1:] { // the first line names the columns
		list = append(list, Probe{Theme: record[0], Title: record[1]})
	}
	return list, nil
}
