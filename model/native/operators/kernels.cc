// Compiled with KERNELS set to the name of the table it defines, and with the instructions that this table may use.
//
// Every sum runs in an order that depends on nothing but a row's own length: a pair's result is the same to the last bit,
// whatever batch it is in.
#include "kernels.h"

#include <math.h>
#include <string.h>

// As wide as the processor's registers: the compiler splits wider vectors through memory.
#if defined(__AVX512F__)
constexpr size_t LANES = 16;
#elif defined(__AVX2__)
constexpr size_t LANES = 8;
#else
constexpr size_t LANES = 4;
#endif

typedef float vector __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t integers __attribute__((vector_size(LANES * sizeof(int32_t))));
typedef uint8_t bytes __attribute__((vector_size(LANES)));

#define INLINE static inline __attribute__((always_inline))

INLINE size_t padded(size_t count) { return (count + LANES - 1) / LANES * LANES; }

INLINE vector splat(float value) { return (vector){} + value; }

INLINE vector load(const float *from) {
	vector result;
	memcpy(&result, from, sizeof result);
	return result;
}

// The lanes beyond count are filled.
INLINE vector load_first(const float *from, size_t count, float fill) {
	if (count >= LANES) return load(from);
	vector result = splat(fill);
	memcpy(&result, from, count * sizeof(float));
	return result;
}

INLINE void store(float *to, vector value) { memcpy(to, &value, sizeof value); }

INLINE void store_first(float *to, vector value, size_t count) {
	if (count >= LANES) return store(to, value);
	for (size_t lane = 0; lane < count; lane++) to[lane] = value[lane];
}

INLINE vector larger(vector a, vector b) { return a > b ? a : b; }

// The lanes that are so many apart exchanged.
template <size_t APART> INLINE vector exchanged(vector value) {
	integers from;
	for (size_t lane = 0; lane < LANES; lane++) from[lane] = int(lane ^ APART);
	return __builtin_shuffle(value, from);
}

template <size_t APART = LANES / 2> INLINE float sum_of(vector value) {
	value += exchanged<APART>(value);
	if constexpr (APART > 1) return sum_of<APART / 2>(value);
	return value[0];
}

template <size_t APART = LANES / 2> INLINE float largest_of(vector value) {
	value = larger(value, exchanged<APART>(value));
	if constexpr (APART > 1) return largest_of<APART / 2>(value);
	return value[0];
}

// Exchanges the off-diagonal blocks of every square of 2 * APART rows and lanes, and of every smaller one: a transposition.
template <size_t APART = LANES / 2> INLINE void transpose(vector rows[LANES]) {
	integers upper, lower;
	for (size_t lane = 0; lane < LANES; lane++) {
		upper[lane] = int(lane & APART ? LANES + lane - APART : lane);
		lower[lane] = int(lane & APART ? LANES + lane : lane + APART);
	}
#pragma GCC unroll 16
	for (size_t i = 0; i < LANES; i++) {
		if (i & APART) continue;
		const vector a = rows[i], b = rows[i + APART];
		rows[i] = __builtin_shuffle(a, b, upper);
		rows[i + APART] = __builtin_shuffle(a, b, lower);
	}
	if constexpr (APART > 1) transpose<APART / 2>(rows);
}

// Adding and taking away 1.5 * 2^23 leaves the nearest whole number, ties to even.
INLINE vector nearest(vector value) {
	const vector magic = splat(12582912.0f);
	return (value + magic) - magic;
}

