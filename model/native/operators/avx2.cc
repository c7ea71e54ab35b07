#include "avx2.h"

#include <algorithm>
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>
#include <vector>

namespace {

constexpr size_t VECTORS = 2, COLUMNS = VECTORS * 8; // of a strip, which is multiplied with all rows before the next one is
constexpr size_t MOST = 3; // rows that are summed up at once, in 6 of 16 registers: with 9, gcc moves sums to memory and back
constexpr size_t GROUP = 4; // rows of the weights that lie together: four bytes of a value's row
constexpr size_t SUMS = COLUMNS * GROUP / 2;
constexpr int LIMIT = 128; // times 255 is what 16 bits hold

// A step multiplies with two groups, whose sums are added in 16 bits.
struct step {
	int8_t weights[2][COLUMNS][GROUP];
};

// A strip is this, then where the groups of each step begin in a row of values, then its steps.
struct strip {
	int32_t start[COLUMNS]; // what the zero point makes of the sums
	uint64_t steps;

	static size_t groups(size_t in) { return (in + GROUP - 1) / GROUP; }
	static size_t places_size(size_t in) { return (sizeof(strip) + groups(in) * 2 * sizeof(uint16_t) + 63) / 64 * 64; }
	static size_t size(size_t in) { return places_size(in) + groups(in) * sizeof(step); }
	uint16_t *places() { return reinterpret_cast<uint16_t *>(this + 1); }
	const uint16_t *places() const { return reinterpret_cast<const uint16_t *>(this + 1); }
	step *first(size_t in) { return reinterpret_cast<step *>(reinterpret_cast<char *>(this) + places_size(in)); }
	const step *first(size_t in) const { return const_cast<strip *>(this)->first(in); }
};

size_t strips(size_t out) { return (out + COLUMNS - 1) / COLUMNS; }

// Four rows of a strip's weights, and of each column and pair of rows the sums of positive and of negative codes.
struct group {
	uint16_t place; // in a row of values
	int8_t weights[COLUMNS][GROUP];
	int positive[SUMS], negative[SUMS], largest;

