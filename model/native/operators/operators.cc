#include "operators.h"

#include <memory>
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

// The last input is the factors; the last two outputs are the codes, in the shape of what becomes 8 bits, and a scale a row.
OrtStatus *quantisation_of(OrtKernelContext *context, const node &given, const size_t *shape, size_t rank, quantisation *result) {
	size_t inputs, outputs;
	CHECK(api->KernelContext_GetInputCount(context, &inputs));
	CHECK(api->KernelContext_GetOutputCount(context, &outputs));
	tensor factor;
	CHECK(input(context, inputs - 1, &factor));
	const size_t columns = rank ? shape[rank - 1] : 0;
	REQUIRE(rank > 0 && factor.count == columns, "winnow: quantising %zu columns needs a factor for each, not %zu", columns, factor.count);
	REQUIRE(given.zero_point >= 1 && given.zero_point <= 254,
	        "winnow: a zero point must be 1 to 254, not %lld", static_cast<long long>(given.zero_point));
	*result = {nullptr, factor.floats(), columns, static_cast<uint8_t>(given.zero_point), nullptr, nullptr};
	CHECK(output(context, outputs - 2, shape, rank, reinterpret_cast<void **>(&result->codes)));
	size_t rows[8];
	for (size_t i = 0; i < rank; i++) rows[i] = shape[i];
	rows[rank - 1] = 1;
	return output(context, outputs - 1, rows, rank, reinterpret_cast<void **>(&result->scale));
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

constexpr size_t PIECE = 4; // pairs that share what is loaded of the tables

OrtStatus *attend_pairs(OrtKernelContext *context, size_t pairs, attention *a) {
	const size_t shape[] = {pairs, a->rows, a->heads * a->size};
	CHECK(output(context, 0, shape, 3, reinterpret_cast<void **>(&a->context)));
	return each_piece(context, pairs, PIECE, [&](size_t first, size_t count) { chosen.rows->attend(a, first, count); });
}

// The attention of every token, of what input 0 to 5 are.
OrtStatus *attention_of_all(const node &given, OrtKernelContext *context, attention *a, size_t *pairs) {
	tensor values;
	CHECK(product_of(context, 0, &values, &a->content));
	CHECK(attention_of(given, context, values, a));
	const size_t hidden = a->heads * a->size;
	REQUIRE(values.last() == 3 * hidden,
	        "winnow: attention needs query, key and value of every head, %zu columns, not %zu", 3 * hidden, values.last());
	a->query = a->content, a->keys_at = hidden, a->values_at = 2 * hidden, a->rows = a->length, a->context_from = 0;
	*pairs = values.dimensions[0];
	return nullptr;
}

// Whether part has whole's last dimensions, so that its rows serve whole's in turn; 1 before them is left out.
bool repeats(const tensor &part, const tensor &whole) {
	if (part.rank == 0 || part.rank > whole.rank) return false;
	size_t rank = part.rank;
	const size_t *dimensions = part.dimensions;
	for (; rank > 1 && *dimensions == 1; rank--) dimensions++;
	return !memcmp(dimensions, whole.dimensions + whole.rank - rank, rank * sizeof *dimensions);
}

OrtStatus *norm_of(const node &given, OrtKernelContext *context, tensor *values, struct norm *n) {
	tensor residual, weight, shift;
	CHECK(product_of(context, 0, values, &n->product));
	CHECK(input(context, 3, &residual));
	CHECK(input(context, 4, &weight));
	CHECK(input(context, 5, &shift));
	REQUIRE(repeats(residual, *values),
	        "winnow: a residual of %s does not fit a product of %s", shape_text(residual).text, shape_text(*values).text);
	REQUIRE(weight.count == values->last() && shift.count == values->last(),
	        "winnow: a norm of %zu columns needs a weight and a shift for each, not %zu and %zu", values->last(), weight.count, shift.count);
	n->residual = residual.floats(), n->weight = weight.floats(), n->shift = shift.floats(), n->epsilon = given.epsilon;
	n->residuals = residual.count / values->last();
	return output(context, 0, values->dimensions, values->rank, reinterpret_cast<void **>(&n->result));
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
	attention a;
	size_t pairs;
	CHECK(attention_of_all(given, context, &a, &pairs));
	return attend_pairs(context, pairs, &a);
}

OrtStatus *operators::quantise_attention(const node &given, OrtKernelContext *context) {
	attention a;
	size_t pairs;
	CHECK(attention_of_all(given, context, &a, &pairs));
	const size_t hidden = a.heads * a.size, shape[] = {pairs, a.rows, hidden};
	quantisation q;
	CHECK(quantisation_of(context, given, shape, 3, &q));
	return each_piece(context, pairs, PIECE, [&](size_t first, size_t count) {
		const size_t rows = count * a.rows, before = first * a.rows;
		const std::unique_ptr<float[]> values(new float[rows * hidden]);
		attention piece = a;
		piece.context = values.get(), piece.context_from = first;
		chosen.rows->attend(&piece, first, count);
		const quantisation its = {values.get(), q.factor, hidden, q.zero_point, q.codes + before * hidden, q.scale + before};
		for (size_t row = 0; row < rows; row++) chosen.rows->quantise(&its, row);
	});
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
	a.keys_at = 0, a.values_at = hidden, a.rows = 1, a.context_from = 0;
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
	tensor values;
	struct norm n;
	CHECK(norm_of(given, context, &values, &n));
	return each_row(context, values.count / values.last(), [&](size_t row) { chosen.rows->norm(&n, row); });
}

OrtStatus *operators::quantise_norm(const node &given, OrtKernelContext *context) {
	tensor values;
	quantised_norm n;
	CHECK(norm_of(given, context, &values, &n.norm));
	CHECK(quantisation_of(context, given, values.dimensions, values.rank, &n.quantisation));
	return each_row(context, values.count / values.last(), [&](size_t row) { chosen.rows->quantise_norm(&n, row); });
}

OrtStatus *operators::quantise(const node &given, OrtKernelContext *context) {
	tensor values;
	quantisation q;
	CHECK(input(context, 0, &values));
	CHECK(quantisation_of(context, given, values.dimensions, values.rank, &q));
	q.values = values.floats();
	return each_row(context, values.count / values.last(), [&](size_t row) { chosen.rows->quantise(&q, row); });
}

OrtStatus *operators::quantise_gelu(const node &given, OrtKernelContext *context) {
	tensor values;
	quantised_gelu g;
	CHECK(product_of(context, 0, &values, &g.product));
	REQUIRE(values.last() <= MOST_COLUMNS, "winnow: QuantisedGelu takes at most %d columns, not %zu", MOST_COLUMNS, values.last());
	CHECK(quantisation_of(context, given, values.dimensions, values.rank, &g.quantisation));
	return each_row(context, values.count / values.last(), [&](size_t row) { chosen.rows->quantise_gelu(&g, row); });
}
