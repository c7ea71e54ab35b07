// Compiled with KERNELS set to the name of the table it defines, and with the instructions that this table may use.
//
// Every sum runs in an order that depends on nothing but a row's own length: a pair's result is the same to the last bit,
// whatever batch it is in.
#include "kernels.h"

#include <math.h>
#include <string.h>

constexpr size_t LANES = 16, BLOCK = 4;

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

// The lanes of the other half, quarter, eighth and sixteenth.
#define LANES_APART(n) \
	integers { 0 ^ n, 1 ^ n, 2 ^ n, 3 ^ n, 4 ^ n, 5 ^ n, 6 ^ n, 7 ^ n, 8 ^ n, 9 ^ n, 10 ^ n, 11 ^ n, 12 ^ n, 13 ^ n, 14 ^ n, 15 ^ n }

INLINE float sum_of(vector value) {
	value += __builtin_shuffle(value, LANES_APART(8));
	value += __builtin_shuffle(value, LANES_APART(4));
	value += __builtin_shuffle(value, LANES_APART(2));
	value += __builtin_shuffle(value, LANES_APART(1));
	return value[0];
}

INLINE float largest_of(vector value) {
	value = larger(value, __builtin_shuffle(value, LANES_APART(8)));
	value = larger(value, __builtin_shuffle(value, LANES_APART(4)));
	value = larger(value, __builtin_shuffle(value, LANES_APART(2)));
	value = larger(value, __builtin_shuffle(value, LANES_APART(1)));
	return value[0];
}

// Exchanges the off-diagonal blocks of every square of 2 * APART rows and lanes; for 8, 4, 2 and 1 that transposes.
template <int APART> INLINE void exchange(vector rows[LANES]) {
	integers upper, lower;
	for (int lane = 0; lane < int(LANES); lane++) {
		upper[lane] = lane & APART ? int(LANES) + lane - APART : lane;
		lower[lane] = lane & APART ? int(LANES) + lane : lane + APART;
	}
#pragma GCC unroll 16
	for (size_t i = 0; i < LANES; i++) {
		if (i & APART) continue;
		const vector a = rows[i], b = rows[i + APART];
		rows[i] = __builtin_shuffle(a, b, upper);
		rows[i + APART] = __builtin_shuffle(a, b, lower);
	}
}

INLINE void transpose(vector rows[LANES]) {
	exchange<8>(rows);
	exchange<4>(rows);
	exchange<2>(rows);
	exchange<1>(rows);
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

// BLOCK or fewer queries of one head, from first on.
INLINE void attend_block(const struct attention *a, size_t pair, size_t head, size_t first, size_t count,
                         const float *transposed, const float *values, const float *penalty) {
	const size_t length = a->length, columns = padded(length), size = a->size, hidden = a->heads * size;
	const float *keys = a->keys + head * size * a->width, *queries = a->queries + head * size * a->width;
	float query[BLOCK][MOST_HEAD_SIZE], weights[BLOCK][MOST_TOKENS];
	for (size_t r = 0; r < count; r++) {
		const size_t row = pair * length + first + r;
		const float scale = scale_of(&a->product, row);
		for (size_t d = 0; d < size; d += LANES)
			store_first(query[r] + d, entry(&a->product, row, scale, head * size + d, size - d), size - d);
	}
	vector largest[BLOCK], total[BLOCK];
	for (size_t r = 0; r < count; r++) largest[r] = splat(-INFINITY), total[r] = splat(0);
	for (size_t j = 0; j < columns; j += LANES) {
		vector score[BLOCK];
		for (size_t r = 0; r < count; r++) score[r] = load(penalty + j);
		for (size_t d = 0; d < size; d++) {
			const vector key = load(transposed + d * columns + j);
			const size_t column = d * a->width + a->center - first + j;
			for (size_t r = 0; r < count; r++) {
				score[r] += query[r][d] * (key + load(keys + column - r));
				score[r] += key * load(queries + column - r);
			}
		}
		for (size_t r = 0; r < count; r++) {
			store(weights[r] + j, score[r]);
			largest[r] = larger(score[r], largest[r]);
		}
	}
	for (size_t r = 0; r < count; r++) {
		const vector top = splat(largest_of(largest[r]));
		for (size_t j = 0; j < columns; j += LANES) {
			const vector distance = load(weights[r] + j) - top;
			const vector weight = exponential(distance) + distance * 0.0f; // NaN stays NaN
			store(weights[r] + j, weight);
			total[r] += weight;
		}
	}
	float inverse[BLOCK];
	for (size_t r = 0; r < count; r++) inverse[r] = 1 / sum_of(total[r]);
	for (size_t d = 0; d < size; d += LANES) {
		vector context[BLOCK] = {};
		for (size_t j = 0; j < length; j++) {
			const vector value = load(values + j * padded(size) + d);
			for (size_t r = 0; r < count; r++) context[r] += weights[r][j] * value;
		}
		for (size_t r = 0; r < count; r++)
			store_first(a->context + (pair * a->rows + first + r) * hidden + head * size + d,
			            context[r] * inverse[r], size - d);
	}
}

static void attend(const struct attention *a, size_t pair) {
	const size_t length = a->length, columns = padded(length), size = a->size, hidden = a->heads * size;
	float penalty[columns], transposed[size * columns], values[length * padded(size)];
	for (size_t j = 0; j < columns; j++)
		penalty[j] = j < length && a->mask[pair * length + j] ? 0 : -1e9f;
	for (size_t head = 0; head < a->heads; head++) {
		for (size_t j = 0; j < length; j += LANES) {
			for (size_t d = 0; d < size; d += LANES) {
				vector block[LANES];
				for (size_t i = 0; i < LANES; i++) {
					block[i] = splat(0);
					if (j + i >= length) continue;
					const size_t row = pair * length + j + i;
					const float scale = scale_of(&a->product, row);
					block[i] = entry(&a->product, row, scale, hidden + head * size + d, size - d);
					store(values + (j + i) * padded(size) + d, entry(&a->product, row, scale, 2 * hidden + head * size + d, size - d));
				}
				transpose(block);
				for (size_t i = 0; i < LANES && d + i < size; i++) store(transposed + (d + i) * columns + j, block[i]);
			}
		}
		size_t first = 0;
		for (; first + BLOCK <= a->rows; first += BLOCK) attend_block(a, pair, head, first, BLOCK, transposed, values, penalty);
		for (; first < a->rows; first++) attend_block(a, pair, head, first, 1, transposed, values, penalty);
	}
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
