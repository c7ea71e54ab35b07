// Vectors as wide as the processor's registers, and what kernels make of them. Compiled once for each level of the processor.
#pragma once

#include <stddef.h>
#include <stdint.h>
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