// exp for values at most 0: 2^n * exp(r) with |r| <= ln 2 / 2, whose Taylor series of degree 7 is exact to the last bits.
INLINE vector exponential(vector value) {
	value = larger(value, splat(-87.0f));
	vector n = nearest(value * 1.44269504088896341f);
	vector r = value - n * 0.693359375f;
	r = r - n * -2.12194440e-4f;
	vector p = splat(1.0f / 5040);
	p = p * r + 1.0f / 720;
	p = p * r + 1.0f / 120;
	p = p * r + 1.0f / 24;
	p = p * r + 1.0f / 6;
	p = p * r + 0.5f;
	p = p * r + 1.0f;
	p = p * r + 1.0f;
	integers power = (__builtin_convertvector(n, integers) + 127) << 23;
	vector factor;
	memcpy(&factor, &power, sizeof factor);
	return p * factor;
}

// x times the normal distribution's cumulative probability: Abramowitz and Stegun 7.1.26, whose error is below 1.5e-7.
INLINE vector gelu_of(vector x) {
	vector size = x < 0.0f ? -x : x;
	vector t = 1.0f / (size * (0.3275911f * 0.70710678118654752f) + 1.0f);
	vector p = t * 1.061405429f - 1.453152027f;
	p = p * t + 1.421413741f;
	p = p * t - 0.284496736f;
	p = p * t + 0.254829592f;
	vector tail = p * t * exponential(x * x * -0.5f) * 0.5f; // the probability beyond |x|
	vector below = x < 0.0f ? tail : 1.0f - tail;
	return x * below + x * 0.0f; // NaN and infinity stay NaN
}

INLINE float scale_of(const struct product *product, size_t row) { return product->scale[product->scales ? row : 0]; }

INLINE vector entry(const struct product *product, size_t row, float scale, size_t column, size_t count) {
	vector value = load_first(product->values + row * product->columns + column, count, 0);
	return value * scale + load_first(product->bias + column, count, 0);
}

// One head of PAIRS pairs, as attention's inner loops read it.
template <size_t PAIRS> struct head_of {
	size_t head, columns;  // columns: the length, padded
	float *query[PAIRS];   // rows x padded size
	float *keys[PAIRS];    // size x columns: transposed
	float *values[PAIRS];  // length x padded size
	float *penalty[PAIRS]; // columns
	float *weights;        // PAIRS * ROWS x columns
};

template <size_t PAIRS> INLINE void load_head(const struct attention *a, size_t first, const head_of<PAIRS> &h) {
	const size_t size = a->size, hidden = a->heads * size;
	for (size_t p = 0; p < PAIRS; p++)
		for (size_t j = 0; j < a->length; j += LANES)
			for (size_t d = 0; d < size; d += LANES) {
				vector block[LANES];
				for (size_t i = 0; i < LANES; i++) {
					block[i] = splat(0);
					if (j + i >= a->length) continue;
					const size_t row = (first + p) * a->length + j + i, column = h.head * size + d, to = (j + i) * padded(size) + d;
					const float scale = scale_of(&a->product, row);
					// The next head's part of this row: rows lie too far apart for the processor to see it coming.
					const float *next = a->product.values + row * a->product.columns + column + size;
					__builtin_prefetch(next);
					__builtin_prefetch(next + hidden);
					__builtin_prefetch(next + 2 * hidden);
					if (j + i < a->rows) store(h.query[p] + to, entry(&a->product, row, scale, column, size - d));
					block[i] = entry(&a->product, row, scale, hidden + column, size - d);
					store(h.values[p] + to, entry(&a->product, row, scale, 2 * hidden + column, size - d));
				}
				transpose(block);
				for (size_t i = 0; i < LANES && d + i < size; i++) store(h.keys[p] + (d + i) * h.columns + j, block[i]);
			}
}

