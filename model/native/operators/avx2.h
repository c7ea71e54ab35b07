// Products of codes in 8 bits for processors with AVX2 that can't sum four products of bytes at once (VNNI), with weights
// (in x out) that are laid out once. A row of the result depends on no other row.
//
// What these processors have for bytes leaves sums of two products in 16 bits; widening those to 32 costs as much again. So
// two such sums are added in 16 bits first, which saves a quarter of the work. None may overflow: lay_out seeks, for every
// four rows of the weights, four others with which that holds in each column, whatever the values are. The result is the
// exact sum.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace avx2 {

// Rows in one piece of work: they stay in the second cache while all weights pass by. A multiple of the rows that are summed
// up at once.
constexpr size_t ROWS = 120;

constexpr size_t LEAST_IN = 4, MOST_IN = 65'536;

size_t bytes(size_t in, size_t out); // that laid out weights take: a multiple of 64, at an address that is one

// weights: an even number of rows from LEAST_IN to MOST_IN. False: in a column, rows 2i and 2i+1 have codes of one sign that
// sum to more than 128, so that the sum of their products may overflow.
bool lay_out(const int8_t *weights, size_t in, size_t out, uint8_t zero_point, void *to);

// result = (values - zero point) * weights * scale, with a scale a column; at most ROWS.
void multiply(const void *laid_out, size_t in, size_t out, const uint8_t *values, size_t rows, const float *scale, float *result);

} // namespace avx2
