package model

// How TensorRT may compute a graph in fp32, besides FP32 itself.
const (
	FP16 = "fp16" // with layer norm in fp32
	BF16 = "bf16"
)

// Precisions lists them, fastest first.
func Precisions() []string { return []string{FP16, BF16, FP32} }
