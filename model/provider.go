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
