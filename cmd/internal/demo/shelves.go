//go:build cgo

package demo

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/winnowgate/winnow/schema"
)

// shelvesJSON holds themes and real product titles (USDA FoodData Central, public domain) by their judged label. The
// model was never trained on these themes.
//
//go:embed shelves.json
var shelvesJSON []byte

type shelf struct {
	Theme    string   `json:"theme"`
	Relevant []string `json:"relevant"`
	Weak     []string `json:"weak"`
	Severe   []string `json:"severe"`
}

func readShelves() ([]shelf, error) {
	var shelves []shelf
	if err := json.Unmarshal(shelvesJSON, &shelves); err != nil {
		return nil, fmt.Errorf("shelves.json: %w", err)
	}
	return shelves, nil
}

// The make-up of the stream: what a careless generator might publish.
const (
	severeShare = 0.12 // placements with one product that must never be shown
	weakShare   = 0.35 // placements with one or two products that do not belong
	brokenShare = 0.01 // records that are cut off
)

// Generator makes a reproducible stream of candidates.
type Generator struct {
	prefix  string // of placement ids
	shelves []shelf
	random  *rand.Rand
	next    int
}

// NewGenerator returns the stream of one seed; placement ids begin with prefix.
func NewGenerator(prefix string, seed uint64) (*Generator, error) {
	shelves, err := readShelves()
	if err != nil {
		return nil, err
	}
	return &Generator{prefix: prefix, shelves: shelves, random: rand.New(rand.NewPCG(seed, seed))}, nil
}

// Next returns the next candidate.
func (g *Generator) Next() schema.Candidate {
	name := "winnow-demo"
	shelf := g.shelves[g.random.IntN(len(g.shelves))]
	g.next++
	candidate := schema.Candidate{PlacementID: fmt.Sprintf("%s-%06d", g.prefix, g.next), Theme: shelf.Theme, Generator: &name}
	titles := g.pick(shelf.Relevant, 3+g.random.IntN(6))
	if g.random.Float64() < weakShare {
		titles = append(titles, g.pick(shelf.Weak, 1+g.random.IntN(2))...)
	}
	if g.random.Float64() < severeShare {
		titles = append(titles, g.pick(shelf.Severe, 1)...)
	}
	for i, title := range titles {
		candidate.Products = append(candidate.Products, schema.Product{ProductID: fmt.Sprintf("%s/%d", candidate.PlacementID, i+1), Title: title})
	}
	return candidate
}

// NextRecord returns the next candidate as its generator would publish it, and how many pairs it holds: none when the
// record was cut off on its way.
func (g *Generator) NextRecord(codec *schema.Codec, topic string) (record *kgo.Record, pairs int, err error) {
	candidate := g.Next()
	value, err := codec.EncodeCandidate(&candidate)
	if err != nil {
		return nil, 0, err
	}
	record = &kgo.Record{Topic: topic, Key: []byte(candidate.PlacementID), Value: value}
	if g.random.Float64() < brokenShare {
		record.Value = value[:len(value)/2]
		return record, 0, nil
	}
	return record, len(candidate.Products), nil
}

func (g *Generator) pick(titles []string, count int) []string {
	picked := make([]string, 0, count)
	for _, i := range g.random.Perm(len(titles)) {
		if len(picked) == count {
			break
		}
		picked = append(picked, titles[i])
	}
	return picked
}
