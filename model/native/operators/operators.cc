#include "operators.h"

#include <string.h>
#include <unordered_map>
#include <vector>

using operators::node;

namespace {

// Three inputs from index on, which are 0 to 2 of most operators: values, scale and bias.
OrtStatus *product_of(OrtKernelContext *context, size_t index, tensor *values, product *result) {
	tensor scale, bias;
	CHECK(input(context, index, values));
	CHECK(input(context, index + 1, &scale));
	CHECK(input(context, index + 2, &bias));
	const size_t columns = values->last(), rows = columns ? values->count / columns : 0;
	REQUIRE(scale.count == 1 || (scale.count == rows && scale.last() == 1),
	        "winnow: a product of %zu rows needs one scale or one a row, not %zu", rows, scale.count);
	REQUIRE(bias.count == columns, "winnow: a product of %zu columns needs a bias for each, not %zu", columns, bias.count);
	*result = {values->floats(), scale.floats(), scale.count == 1 ? 0 : scale.count, bias.floats(), columns};
	return nullptr;
}

// Outputs 0 and 1: the codes in the shape of values, and a scale a row.
OrtStatus *quantisation_of(OrtKernelContext *context, const node &given, const tensor &values, size_t factor_input, quantisation *result) {
	tensor factor;
	CHECK(input(context, factor_input, &factor));
	REQUIRE(values.rank > 0 && factor.count == values.last(),
	        "winnow: quantising %zu columns needs a factor for each, not %zu", values.last(), factor.count);
	REQUIRE(given.zero_point >= 1 && given.zero_point <= 254,
	        "winnow: a zero point must be 1 to 254, not %lld", static_cast<long long>(given.zero_point));
	*result = {values.floats(), factor.floats(), values.last(), static_cast<uint8_t>(given.zero_point), nullptr, nullptr};
	CHECK(output(context, 0, values.dimensions, values.rank, reinterpret_cast<void **>(&result->codes)));
	size_t rows[8];
	for (size_t i = 0; i < values.rank; i++) rows[i] = values.dimensions[i];
	rows[values.rank - 1] = 1;
	return output(context, 1, rows, values.rank, reinterpret_cast<void **>(&result->scale));
}

// Inputs 3 to 5 are the mask and the tables of relative positions. values: inputs 0 to 2, which are a->content.
OrtStatus *attention_of(const node &given, OrtKernelContext *context, const tensor &values, attention *a) {
	tensor mask, keys, queries;
	CHECK(input(context, 3, &mask));
	CHECK(input(context, 4, &keys));
	CHECK(input(context, 5, &queries));
	REQUIRE(values.rank == 3 && keys.rank == 3 && queries.rank == 3,
	        "winnow: attention needs a product and two tables of 3 dimensions, not %zu, %zu and %zu", values.rank, keys.rank, queries.rank);
	a->heads = keys.dimensions[0], a->size = keys.dimensions[1], a->width = keys.dimensions[2];
	a->center = static_cast<size_t>(given.center), a->length = values.dimensions[1];
	REQUIRE(mask.count == values.dimensions[0] * a->length,
	        "winnow: attention over %zu pairs of %zu tokens needs a mask of each token, not %zu",
	        values.dimensions[0], a->length, mask.count);
	REQUIRE(!memcmp(keys.dimensions, queries.dimensions, 3 * sizeof *keys.dimensions),
	        "winnow: attention's tables differ in shape: keys %zu x %zu x %zu, queries %zu x %zu x %zu", keys.dimensions[0], keys.dimensions[1],
	        keys.dimensions[2], queries.dimensions[0], queries.dimensions[1], queries.dimensions[2]);
	REQUIRE(a->size <= MOST_HEAD_SIZE && a->length <= MOST_TOKENS,
	        "winnow: attention takes at most %d tokens and heads of %d, not %zu and %zu",
	        MOST_TOKENS, MOST_HEAD_SIZE, a->length, a->size);
	// Vectors are read from any column of a relative position, and are 16 wide at most.
	REQUIRE(given.center >= 0 && a->center <= a->width && a->length <= a->center && a->length + 16 <= a->width - a->center,
	        "winnow: tables of %zu relative positions, centered at %lld, are too short for %zu tokens", a->width, static_cast<long long>(given.center), a->length);
	a->mask = static_cast<const int64_t *>(mask.data), a->keys = keys.floats(), a->queries = queries.floats();
	return nullptr;
}

OrtStatus *attend_pairs(OrtKernelContext *context, size_t pairs, attention *a) {
	const size_t shape[] = {pairs, a->rows, a->heads * a->size};
	CHECK(output(context, 0, shape, 3, reinterpret_cast<void **>(&a->context)));
	constexpr size_t PIECE = 4; // pairs that share what is loaded of the tables
	return each(context, (pairs + PIECE - 1) / PIECE, [&](size_t piece) {
		const size_t first = piece * PIECE;
		chosen.rows->attend(a, first, pairs - first < PIECE ? pairs - first : PIECE);
	});
}

} // namespace

