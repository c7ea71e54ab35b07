// Matrix products in fp32 on a processor's tiles (AMX), with weights that are laid out once: values (rows x in) times weights
// (in x out). A row of the result depends on no other row, to the last bit.
//
// Each fp32 is taken as the sum of two bf16, and three of their four products are summed up in fp32. That holds 17 of 24
// bits (PyTorch calls it the "high" precision of fp32 products), 2.5 to 3 times as fast as ONNX Runtime's products.
#pragma once

#include <stddef.h>

namespace amx {

// Rows in one piece of work: what is made of them fits the second cache beside the weights that they meet.
constexpr size_t ROWS = 256;

bool present(); // in the processor, and granted by the operating system

size_t bytes(size_t in, size_t out); // that laid out weights take: a multiple of 64, at an address that is one

void lay_out(const float *weights, size_t in, size_t out, void *to);

void multiply(const void *laid_out, size_t in, size_t out, const float *values, size_t rows, float *result); // at most ROWS

} // namespace amx
