// Compiled with KERNELS set to the name of the table it defines, and with the instructions that this table may use.
//
// Every sum runs in an order that depends on nothing but a row's own length: a pair's result is the same to the last bit,
// whatever batch it is in.
#include "kernels.h"
#include "vectors.h"

#include <math.h>

namespace { // types of this level alone

// One head of PAIRS pairs, as attention's inner loops read it.
template <size_t PAIRS> struct head_of {
	size_t head, columns;  // columns: the length, padded
	float *query[PAIRS];   // rows x padded size
	float *keys[PAIRS];    // size x columns: transposed
	float *values[PAIRS];  // length x padded size
	float *penalty[PAIRS]; // columns
	float *weights;        // PAIRS * ROWS x columns
};

// What a row's numbers reach, once they are multiplied by its factors.
struct range {
	vector high = splat(0), low = splat(0), unusual = splat(0);
};

} // namespace

INLINE float scale_of(const struct product *product, size_t row) { return product->scale[product->scales ? row : 0]; }

INLINE vector entry(const struct product *product, size_t row, float scale, size_t column, size_t count) {
	vector value = load_first(product->values + row * product->columns + column, count, 0);
	return value * scale + load_first(product->bias + column, count, 0);
}

// The next head's part of a row: rows lie too far apart for the processor to see it coming.
INLINE void fetch_next(const struct product &product, size_t row, size_t column) {
	__builtin_prefetch(product.values + row * product.columns + column);
}

// The parts of attention are functions of their own, so that a sampling profiler tells them apart (bench/products.py).
#define PART __attribute__((noinline)) static

