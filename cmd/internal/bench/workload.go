// Package bench measures the gate: alone, and from Kafka to committed verdicts.
package bench

import (
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/winnowgate/winnow/schema"
)

// The themes and titles of the judged pairs (USDA FoodData Central, public domain), so that a workload has the lengths of
// real ones.
var (
	//go:embed themes.txt
	themesText string
	//go:embed titles.txt
	titlesText string
)

// Workload makes candidates, and is done once it returns none.
type Workload interface {
	Next() (schema.Candidate, bool)
}

// themeSkew is the exponent of the themes' Zipf distribution: the most frequent of 1,418 is a sixth of all.
const themeSkew = 1.1

// Synthetic is a reproducible stream of candidates. Themes are Zipf-distributed, as they are where generators follow
// demand; a candidate's titles are distinct.
type Synthetic struct {
	themes, titles []string
	zipf           *rand.Zipf
	random         *rand.Rand
	prefix         string
	products, left int // a candidate; candidates to come
	next           int
}

// NewSynthetic returns the stream of one seed: so many placements with so many products each, whose ids begin with prefix.
func NewSynthetic(prefix string, seed uint64, placements, products int) *Synthetic {
	random := rand.New(rand.NewPCG(seed, 1))
	themes, titles := lines(themesText), lines(titlesText)
	last := uint64(len(themes) - 1) //nolint:gosec // there are some
	random.Shuffle(len(themes), func(i, j int) { themes[i], themes[j] = themes[j], themes[i] })
	return &Synthetic{
		themes: themes, titles: titles, zipf: rand.NewZipf(random, themeSkew, 1, last), random: random,
		prefix: prefix, products: products, left: placements,
	}
}

func lines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }

// Next implements Workload.
func (s *Synthetic) Next() (schema.Candidate, bool) {
	if s.left == 0 {
		return schema.Candidate{}, false
	}
	s.left--
	s.next++
	candidate := schema.Candidate{PlacementID: fmt.Sprintf("%s-%07d", s.prefix, s.next), Theme: s.themes[s.zipf.Uint64()]}
	chosen := map[int]bool{}
	for len(candidate.Products) < s.products {
		title := s.random.IntN(len(s.titles))
		if !chosen[title] {
			chosen[title] = true
			candidate.Products = append(candidate.Products, schema.Product{ProductID: fmt.Sprint(title), Title: s.titles[title]})
		}
	}
	return candidate, true
}

// Listed is a workload of given pairs.
type Listed struct{ candidates []schema.Candidate }

// ReadListed reads the columns theme and title of a CSV file. Pairs of one theme that follow one another become a candidate
// of at most so many products.
func ReadListed(file io.Reader, products int) (*Listed, error) {
	reader := csv.NewReader(file)
	header, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	theme, title := slices.Index(header, "theme"), slices.Index(header, "title")
	if theme < 0 || title < 0 {
		return nil, fmt.Errorf("columns are %q, must have theme and title", header)
	}
	listed := &Listed{}
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		last := len(listed.candidates) - 1
		if last < 0 || listed.candidates[last].Theme != row[theme] || len(listed.candidates[last].Products) == products {
			last++
			listed.candidates = append(listed.candidates, schema.Candidate{PlacementID: fmt.Sprintf("pairs-%d", last), Theme: row[theme]})
		}
		candidate := &listed.candidates[last]
		candidate.Products = append(candidate.Products, schema.Product{ProductID: fmt.Sprint(len(candidate.Products)), Title: row[title]})
	}
	if len(listed.candidates) == 0 {
		return nil, errors.New("there is no pair in it")
	}
	return listed, nil
}

// Next implements Workload.
func (l *Listed) Next() (schema.Candidate, bool) {
	if len(l.candidates) == 0 {
		return schema.Candidate{}, false
	}
	candidate := l.candidates[0]
	l.candidates = l.candidates[1:]
	return candidate, true
}
