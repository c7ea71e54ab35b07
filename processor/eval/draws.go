package eval

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/winnowgate/winnow/model"
)

// drawsOfTheme is how many placements of each size are made of a theme.
const drawsOfTheme = 20

// Mix is the shares of labels among the products of traffic; the rest is relevant.
type Mix struct {
	Severe float64 `json:"severe_share"`
	Weak   float64 `json:"weak_share"`
}

// Validate reports shares that leave no room for relevant products.
func (m Mix) Validate() error {
	if m.Severe >= 0 && m.Weak >= 0 && m.Severe+m.Weak < 1 {
		return nil
	}
	return fmt.Errorf("the shares of severe (%v) and weak products (%v) must be at least 0 and together below 1", m.Severe, m.Weak)
}

func (m Mix) share(label string) float64 {
	switch label {
	case model.LabelSevere:
		return m.Severe
	case model.LabelWeak:
		return m.Weak
	default:
		return 1 - m.Severe - m.Weak
	}
}

// withSevere is the mix of traffic with another share of severe products, the others in proportion.
func (m Mix) withSevere(share float64) Mix {
	return Mix{Severe: share, Weak: m.Weak * (1 - share) / (1 - m.Severe)}
}

// draws makes placements of size products of each theme of the file, as places in its pairs. A theme's draws depend on the
// theme, its products and the mix alone: neither the order of rows nor other themes change them.
func (l Labelled) draws(size int, mix Mix) iter.Seq[[]int] {
	shelves := l.shelves()
	return func(yield func([]int) bool) {
		for _, theme := range slices.Sorted(maps.Keys(shelves)) {
			shelf := shelves[theme]
			weights, sum := make([]float64, len(shelf)), 0.0
			for i, products := range shelf {
				if len(products) > 0 {
					weights[i] = mix.share(labels()[i])
					sum += weights[i]
				}
			}
			if sum == 0 { // the mix has none of its labels
				continue
			}
			random := rand.New(rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "%d %s", size, theme))))
			for range drawsOfTheme {
				if !yield(take(random, shelf, weights, sum, size)) {
					return
				}
			}
		}
	}
}

// take draws products of a label without putting them back as long as there are some, and then any of the label again. It
// shuffles the shelf.
func take(random *rand.Rand, shelf [][]int, weights []float64, sum float64, size int) []int {
	drawn, taken := make([]int, size), make([]int, len(shelf))
	for i := range drawn {
		label := pick(random, weights, sum)
		products, out := shelf[label], taken[label]
		if out == len(products) {
			drawn[i] = products[random.IntN(len(products))]
			continue
		}
		at := out + random.IntN(len(products)-out)
		products[out], products[at] = products[at], products[out]
		drawn[i] = products[out]
		taken[label]++
	}
	return drawn
}

// pick returns a place in weights, which sum to sum, each as often as it weighs.
func pick(random *rand.Rand, weights []float64, sum float64) int {
	left, last := random.Float64()*sum, 0
	for i, weight := range weights {
		if weight == 0 {
			continue
		}
		if last = i; left < weight {
			break
		}
		left -= weight
	}
	return last
}

// shelves lists for each theme and each label, in the order of labels, its products: a title once, sorted.
func (l Labelled) shelves() map[string][][]int {
	shelves := map[string][][]int{}
	for i, pair := range l.Pairs {
		if shelves[pair.Theme] == nil {
			shelves[pair.Theme] = make([][]int, len(labels()))
		}
		at := slices.Index(labels(), pair.Label)
		shelves[pair.Theme][at] = append(shelves[pair.Theme][at], i)
	}
	for _, shelf := range shelves {
		for at, products := range shelf {
			slices.SortStableFunc(products, func(a, b int) int { return cmp.Compare(l.Pairs[a].Title, l.Pairs[b].Title) })
			shelf[at] = slices.CompactFunc(products, func(a, b int) bool { return l.Pairs[a].Title == l.Pairs[b].Title })
		}
	}
	return shelves
}