template <size_t PAIRS> PART void load_head(const attention *a, size_t first, const head_of<PAIRS> &h) {
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

// The scores of ROWS queries of each pair, from row on, and the largest lanes of each. What is loaded of the tables serves all
// pairs, and of keys and values all rows.
template <size_t PAIRS, size_t ROWS> PART void multiply_keys(const attention *a, size_t row, const head_of<PAIRS> &h, vector largest[PAIRS * ROWS]) {
	const size_t size = a->size, columns = h.columns, wide = padded(size);
	const float *keys = a->keys + h.head * size * a->width, *queries = a->queries + h.head * size * a->width;
	for (size_t k = 0; k < PAIRS * ROWS; k++) largest[k] = splat(-INFINITY);
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
}

// Turns scores into weights, and largest into one by each query's sum of them.
template <size_t PAIRS, size_t ROWS> PART void weigh(const head_of<PAIRS> &h, const vector largest[PAIRS * ROWS], float inverse[PAIRS * ROWS]) {
	for (size_t k = 0; k < PAIRS * ROWS; k++) {
		const vector top = splat(largest_of(largest[k]));
		vector total = splat(0);
		for (size_t j = 0; j < h.columns; j += LANES) {
			const vector distance = load(h.weights + k * h.columns + j) - top;
			const vector weight = exponential(distance) + distance * 0.0f; // NaN stays NaN
			store(h.weights + k * h.columns + j, weight);
			total += weight;
		}
		inverse[k] = 1 / sum_of(total);
	}
}

template <size_t PAIRS, size_t ROWS> PART void multiply_values(const attention *a, size_t first, size_t row, const head_of<PAIRS> &h, const float inverse[PAIRS * ROWS]) {
	const size_t size = a->size, columns = h.columns, wide = padded(size);
	for (size_t d = 0; d < size; d += LANES) {
		vector context[PAIRS * ROWS];
		for (size_t k = 0; k < PAIRS * ROWS; k++) context[k] = splat(0);
		for (size_t j = 0; j < a->length; j++)
			for (size_t p = 0; p < PAIRS; p++) {
				const vector value = load(h.values[p] + j * wide + d);
				for (size_t r = 0; r < ROWS; r++) context[r * PAIRS + p] += h.weights[(r * PAIRS + p) * columns + j] * value;
			}
		for (size_t k = 0; k < PAIRS * ROWS; k++) {
			const size_t to = (first - a->context_from + k % PAIRS) * a->rows + row + k / PAIRS;
			store_first(a->context + (to * a->heads + h.head) * size + d, context[k] * inverse[k], size - d);
		}
	}
}

template <size_t PAIRS, size_t ROWS>
INLINE void attend_rows(const attention *a, size_t first, size_t row, const head_of<PAIRS> &h) {
	vector largest[PAIRS * ROWS];
	float inverse[PAIRS * ROWS];
	multiply_keys<PAIRS, ROWS>(a, row, h, largest);
	weigh<PAIRS, ROWS>(h, largest, inverse);
	multiply_values<PAIRS, ROWS>(a, first, row, h, inverse);
}

template <size_t PAIRS> INLINE void attend_pairs(const attention *a, size_t first) {
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
static void attend(const attention *a, size_t first, size_t count) {
	const bool few = a->length * a->size <= 8192;
	for (; few && count >= 4; first += 4, count -= 4) attend_pairs<4>(a, first);
	for (; count > 0; first++, count--) attend_pairs<1>(a, first);
}

// x times the normal distribution's cumulative probability, which is 1/2 + erf(x / sqrt 2) / 2. The rational function is
// erf as Eigen and XLA compute it, exact to the last bits and near 1 from its bound on, with both factors folded into it.
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

// What a kernel is told is copied first: the compiler can't know that a result does not lie in it.
template <class Take> INLINE void gelu_row(const struct product product, size_t row, const Take &take) {
	const float scale = scale_of(&product, row);
	each_vector(product.columns, [&](size_t c, size_t count) { take(c, count, gelu_of(entry(&product, row, scale, c, count))); });
}

static void gelu(const struct gelu *g, size_t row) {
	float *result = g->result + row * g->product.columns;
	gelu_row(g->product, row, [&](size_t column, size_t count, vector value) { store_first(result + column, value, count); });
}

INLINE void reach(range &reached, vector moved) {
	reached.high = larger(moved, reached.high);
	reached.low = smaller(moved, reached.low);
	reached.unusual += moved * 0.0f; // NaN once a number is NaN or infinite
}

// The row's codes and scale. moved_at gives its numbers, multiplied by their factors.
template <class At> INLINE void encode(const struct quantisation q, size_t row, const range &reached, const At &moved_at) {
	const float above = largest_of(reached.high) / (255 - q.zero_point), below = -smallest_of(reached.low) / q.zero_point;
	const float least = 1e-12f, wider = above > below ? above : below, scale = wider > least ? wider : least;
	const float inverse = 1 / scale;
	uint8_t *codes = q.codes + row * q.columns;
	each_vector(q.columns, [&](size_t c, size_t count) {
		store_bytes(codes + c, whole(moved_at(c, count) * inverse) + q.zero_point, count); // the scale lets all fit
	});
	q.scale[row] = scale + sum_of(reached.unusual); // a row that is not finite stays so, whatever its codes are
}

static void quantise(const struct quantisation *given, size_t row) {
	const struct quantisation q = *given;
	const float *values = q.values + row * q.columns;
	const auto moved_at = [&](size_t c, size_t count) { return load_first(values + c, count, 0) * load_first(q.factor + c, count, 0); };
	range reached;
	each_vector(q.columns, [&](size_t c, size_t count) { reach(reached, moved_at(c, count)); });
	encode(q, row, reached, moved_at);
}

static void quantise_gelu(const struct quantised_gelu *g, size_t row) {
	const struct quantisation q = g->quantisation;
	float moved[q.columns]; // never leaves the nearest cache
	range reached;
	gelu_row(g->product, row, [&](size_t c, size_t count, vector value) {
		value *= load_first(q.factor + c, count, 0);
		reach(reached, value);
		store_first(moved + c, value, count);
	});
	encode(q, row, reached, [&](size_t c, size_t count) { return load_first(moved + c, count, 0); });
}

// take: what becomes of each vector of the result, which is in memory by then.
template <class Take> INLINE void norm_row(const struct norm n, size_t row, const Take &take) {
	const size_t columns = n.product.columns;
	const float scale = scale_of(&n.product, row), *residual = n.residual + row % n.residuals * columns;
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
		const vector distance = (load_first(result + c, count, mean) - mean) * inverse;
		const vector value = distance * load_first(n.weight + c, count, 0) + load_first(n.shift + c, count, 0);
		store_first(result + c, value, count);
		take(c, count, value);
	});
}

static void norm(const struct norm *n, size_t row) {
	norm_row(*n, row, [](size_t, size_t, vector) {});
}

static void quantise_norm(const struct quantised_norm *n, size_t row) {
	const struct quantisation q = n->quantisation;
	const float *result = n->norm.result + row * q.columns;
	range reached;
	norm_row(n->norm, row, [&](size_t c, size_t count, vector value) {
		reach(reached, value * load_first(q.factor + c, count, 0));
	});
	encode(q, row, reached, [&](size_t c, size_t count) { return load_first(result + c, count, 0) * load_first(q.factor + c, count, 0); });
}

extern "C" const struct kernels KERNELS = {attend, gelu, norm, quantise, quantise_gelu, quantise_norm};
