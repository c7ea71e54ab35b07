#include "operators.h"

#include <stdlib.h>

#include "amx.h"
#include "avx2.h"

using operators::node;

namespace {

// A product's weights, which are the same as long as the session lives.
template <class Number> OrtStatus *weights_of(const OrtKernelInfo *info, node *given, const Number **weights) {
	int constant;
	const OrtValue *value;
	CHECK(api->KernelInfoGetConstantInput_tensor(info, 1, &constant, &value));
	REQUIRE(constant, "winnow: a product's weights must be constant");
	OrtTensorTypeAndShapeInfo *shape;
	CHECK(api->GetTensorTypeAndShape(value, &shape));
	size_t rank;
	int64_t dimensions[2];
	OrtStatus *status = api->GetDimensionsCount(shape, &rank);
	if (!status && rank != 2) status = refusal("winnow: a product's weights must have 2 dimensions, not %zu", rank);
	if (!status) status = api->GetDimensions(shape, dimensions, 2);
	api->ReleaseTensorTypeAndShapeInfo(shape);
	if (status) return status;
	given->in = static_cast<size_t>(dimensions[0]), given->out = static_cast<size_t>(dimensions[1]);
	REQUIRE(given->in > 0 && given->out > 0, "winnow: a product's weights are empty: %zu x %zu", given->in, given->out);
	const void *data;
	CHECK(api->GetTensorData(value, &data));
	*weights = static_cast<const Number *>(data);
	return nullptr;
}

OrtStatus *reserve(node *given, size_t bytes) {
	given->laid_out = aligned_alloc(64, bytes);
	return given->laid_out ? nullptr : api->CreateStatus(ORT_FAIL, "winnow: no memory for a product's weights");
}

// Inputs 0: rows x in. Output 0: rows x out.
OrtStatus *operands(const node &given, OrtKernelContext *context, tensor *values, float **result) {
	CHECK(input(context, 0, values));
	REQUIRE(values->rank > 0 && values->last() == given.in,
	        "winnow: a product with weights of %zu rows needs as many values a row, not %zu", given.in, values->last());
	size_t shape[8];
	for (size_t i = 0; i < values->rank; i++) shape[i] = values->dimensions[i];
	shape[values->rank - 1] = given.out;
	return output(context, 0, shape, values->rank, reinterpret_cast<void **>(result));
}

} // namespace

OrtStatus *operators::lay_out_floats(const OrtKernelInfo *info, node *given) {
	const float *weights;
	CHECK(weights_of(info, given, &weights));
	CHECK(reserve(given, amx::bytes(given->in, given->out)));
	amx::lay_out(weights, given->in, given->out, given->laid_out);
	return nullptr;
}

OrtStatus *operators::multiply_floats(const node &given, OrtKernelContext *context) {
	tensor values;
	float *result;
	CHECK(operands(given, context, &values, &result));
	return each_piece(context, values.count / given.in, amx::ROWS, [&](size_t first, size_t rows) {
		amx::multiply(given.laid_out, given.in, given.out, values.floats() + first * given.in, rows, result + first * given.out);
	});
}

OrtStatus *operators::lay_out_codes(const OrtKernelInfo *info, node *given) {
	const int8_t *weights;
	CHECK(weights_of(info, given, &weights));
	REQUIRE(given->in >= avx2::LEAST_IN && given->in <= avx2::MOST_IN && given->in % 2 == 0,
	        "winnow: a product in 8 bits needs an even number of inputs from %zu to %zu, not %zu", avx2::LEAST_IN, avx2::MOST_IN, given->in);
	REQUIRE(given->zero_point >= 0 && given->zero_point <= 255,
	        "winnow: a zero point must be 0 to 255, not %lld", static_cast<long long>(given->zero_point));
	CHECK(reserve(given, avx2::bytes(given->in, given->out)));
	if (avx2::lay_out(weights, given->in, given->out, static_cast<uint8_t>(given->zero_point), given->laid_out)) return nullptr;
	free(given->laid_out);
	return refusal("winnow: codes of neighbouring weights sum to more than 128");
}

OrtStatus *operators::multiply_codes(const node &given, OrtKernelContext *context) {
	tensor values, scale;
	float *result;
	CHECK(operands(given, context, &values, &result));
	CHECK(input(context, 2, &scale));
	REQUIRE(scale.count == given.out,
	        "winnow: a product in 8 bits of %zu columns needs a scale for each, not %zu", given.out, scale.count);
	const uint8_t *codes = static_cast<const uint8_t *>(values.data);
	return each_piece(context, values.count / given.in, avx2::ROWS, [&](size_t first, size_t rows) {
		avx2::multiply(given.laid_out, given.in, given.out, codes + first * given.in, rows, scale.floats(), result + first * given.out);
	});
}
