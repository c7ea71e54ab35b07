#include "amx.h"

#include <cpuid.h>
#include <immintrin.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

constexpr size_t SIDE = 16, DEEP = 32;     // a tile: 16 rows of 32 bf16, or of 16 sums in fp32
constexpr size_t TILE = SIDE * DEEP;       // bf16 in one
constexpr size_t BLOCK = 2 * SIDE;         // rows and columns that are summed up at once: 2 x 2 tiles
constexpr size_t STEP = 2 * 2 * TILE;      // bf16 of a block's step of 32: both parts of both tiles
constexpr size_t DEPTH = 384;              // of one pass over the columns

typedef unsigned short bf16;

size_t blocks(size_t count) { return (count + BLOCK - 1) / BLOCK; }

size_t steps(size_t depth) { return (depth + DEEP - 1) / DEEP; }

// The first part is the value rounded to the 8 bits of a bf16, the second what that left, rounded again.
inline void split(__m512 first, __m512 second, bf16 *to) {
	const __m512i high = (__m512i)_mm512_cvtne2ps_pbh(second, first);
	const __m512i of_first = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(high));
	const __m512i of_second = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(high, 1));
	first -= (__m512)_mm512_slli_epi32(of_first, 16);
	second -= (__m512)_mm512_slli_epi32(of_second, 16);
	_mm512_storeu_si512(to, high);
	_mm512_storeu_si512(to + 2 * TILE, (__m512i)_mm512_cvtne2ps_pbh(second, first));
}

// Blocks of 32 rows, each step by step; what is beyond the rows or the depth is 0.
void split_rows(const float *values, size_t in, size_t depth, size_t rows, bf16 *to) {
	for (size_t row = 0; row < blocks(rows) * BLOCK; row++)
		for (size_t i = 0; i < depth; i += DEEP) {
			bf16 *step = to + (row / BLOCK * steps(depth) + i / DEEP) * STEP + row % BLOCK * DEEP;
			const float *from = values + row * in + i;
			const __mmask32 present = row >= rows ? 0 : depth - i >= DEEP ? ~0u : (1u << (depth - i)) - 1;
			split(_mm512_maskz_loadu_ps(__mmask16(present), from), _mm512_maskz_loadu_ps(__mmask16(present >> 16), from + 16), step);
		}
}

struct tiles {
	unsigned char palette = 1, start = 0, reserved[14] = {};
	unsigned short bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
	unsigned char rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

template <int PART> inline void load_values(const bf16 *step) {
	_tile_loadd(4, step + PART * 2 * TILE, 64);
	_tile_loadd(5, step + PART * 2 * TILE + TILE, 64);
}

template <int PART> inline void load_weights(const bf16 *step) {
	_tile_loadd(6, step + PART * 2 * TILE, 64);
	_tile_loadd(7, step + PART * 2 * TILE + TILE, 64);
}

inline void add() {
	_tile_dpbf16ps(0, 4, 6);
	_tile_dpbf16ps(1, 4, 7);
	_tile_dpbf16ps(2, 5, 6);
	_tile_dpbf16ps(3, 5, 7);
}

// Adds the product of a block of rows and a block of columns to 32 x 32 of the result, which are 0 at first. The product of
// both second parts is left out: it is smaller than what they have been rounded by.
void add_block(const bf16 *values, const bf16 *weights, size_t count, bool first, float *result, size_t stride) {
	const size_t line = stride * sizeof(float);
	asm volatile("" ::: "memory"); // gcc 12 does not say that tiles are loaded from memory: what was stored must be there
	if (first) {
		_tile_zero(0);
		_tile_zero(1);
		_tile_zero(2);
		_tile_zero(3);
	} else {
		_tile_loadd(0, result, line);
		_tile_loadd(1, result + SIDE, line);
		_tile_loadd(2, result + SIDE * stride, line);
		_tile_loadd(3, result + SIDE * stride + SIDE, line);
	}
	for (size_t step = 0; step < count; step++, values += STEP, weights += STEP) {
		load_weights<0>(weights);
		load_values<1>(values);
		add();
		load_values<0>(values);
		add();
		load_weights<1>(weights);
		add();
	}
	_tile_stored(0, result, line);
	_tile_stored(1, result + SIDE, line);
	_tile_stored(2, result + SIDE * stride, line);
	_tile_stored(3, result + SIDE * stride + SIDE, line);
}

// A block at the result's edge is summed up beside it.
void add_some(const bf16 *values, const bf16 *weights, size_t count, bool first, float *result, size_t stride, size_t rows, size_t columns) {
	if (rows >= BLOCK && columns >= BLOCK) return add_block(values, weights, count, first, result, stride);
	if (rows > BLOCK) rows = BLOCK;
	if (columns > BLOCK) columns = BLOCK;
	float whole[BLOCK * BLOCK] = {};
	for (size_t row = 0; row < rows && !first; row++) memcpy(whole + row * BLOCK, result + row * stride, columns * sizeof(float));
	add_block(values, weights, count, first, whole, BLOCK);
	for (size_t row = 0; row < rows; row++) memcpy(result + row * stride, whole + row * BLOCK, columns * sizeof(float));
}

} // namespace

