package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// event is one entry of ONNX Runtime's profile.
type event struct {
	Category string `json:"cat"`
	Name     string `json:"name"`
	Duration int64  `json:"dur"` // microseconds
	Args     struct {
		Operator string `json:"op_name"`
	} `json:"args"`
}

// isProduct reports whether an operator multiplies matrices and does nothing else.
func isProduct(operator string) bool {
	return slices.Contains([]string{"Product", "ProductOfCodes", "MatMul", "FusedMatMul", "Gemm", "FusedGemm", "MatMulInteger", "MatMulIntegerToFloat", "QLinearMatMul"}, operator)
}

// readProfiles returns, of the time in which graphs ran, each operator's share and that of the matrix products.
func readProfiles(folder string) (operators map[string]float64, products float64, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, 0, err
	}
	spent, total := map[string]int64{}, int64(0)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, 0, err
		}
		var events []event
		if err := json.Unmarshal(data, &events); err != nil {
			return nil, 0, fmt.Errorf("profile %s: %w", file, err)
		}
		for _, event := range events {
			switch {
			case event.Name == "model_run":
				total += event.Duration
			case event.Category == "Node" && strings.HasSuffix(event.Name, "_kernel_time"):
				spent[event.Args.Operator] += event.Duration
			}
		}
	}
	if total == 0 {
		return nil, 0, errors.New("ONNX Runtime's profile holds no run")
	}
	operators = map[string]float64{}
	for operator, duration := range spent {
		share := float64(duration) / float64(total)
		operators[operator] = share
		if isProduct(operator) {
			products += share
		}
	}
	return operators, products, nil
}