	bool goes_with(const group &other) const {
		for (size_t i = 0; i < SUMS; i++)
			if (positive[i] + other.positive[i] > LIMIT || negative[i] + other.negative[i] > LIMIT) return false;
		return true;
	}
};

// The last group ends with the last row; what it shares with the one before is 0 in it.
group group_of(const int8_t *weights, size_t in, size_t out, size_t column, size_t index) {
	group made = {};
	const size_t counted = index * GROUP;
	made.place = uint16_t(std::min(counted, in - GROUP));
	for (size_t c = 0; c < COLUMNS && column + c < out; c++)
		for (size_t r = 0; r < GROUP; r++) {
			if (made.place + r < counted) continue;
			const int8_t code = weights[(made.place + r) * out + column + c];
			const size_t sum = c * 2 + r / 2;
			made.weights[c][r] = code;
			(code > 0 ? made.positive : made.negative)[sum] += abs(code);
			made.largest = std::max({made.largest, made.positive[sum], made.negative[sum]});
		}
	return made;
}

// Groups that are hard to place choose first. One that finds no other makes a step with zeros.
bool lay_out_strip(const int8_t *weights, size_t in, size_t out, size_t column, uint8_t zero_point, strip *to) {
	std::vector<group> groups;
	for (size_t index = 0; index < strip::groups(in); index++) groups.push_back(group_of(weights, in, out, column, index));
	std::stable_sort(groups.begin(), groups.end(), [](const group &a, const group &b) { return a.largest > b.largest; });
	if (groups[0].largest > LIMIT) return false;
	std::vector<bool> placed(groups.size());
	*to = {};
	for (size_t i = 0; i < groups.size(); i++) {
		if (placed[i]) continue;
		size_t other = i + 1;
		while (other < groups.size() && (placed[other] || !groups[i].goes_with(groups[other]))) other++;
		const bool alone = other == groups.size();
		step &next = to->first(in)[to->steps] = {};
		for (size_t half = 0; half < 2; half++) {
			const size_t index = half == 0 || alone ? i : other;
			to->places()[to->steps * 2 + half] = groups[index].place; // zeros too read what they are multiplied with
			placed[index] = true;
			if (half == 1 && alone) continue;
			memcpy(next.weights[half], groups[index].weights, sizeof next.weights[half]);
			for (size_t c = 0; c < COLUMNS; c++)
				for (size_t r = 0; r < GROUP; r++) to->start[c] -= zero_point * groups[index].weights[c][r];
		}
		to->steps++;
	}
	return true;
}

#define INLINE static inline __attribute__((always_inline))

INLINE __m256i load(const void *from) { return _mm256_load_si256(static_cast<const __m256i *>(from)); }

// Four bytes of a value's row, for every column.
INLINE __m256i spread(const uint8_t *from) {
	int32_t four;
	memcpy(&four, from, sizeof four);
	return _mm256_set1_epi32(four);
}

// ROWS rows of values times a strip.
template <size_t ROWS> INLINE void multiply_rows(const strip *by, size_t in, const uint8_t *values, __m256i sums[ROWS][VECTORS]) {
	const __m256i ones = _mm256_set1_epi16(1);
	for (size_t r = 0; r < ROWS; r++)
		for (size_t v = 0; v < VECTORS; v++) sums[r][v] = load(by->start + v * 8);
	const uint16_t *places = by->places();
	const step *steps = by->first(in);
	for (size_t s = 0; s < by->steps; s++) {
		const uint8_t *first = values + places[2 * s], *second = values + places[2 * s + 1];
#pragma GCC unroll 3
		for (size_t r = 0; r < ROWS; r++) {
			const __m256i one = spread(first + r * in), other = spread(second + r * in);
			for (size_t v = 0; v < VECTORS; v++) {
				const __m256i a = _mm256_maddubs_epi16(one, load(steps[s].weights[0][v * 8]));
				const __m256i b = _mm256_maddubs_epi16(other, load(steps[s].weights[1][v * 8]));
				sums[r][v] = _mm256_add_epi32(sums[r][v], _mm256_madd_epi16(_mm256_add_epi16(a, b), ones));
			}
		}
	}
}

template <size_t ROWS>
void multiply_strip(const strip *by, size_t in, const uint8_t *values, const float *scale, size_t columns, float *result, size_t stride) {
	__m256i sums[ROWS][VECTORS];
	multiply_rows<ROWS>(by, in, values, sums);
	for (size_t r = 0; r < ROWS; r++, result += stride) {
		if (columns >= COLUMNS) {
			for (size_t v = 0; v < VECTORS; v++)
				_mm256_storeu_ps(result + v * 8, _mm256_cvtepi32_ps(sums[r][v]) * _mm256_loadu_ps(scale + v * 8));
			continue;
		}
		int32_t whole[COLUMNS];
		memcpy(whole, sums[r], sizeof whole);
		for (size_t c = 0; c < columns; c++) result[c] = float(whole[c]) * scale[c];
	}
}

} // namespace

size_t avx2::bytes(size_t in, size_t out) { return strips(out) * strip::size(in); }

bool avx2::lay_out(const int8_t *weights, size_t in, size_t out, uint8_t zero_point, void *to) {
	for (size_t s = 0; s < strips(out); s++) {
		strip *next = reinterpret_cast<strip *>(static_cast<char *>(to) + s * strip::size(in));
		if (!lay_out_strip(weights, in, out, s * COLUMNS, zero_point, next)) return false;
	}
	return true;
}

void avx2::multiply(const void *laid_out, size_t in, size_t out, const uint8_t *values, size_t rows, const float *scale, float *result) {
	for (size_t s = 0; s < strips(out); s++) {
		const strip *by = reinterpret_cast<const strip *>(static_cast<const char *>(laid_out) + s * strip::size(in));
		const size_t column = s * COLUMNS, columns = out - column;
		size_t row = 0;
		for (; row + MOST <= rows; row += MOST)
			multiply_strip<MOST>(by, in, values + row * in, scale + column, columns, result + row * out + column, out);
		for (; row < rows; row++)
			multiply_strip<1>(by, in, values + row * in, scale + column, columns, result + row * out + column, out);
	}
}