bool amx::present() {
	unsigned leaf[4];
	if (!__get_cpuid_count(7, 0, leaf, leaf + 1, leaf + 2, leaf + 3)) return false;
	const bool tiles = leaf[3] >> 24 & 1, products = leaf[3] >> 22 & 1; // AMX-TILE and AMX-BF16
	if (!__get_cpuid_count(7, 1, leaf, leaf + 1, leaf + 2, leaf + 3)) return false;
	const bool conversion = leaf[0] >> 5 & 1; // AVX512-BF16
	constexpr long REQUEST = 0x1023, TILE_DATA = 18; // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
	return tiles && products && conversion && syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
}

size_t amx::bytes(size_t in, size_t out) { return blocks(out) * steps(in) * STEP * sizeof(bf16); }

// Blocks of 32 columns, each step by step; in a tile of weights, two rows lie one in the other.
void amx::lay_out(const float *weights, size_t in, size_t out, void *to) {
	bf16 *next = static_cast<bf16 *>(to);
	for (size_t column = 0; column < blocks(out) * BLOCK; column += BLOCK)
		for (size_t start = 0; start < in; start += DEEP, next += STEP)
			for (size_t pair = 0; pair < SIDE * 2; pair++) { // of rows, in one of the two tiles
				const size_t tile = pair / SIDE, row = start + pair % SIDE * 2;
				float some[DEEP] = {};
				for (size_t c = 0; c < SIDE; c++)
					for (size_t r = 0; r < 2; r++) {
						const size_t from = column + tile * SIDE + c;
						if (from < out && row + r < in) some[2 * c + r] = weights[(row + r) * out + from];
					}
				split(_mm512_loadu_ps(some), _mm512_loadu_ps(some + 16), next + tile * TILE + pair % SIDE * DEEP);
			}
}

void amx::multiply(const void *laid_out, size_t in, size_t out, const float *values, size_t rows, float *result) {
	alignas(64) bf16 parts[ROWS / BLOCK * (DEPTH / DEEP) * STEP]; // 0.4 MB
	static constexpr tiles configuration; // constant: gcc 12 is told of its first 8 bytes alone, and might drop stores to the rest
	_tile_loadconfig(&configuration);
	for (size_t start = 0; start < in; start += DEPTH) {
		const size_t depth = in - start < DEPTH ? in - start : DEPTH, count = steps(depth);
		split_rows(values + start, in, depth, rows, parts);
		for (size_t column = 0; column < out; column += BLOCK) {
			const bf16 *weights = static_cast<const bf16 *>(laid_out) + (column / BLOCK * steps(in) + start / DEEP) * STEP;
			for (size_t row = 0; row < rows; row += BLOCK)
				add_some(parts + row / BLOCK * count * STEP, weights, count, start == 0, result + row * out + column, out, rows - row, out - column);
		}
	}
	_tile_release();
}
