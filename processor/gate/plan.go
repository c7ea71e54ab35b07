package gate

import "github.com/winnowgate/winnow/schema"

type pair struct{ theme, title string }

// plan lists the distinct pairs of a poll; refs[i][j] is the pair of candidate i's product j.
type plan struct {
	pairs []pair
	refs  [][]int
}

func newPlan(candidates []schema.Candidate) plan {
	plan := plan{refs: make([][]int, len(candidates))}
	index := map[pair]int{}
	for i, candidate := range candidates {
		plan.refs[i] = make([]int, len(candidate.Products))
		for j, product := range candidate.Products {
			key := pair{candidate.Theme, product.Title}
			at, ok := index[key]
			if !ok {
				at = len(plan.pairs)
				index[key] = at
				plan.pairs = append(plan.pairs, key)
			}
			plan.refs[i][j] = at
		}
	}
	return plan
}
