package model

// The execution providers that can run a graph, by their names in configuration, metrics and verdicts.
const (
	TensorRT = "tensorrt"
	CUDA     = "cuda"
	CPU      = "cpu"
)

// Providers lists them, fastest first.
func Providers() []string { return []string{TensorRT, CUDA, CPU} }

// LibraryVariable is the environment variable that names the ONNX Runtime library to load.
const LibraryVariable = "WINNOW_ONNXRUNTIME"

// OperatorsVariable is the environment variable that names the library of the graphs' operators for the CPU.
const OperatorsVariable = "WINNOW_OPERATORS"

// OperatorsLevelVariable is the environment variable that bounds what these operators use of the processor: base, avx2,
// avx512 or amx. Without it they use all of these that it has.
const OperatorsLevelVariable = "WINNOW_OPERATORS_LEVEL"

// ReadsVariable reports whether an environment variable is one of the model's own, beside the configuration.
func ReadsVariable(name string) bool {
	return name == LibraryVariable || name == OperatorsVariable || name == OperatorsLevelVariable
}