OrtStatus *operators::distinct(const node &, OrtKernelContext *context) {
	tensor ids;
	CHECK(input(context, 0, &ids));
	const int64_t *given = static_cast<const int64_t *>(ids.data);
	int64_t *rows;
	CHECK(output(context, 1, ids.dimensions, ids.rank, reinterpret_cast<void **>(&rows)));
	std::unordered_map<int64_t, int64_t> row_of(ids.count);
	std::vector<int64_t> found;
	for (size_t i = 0; i < ids.count; i++) {
		const auto [at, added] = row_of.try_emplace(given[i], static_cast<int64_t>(found.size()));
		if (added) found.push_back(given[i]);
		rows[i] = at->second;
	}
	const size_t count = found.size();
	int64_t *result;
	CHECK(output(context, 0, &count, 1, reinterpret_cast<void **>(&result)));
	memcpy(result, found.data(), count * sizeof *result);
	return nullptr;
}

OrtStatus *operators::attend(const node &given, OrtKernelContext *context) {
	tensor values;
	attention a;
	CHECK(product_of(context, 0, &values, &a.content));
	CHECK(attention_of(given, context, values, &a));
	const size_t hidden = a.heads * a.size;
	REQUIRE(values.last() == 3 * hidden,
	        "winnow: attention needs query, key and value of every head, %zu columns, not %zu", 3 * hidden, values.last());
	a.query = a.content, a.keys_at = hidden, a.values_at = 2 * hidden, a.rows = a.length;
	return attend_pairs(context, values.dimensions[0], &a);
}

OrtStatus *operators::attend_first(const node &given, OrtKernelContext *context) {
	tensor values, query;
	attention a;
	CHECK(product_of(context, 0, &values, &a.content));
	CHECK(attention_of(given, context, values, &a));
	CHECK(product_of(context, 6, &query, &a.query));
	const size_t hidden = a.heads * a.size;
	REQUIRE(values.last() == 2 * hidden,
	        "winnow: attention of the first token needs key and value of every head, %zu columns, not %zu", 2 * hidden, values.last());
	REQUIRE(query.last() == hidden && query.count == values.dimensions[0] * hidden,
	        "winnow: attention of the first token needs a query of %zu columns for each of %zu pairs, not %zu numbers in rows of %zu",
	        hidden, values.dimensions[0], query.count, query.last());
	a.keys_at = 0, a.values_at = hidden, a.rows = 1;
	return attend_pairs(context, values.dimensions[0], &a);
}

OrtStatus *operators::gelu(const node &, OrtKernelContext *context) {
	tensor values;
	struct gelu g;
	CHECK(product_of(context, 0, &values, &g.product));
	CHECK(output(context, 0, values.dimensions, values.rank, reinterpret_cast<void **>(&g.result)));
	return each_row(context, values.count / values.last(), [&](size_t row) { chosen.rows->gelu(&g, row); });
}

OrtStatus *operators::norm(const node &given, OrtKernelContext *context) {
	tensor values, residual, weight, shift;
	struct norm n;
	CHECK(product_of(context, 0, &values, &n.product));
	CHECK(input(context, 3, &residual));
	CHECK(input(context, 4, &weight));
	CHECK(input(context, 5, &shift));
	REQUIRE(residual.count == values.count,
	        "winnow: a residual of %zu numbers does not fit a product of %zu", residual.count, values.count);
	REQUIRE(weight.count == values.last() && shift.count == values.last(),
	        "winnow: a norm of %zu columns needs a weight and a shift for each, not %zu and %zu", values.last(), weight.count, shift.count);
	n.residual = residual.floats(), n.weight = weight.floats(), n.shift = shift.floats(), n.epsilon = given.epsilon;
	CHECK(output(context, 0, values.dimensions, values.rank, reinterpret_cast<void **>(&n.result)));
	return each_row(context, values.count / values.last(), [&](size_t row) { chosen.rows->norm(&n, row); });
}

OrtStatus *operators::quantise(const node &given, OrtKernelContext *context) {
	tensor values;
	quantisation q;
	CHECK(input(context, 0, &values));
	CHECK(quantisation_of(context, given, values, 1, &q));
	return each_row(context, values.count / values.last(), [&](size_t row) { chosen.rows->quantise(&q, row); });
}

OrtStatus *operators::quantise_gelu(const node &given, OrtKernelContext *context) {
	tensor values;
	quantised_gelu g;
	CHECK(product_of(context, 0, &values, &g.product));
	REQUIRE(values.last() <= MOST_COLUMNS, "winnow: QuantisedGelu takes at most %d columns, not %zu", MOST_COLUMNS, values.last());
	CHECK(quantisation_of(context, given, values, 3, &g.quantisation));
	return each_row(context, values.count / values.last(), [&](size_t row) { chosen.rows->quantise_gelu(&g, row); });
}