// ROWS queries of each pair, from row on. What is loaded of the tables serves all pairs, and of keys and values all rows.
template <size_t PAIRS, size_t ROWS>
INLINE void attend_rows(const struct attention *a, size_t first, size_t row, const head_of<PAIRS> &h) {
	const size_t size = a->size, columns = h.columns, wide = padded(size);
	const float *keys = a->keys + h.head * size * a->width, *queries = a->queries + h.head * size * a->width;
	vector largest[PAIRS * ROWS], total[PAIRS * ROWS];
	for (size_t k = 0; k < PAIRS * ROWS; k++) largest[k] = splat(-INFINITY), total[k] = splat(0);
	for (size_t j = 0; j < columns; j += LANES) {
		vector score[PAIRS * ROWS];
		for (size_t k = 0; k < PAIRS * ROWS; k++) score[k] = load(h.penalty[k % PAIRS] + j);
		for (size_t d = 0; d < size; d++) {
			const size_t column = d * a->width + a->center - row + j;
			vector key[PAIRS];
			for (size_t p = 0; p < PAIRS; p++) key[p] = load(h.keys[p] + d * columns + j);
			for (size_t r = 0; r < ROWS; r++) {
				const vector by_query = load(keys + column - r), by_key = load(queries + column - r);
				for (size_t p = 0; p < PAIRS; p++) {
					score[r * PAIRS + p] += h.query[p][(row + r) * wide + d] * (key[p] + by_query);
					score[r * PAIRS + p] += key[p] * by_key;
				}
			}
		}
		for (size_t k = 0; k < PAIRS * ROWS; k++) {
			store(h.weights + k * columns + j, score[k]);
			largest[k] = larger(score[k], largest[k]);
		}
	}
	float inverse[PAIRS * ROWS];
	for (size_t k = 0; k < PAIRS * ROWS; k++) {
		const vector top = splat(largest_of(largest[k]));
		for (size_t j = 0; j < columns; j += LANES) {
			const vector distance = load(h.weights + k * columns + j) - top;
			const vector weight = exponential(distance) + distance * 0.0f; // NaN stays NaN
			store(h.weights + k * columns + j, weight);
			total[k] += weight;
		}
		inverse[k] = 1 / sum_of(total[k]);
	}
	for (size_t d = 0; d < size; d += LANES) {
		vector context[PAIRS * ROWS];
		for (size_t k = 0; k < PAIRS * ROWS; k++) context[k] = splat(0);
		for (size_t j = 0; j < a->length; j++)
			for (size_t p = 0; p < PAIRS; p++) {
				const vector value = load(h.values[p] + j * wide + d);
				for (size_t r = 0; r < ROWS; r++) context[r * PAIRS + p] += h.weights[(r * PAIRS + p) * columns + j] * value;
			}
		for (size_t k = 0; k < PAIRS * ROWS; k++) {
			const size_t to = (first + k % PAIRS) * a->rows + row + k / PAIRS;
			store_first(a->context + (to * a->heads + h.head) * size + d, context[k] * inverse[k], size - d);
		}
	}
}

template <size_t PAIRS> INLINE void attend_pairs(const struct attention *a, size_t first) {
	constexpr size_t ROWS = 2;
	const size_t length = a->length, columns = padded(length), wide = padded(a->size);
	float query[PAIRS * length * wide], keys[PAIRS * a->size * columns], values[PAIRS * length * wide];
	float penalty[PAIRS * columns], weights[PAIRS * ROWS * columns];
	head_of<PAIRS> h;
	h.columns = columns, h.weights = weights;
	for (size_t p = 0; p < PAIRS; p++) {
		h.query[p] = query + p * length * wide, h.keys[p] = keys + p * a->size * columns;
		h.values[p] = values + p * length * wide, h.penalty[p] = penalty + p * columns;
		for (size_t j = 0; j < columns; j++)
			h.penalty[p][j] = j < length && a->mask[(first + p) * length + j] ? 0 : -3e4f;
	}
	for (h.head = 0; h.head < a->heads; h.head++) {
		load_head(a, first, h);
		size_t row = 0;
		for (; row + ROWS <= a->rows; row += ROWS) attend_rows<PAIRS, ROWS>(a, first, row, h);
		if (row < a->rows) attend_rows<PAIRS, 1>(a, first, row, h);
	}
}

