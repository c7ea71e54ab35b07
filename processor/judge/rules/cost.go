package rules

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// costLimit bounds one evaluation, in CEL's units of about one step each. The shipped rules take some ten on a real title and a
// walk over 64 attributes some hundreds; what reaches the limit takes some milliseconds.
const costLimit = 100_000

// What a candidate holds at most under the default limits: a rule that could exceed costLimit on that is refused when it is
// compiled. Where the limits were widened, the evaluation on what is larger is counted, and stopped.
const (
	mostBytes      = 8 << 10
	mostAttributes = 64
)

// bytesAStep is how much of a text is searched for words at the price of one step, as CEL has it for strings.
const bytesAStep = 10

// ordinary reports whether all strings are within what checkCost assumes.
func ordinary(texts ...string) bool {
	for _, text := range texts {
		if len(text) > mostBytes {
			return false
		}
	}
	return true
}

func ordinaryAttributes(attributes map[string]string) bool {
	if len(attributes) > mostAttributes {
		return false
	}
	for key, value := range attributes {
		if !ordinary(key, value) {
			return false
		}
	}
	return true
}

func checkCost(environment *cel.Env, expression *cel.Ast) error {
	estimate, err := environment.EstimateCost(expression, coster{})
	if err != nil {
		return fmt.Errorf("cost: %w", err)
	}
	if estimate.Max > costLimit {
		return fmt.Errorf("when may take %d steps on the largest product that the limits allow, must be at most %d: walk over fewer lists", estimate.Max, costLimit)
	}
	return nil
}

// coster knows how large variables get, and what has_word and without cost.
type coster struct{}

// EstimateSize implements cost.Estimator.
func (coster) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	path := node.Path()
	switch {
	case len(path) == 0:
		return nil
	case len(path) == 1 && path[0] == varAttributes:
		return &cost.SizeEstimate{Max: mostAttributes}
	default:
		return &cost.SizeEstimate{Max: mostBytes}
	}
}

// EstimateCallCost implements cost.Estimator.
func (coster) EstimateCallCost(function, _ string, _ *cost.AstNode, _ []cost.AstNode) *cost.CallEstimate {
	switch function {
	case callHasWord, callWithout:
		return cost.NewCallEstimate(cost.Estimate{Min: 1, Max: 1 + mostBytes/bytesAStep}, nil)
	default:
		return nil
	}
}

// CallCost implements cost.ActualCostEstimator.
func (coster) CallCost(function, _ string, arguments []ref.Val, _ ref.Val) *uint64 {
	if function != callHasWord && function != callWithout {
		return nil
	}
	steps := uint64(1)
	if searched, ok := arguments[0].(*text); ok && !types.IsUnknownOrError(arguments[0]) {
		steps += uint64(len(searched.raw) / bytesAStep)
	}
	return &steps
}
