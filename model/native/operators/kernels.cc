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

// Steps through a row by whole vectors and then by what is left, which alone pays for being short.
template <class Step> INLINE void each_vector(size_t columns, const Step &step) {
	size_t column = 0;
	for (; column + LANES <= columns; column += LANES) step(column, LANES);
	if (column < columns) step(column, columns - column);
}

INLINE vector larger(vector a, vector b) { return a > b ? a : b; }

INLINE vector smaller(vector a, vector b) { return a < b ? a : b; }

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

// Both pass over NaN.
template <size_t APART = LANES / 2> INLINE float largest_of(vector value) {
	value = larger(value, exchanged<APART>(value));
	if constexpr (APART > 1) return largest_of<APART / 2>(value);
	return value[0];
}

template <size_t APART = LANES / 2> INLINE float smallest_of(vector value) {
	value = smaller(value, exchanged<APART>(value));
	if constexpr (APART > 1) return smallest_of<APART / 2>(value);
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

// Adding 1.5 * 2^23 leaves the nearest whole number, ties to even, in the last bits: of values from -2^22 to 2^22.
INLINE integers whole(vector value) {
	const vector moved = value + 12582912.0f;
	integers bits;
	memcpy(&bits, &moved, sizeof bits);
	return bits - 0x4B400000;
}

// Of numbers from 0 to 255. Without AVX-512 a conversion would go number by number, where a shuffle of bytes does it as well.
INLINE void store_bytes(uint8_t *to, integers value, size_t count) {
#if defined(__AVX2__) && !defined(__AVX512F__)
	typedef uint8_t bytes __attribute__((vector_size(sizeof(integers))));
	bytes packed, from;
	memcpy(&packed, &value, sizeof packed);
	for (size_t byte = 0; byte < sizeof packed; byte++) from[byte] = uint8_t(byte * sizeof(int32_t)); // what is beyond the first is not stored
	packed = __builtin_shuffle(packed, from);
#else
	typedef uint8_t bytes __attribute__((vector_size(LANES)));
	const bytes packed = __builtin_convertvector(value, bytes);
#endif
	if (count >= LANES)
		memcpy(to, &packed, LANES);
	else
		for (size_t lane = 0; lane < count; lane++) to[lane] = packed[lane];
}

INLINE vector nearest(vector value) { return (value + 12582912.0f) - 12582912.0f; }

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

// x times the normal distribution's cumulative probability, which is 1/2 + erf(x / sqrt 2) / 2. The rational function is
// erf as Eigen and XLA compute it, exact to the last bits and 1 from its bound on, with both factors folded into it.
INLINE vector gelu_of(vector x) {
	const vector bound = splat(5.419983175f), z = smaller(larger(x, -bound), bound), square = z * z;
	vector p = square * 5.061352311e-06f + 0.0001506266054f;
	p = p * square + 0.00450388969f;
	p = p * square + 0.03274051518f;
	p = p * square + 0.3989422721f;
	vector q = square * -1.842437962e-09f + 7.358739522e-07f;
	q = q * square + 6.362265799e-05f;
	q = q * square + 0.001758808771f;
	q = q * square + 0.02774626295f;
	q = q * square + 0.2487346256f;
	q = q * square + 1.0f;
	return x * (z * p / q + 0.5f);
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

// The next head's part of a row: rows lie too far apart for the processor to see it coming.
INLINE void fetch_next(const struct product &product, size_t row, size_t column) {
	__builtin_prefetch(product.values + row * product.columns + column);
}

template <size_t PAIRS> INLINE void load_head(const struct attention *a, size_t first, const head_of<PAIRS> &h) {
	const size_t size = a->size;
	for (size_t p = 0; p < PAIRS; p++)
		for (size_t j = 0; j < a->length; j += LANES)
			for (size_t d = 0; d < size; d += LANES) {
				vector block[LANES];
				for (size_t i = 0; i < LANES; i++) {
					block[i] = splat(0);
					if (j + i >= a->length) continue;
					const size_t row = (first + p) * a->length + j + i, column = h.head * size + d, to = (j + i) * padded(size) + d;
					const float scale = scale_of(&a->content, row);
					fetch_next(a->content, row, a->keys_at + column + size);
					fetch_next(a->content, row, a->values_at + column + size);
					if (j + i < a->rows) {
						const size_t asking = (first + p) * a->rows + j + i;
						fetch_next(a->query, asking, column + size);
						store(h.query[p] + to, entry(&a->query, asking, scale_of(&a->query, asking), column, size - d));
					}
					block[i] = entry(&a->content, row, scale, a->keys_at + column, size - d);
					store(h.values[p] + to, entry(&a->content, row, scale, a->values_at + column, size - d));
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

// What a kernel is told is copied first: the compiler can't know that a result does not lie in it.
INLINE void gelu_row(const struct product product, size_t row, float *result) {
	const float scale = scale_of(&product, row);
	each_vector(product.columns, [&](size_t c, size_t count) {
		store_first(result + c, gelu_of(entry(&product, row, scale, c, count)), count);
	});
}

static void gelu(const struct gelu *g, size_t row) { gelu_row(g->product, row, g->result + row * g->product.columns); }

static void norm(const struct norm *given, size_t row) {
	const struct norm n = *given;
	const size_t columns = n.product.columns;
	const float scale = scale_of(&n.product, row), *residual = n.residual + row * columns;
	float *result = n.result + row * columns;
	vector sum = splat(0), squares = splat(0);
	each_vector(columns, [&](size_t c, size_t count) {
		const vector value = entry(&n.product, row, scale, c, count) + load_first(residual + c, count, 0);
		store_first(result + c, value, count);
		sum += value;
	});
	const float mean = sum_of(sum) / columns;
	each_vector(columns, [&](size_t c, size_t count) {
		const vector distance = load_first(result + c, count, mean) - mean;
		squares += distance * distance;
	});
	const float inverse = 1 / sqrtf(sum_of(squares) / columns + n.epsilon);
	each_vector(columns, [&](size_t c, size_t count) {
		const vector value = (load_first(result + c, count, mean) - mean) * inverse;
		store_first(result + c, value * load_first(n.weight + c, count, 0) + load_first(n.shift + c, count, 0), count);
	});
}

INLINE void quantise_row(const struct quantisation q, size_t row, const float *values) {
	vector high = splat(0), low = splat(0), unusual = splat(0);
	each_vector(q.columns, [&](size_t c, size_t count) {
		const vector value = load_first(values + c, count, 0) * load_first(q.factor + c, count, 0);
		high = larger(value, high);
		low = smaller(value, low);
		unusual += value * 0.0f; // NaN once a value is NaN or infinite
	});
	const float above = largest_of(high) / (255 - q.zero_point), below = -smallest_of(low) / q.zero_point;
	const float least = 1e-12f, larger = above > below ? above : below, scale = larger > least ? larger : least;
	const float inverse = 1 / scale;
	uint8_t *codes = q.codes + row * q.columns;
	each_vector(q.columns, [&](size_t c, size_t count) {
		const vector value = load_first(values + c, count, 0) * load_first(q.factor + c, count, 0);
		store_bytes(codes + c, whole(value * inverse) + q.zero_point, count); // the scale lets all fit
	});
	q.scale[row] = scale + sum_of(unusual); // a row that is not finite stays so, whatever its codes are
}

static void quantise(const struct quantisation *q, size_t row) { quantise_row(*q, row, q->values + row * q->columns); }

static void quantise_gelu(const struct quantised_gelu *g, size_t row) {
	float result[g->product.columns]; // never leaves the nearest cache
	gelu_row(g->product, row, result);
	quantise_row(g->quantisation, row, result);
}

extern "C" const struct kernels KERNELS = {attend, gelu, norm, quantise, quantise_gelu};