// Pairs four at a time, for they share the tables of relative positions; what is left one by one, and so are long pairs, of
// which one alone fills the nearest caches and a good part of a small stack.
static void attend(const struct attention *a, size_t first, size_t count) {
	const bool few = a->length * a->size <= 8192;
	for (; few && count >= 4; first += 4, count -= 4) attend_pairs<4>(a, first);
	for (; count > 0; first++, count--) attend_pairs<1>(a, first);
}

INLINE void gelu_row(const struct product *product, size_t row, float *result) {
	const size_t columns = product->columns;
	const float scale = scale_of(product, row);
	for (size_t c = 0; c < columns; c += LANES)
		store_first(result + c, gelu_of(entry(product, row, scale, c, columns - c)), columns - c);
}

static void gelu(const struct gelu *g, size_t row) { gelu_row(&g->product, row, g->result + row * g->product.columns); }

static void norm(const struct norm *n, size_t row) {
	const size_t columns = n->product.columns;
	const float scale = scale_of(&n->product, row);
	float *result = n->result + row * columns;
	vector sum = splat(0), squares = splat(0);
	for (size_t c = 0; c < columns; c += LANES) {
		const vector value = entry(&n->product, row, scale, c, columns - c) + load_first(n->residual + row * columns + c, columns - c, 0);
		store_first(result + c, value, columns - c);
		sum += value;
	}
	const float mean = sum_of(sum) / columns;
	for (size_t c = 0; c < columns; c += LANES) {
		const vector distance = load_first(result + c, columns - c, mean) - mean;
		squares += distance * distance;
	}
	const float inverse = 1 / sqrtf(sum_of(squares) / columns + n->epsilon);
	for (size_t c = 0; c < columns; c += LANES) {
		const size_t left = columns - c;
		const vector value = (load_first(result + c, left, mean) - mean) * inverse;
		store_first(result + c, value * load_first(n->weight + c, left, 0) + load_first(n->shift + c, left, 0), left);
	}
}

INLINE void quantise_row(const struct quantisation *q, size_t row, const float *values) {
	const size_t columns = q->columns;
	vector high = splat(0), low = splat(0), unusual = splat(0);
	for (size_t c = 0; c < columns; c += LANES) {
		const vector value = load_first(values + c, columns - c, 0) * load_first(q->factor + c, columns - c, 0);
		high = larger(value, high);
		low = larger(-value, low);
		unusual += value * 0.0f; // NaN once a value is NaN or infinite
	}
	const float above = largest_of(high) / (255 - q->zero_point), below = largest_of(low) / q->zero_point;
	const float scale = fmaxf(fmaxf(above, below), 1e-12f), inverse = 1 / scale;
	for (size_t c = 0; c < columns; c += LANES) {
		const size_t left = columns - c;
		const vector value = load_first(values + c, left, 0) * load_first(q->factor + c, left, 0);
		vector code = nearest(value * inverse) + (float)q->zero_point;
		code = larger(code, splat(0));
		code = code < 255.0f ? code : splat(255);
		const bytes packed = __builtin_convertvector(__builtin_convertvector(code, integers), bytes);
		if (left >= LANES)
			memcpy(q->codes + row * columns + c, &packed, LANES);
		else
			for (size_t lane = 0; lane < left; lane++) q->codes[row * columns + c + lane] = packed[lane];
	}
	q->scale[row] = scale + sum_of(unusual); // a row that is not finite stays so, whatever its codes are
}

static void quantise(const struct quantisation *q, size_t row) { quantise_row(q, row, q->values + row * q->columns); }

static void quantise_gelu(const struct quantised_gelu *g, size_t row) {
	float result[g->product.columns]; // never leaves the nearest cache
	gelu_row(&g->product, row, result);
	quantise_row(&g->quantisation, row, result);
}

extern "C" const struct kernels KERNELS = {attend, gelu, norm, quantise, quantise_gelu};
