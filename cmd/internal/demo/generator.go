//go:build cgo

package demo

import (
	"fmt"
	"math/rand/v2"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/winnowgate/winnow/schema"
)

// Label is what a product is under its theme, by the judgement that the demo takes for the truth.
type Label string

// The labels.
const (
	Relevant Label = "relevant"
	Weak     Label = "weak"
	Severe   Label = "severe" // it breaks the theme
)

// Truth is the label of each product of a placement, by product_id. It is never published: the gate must find it out.
type Truth map[string]Label

// Breaks reports whether a product breaks the theme.
func (t Truth) Breaks() bool { return t.count(Severe) > 0 }

func (t Truth) count(label Label) int {
	count := 0
	for _, of := range t {
		if of == label {
			count++
		}
	}
	return count
}

// The make-up of the stream: a language model that mostly knows what it does.
const (
	fewestProducts, mostProducts = 8, 15

	weakShare   = 0.10 // of products; short shelves are filled up with some more
	severeShare = 0.35 // of the placements whose theme can be broken: those that break it,
	mostSevere  = 3    // with one to so many products, for who overlooks a theme once overlooks it again

	cutOffEvery, firstCutOff = 100, 15 // records that are cut off on their way; early enough for a short run to show one
)

// Generator makes a reproducible stream of candidates.
type Generator struct {
	prefix string // of placement ids
	deck   deck
	random *rand.Rand
	next   int
}

// NewGenerator returns the stream of one seed; placement ids begin with prefix.
func NewGenerator(prefix string, seed uint64) (*Generator, error) {
	shelves, err := readShelves()
	if err != nil {
		return nil, err
	}
	return &Generator{prefix: prefix, deck: deck{shelves: shelves, last: -1}, random: rand.New(rand.NewPCG(seed, seed))}, nil
}

// Next returns the next candidate, and beside it the truth.
func (g *Generator) Next() (schema.Candidate, Truth) {
	name := "winnow-demo"
	shelf := g.deck.deal(g.random)
	g.next++
	candidate := schema.Candidate{PlacementID: fmt.Sprintf("%s-%06d", g.prefix, g.next), Theme: shelf.Theme, Generator: &name}
	truth := Truth{}
	for i, drawn := range g.draw(shelf) {
		id := fmt.Sprintf("%s/%d", candidate.PlacementID, i+1)
		candidate.Products = append(candidate.Products, schema.Product{ProductID: id, Title: drawn.title})
		truth[id] = drawn.label
	}
	return candidate, truth
}

// NextRecord returns the next candidate as its generator would publish it, and the truth: none where the record was cut off on
// its way.
func (g *Generator) NextRecord(codec *schema.Codec, topic string) (*kgo.Record, Truth, error) {
	candidate, truth := g.Next()
	value, err := codec.EncodeCandidate(&candidate)
	if err != nil {
		return nil, nil, err
	}
	record := &kgo.Record{Topic: topic, Key: []byte(candidate.PlacementID), Value: value}
	if g.next%cutOffEvery == firstCutOff {
		record.Value, truth = value[:len(value)/2], nil
	}
	return record, truth, nil
}

type labelled struct {
	title string
	label Label
}

// draw fills a placement from a shelf, in an order that gives nothing away.
func (g *Generator) draw(shelf shelf) []labelled {
	size := fewestProducts + g.random.IntN(mostProducts-fewestProducts+1)
	size = max(fewestProducts, min(size, len(shelf.Relevant)+1)) // a short shelf makes no long placement of what is left
	var drawn []labelled
	pick := func(titles []string, label Label, count int) {
		for _, i := range g.random.Perm(len(titles))[:min(max(count, 0), len(titles))] {
			drawn = append(drawn, labelled{titles[i], label})
		}
	}
	if shelf.breakable() && g.random.Float64() < severeShare {
		pick(shelf.Severe, Severe, 1+g.random.IntN(mostSevere))
	}
	weak := 0
	for range size {
		if g.random.Float64() < weakShare {
			weak++
		}
	}
	weak = max(min(weak, size/2-len(drawn)), size-len(drawn)-len(shelf.Relevant)) // half of it is relevant, and none is missing
	pick(shelf.Weak, Weak, weak)
	pick(shelf.Relevant, Relevant, size-len(drawn))
	g.random.Shuffle(len(drawn), func(i, j int) { drawn[i], drawn[j] = drawn[j], drawn[i] })
	return drawn
}
