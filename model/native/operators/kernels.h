// What the operators compute, row by row and pair by pair. Every kernel is compiled once for each level of the processor
// that it may meet; operators.cc picks one when the library is loaded.
#pragma once

#include <stddef.h>
#include <stdint.h>

// What the kernels keep on the stack is bounded by these: 0.8 MB for the longest and widest pair.
enum { MOST_TOKENS = 512, MOST_HEAD_SIZE = 128, MOST_COLUMNS = 16384 };

// A matrix product on its way to its consumer: product * scale[row] + bias. A product in 8 bits has a scale a row; scales
// is 0 where one scale, usually 1, serves every row.
struct product {
	const float *values; // rows x columns
	const float *scale;
	size_t scales;
	const float *bias; // columns
	size_t columns;
};

// Disentangled attention of a batch: the content's own scores, and those by relative position in both directions.
struct attention {
	struct product query;   // pairs * rows; of its columns the first heads * size
	struct product content; // pairs * length: keys and values; may be the same as query
	size_t keys_at, values_at; // the columns of content where they begin
	const int64_t *mask;    // pairs x length: 0 is padding
	const float *keys;      // heads x size x width: column center - t belongs to the relative position t = query - key
	const float *queries;   // as keys; the scale of the scores is folded into it and into the query's weights
	size_t heads, size, width, center, length;
	size_t rows;            // queries a pair: length, or 1 for the first token alone
	float *context;         // pairs x rows x heads * size
	size_t context_from;    // the pair whose context comes first
};

struct gelu {
	struct product product;
	float *result;
};

struct norm {
	struct product product;
	const float *residual, *weight, *shift;
	size_t residuals; // rows of the residual; after the last, the first serves again
	float epsilon;
	float *result;
};

struct quantisation {
	const float *values, *factor; // rows x columns, columns
	size_t columns;
	uint8_t zero_point;
	uint8_t *codes;
	float *scale;
};

struct quantised_gelu {
	struct product product;
	struct quantisation quantisation; // its values are not read
};

struct quantised_norm {
	struct norm norm;
	struct quantisation quantisation; // as above
};

struct kernels {
	void (*attend)(const struct attention *, size_t first, size_t pairs);
	void (*gelu)(const struct gelu *, size_t row);
	void (*norm)(const struct norm *, size_t row);
	void (*quantise)(const struct quantisation *, size_t row);
	void (*quantise_gelu)(const struct quantised_gelu *, size_t row);
	void (*quantise_norm)(const struct quantised_norm *, size_t row);
};

extern "C" const struct kernels kernels_base, kernels_avx2, kernels_avx512;
