// The operators of a folded graph for the CPU, registered with ONNX Runtime under the domain "winnow". A graph carries the
// meaning of each as a function of standard operators, which any other runtime and provider uses instead.
#include <onnxruntime_c_api.h>

#include <stdlib.h>
#include <string.h>

#include "amx.h"
#include "kernels.h"

namespace {

const OrtApi *api;
const kernels *best;

// What can go wrong in a call ends it with its status.
#define CHECK(call) \
	do { \
		if (OrtStatus *status = (call)) return status; \
	} while (0)

#define REQUIRE(condition, message) \
	do { \
		if (!(condition)) return api->CreateStatus(ORT_INVALID_ARGUMENT, message); \
	} while (0)

struct tensor {
	const void *data;
	size_t rank, count, dimensions[8];

	size_t last() const { return rank ? dimensions[rank - 1] : 1; }
	const float *floats() const { return static_cast<const float *>(data); }
};

OrtStatus *input(OrtKernelContext *context, size_t index, tensor *result) {
	const OrtValue *value;
	CHECK(api->KernelContext_GetInput(context, index, &value));
	OrtTensorTypeAndShapeInfo *info;
	CHECK(api->GetTensorTypeAndShape(value, &info));
	OrtStatus *status = api->GetDimensionsCount(info, &result->rank);
	int64_t dimensions[8];
	if (!status && result->rank > 8) status = api->CreateStatus(ORT_INVALID_ARGUMENT, "winnow: more than 8 dimensions");
	if (!status) status = api->GetDimensions(info, dimensions, result->rank);
	if (!status) status = api->GetTensorShapeElementCount(info, &result->count);
	api->ReleaseTensorTypeAndShapeInfo(info);
	if (status) return status;
	for (size_t i = 0; i < result->rank; i++) result->dimensions[i] = static_cast<size_t>(dimensions[i]);
	REQUIRE(result->count > 0, "winnow: an input is empty");
	return api->GetTensorData(value, &result->data);
}

OrtStatus *output(OrtKernelContext *context, size_t index, const size_t *dimensions, size_t rank, void **data) {
	int64_t shape[8];
	for (size_t i = 0; i < rank; i++) shape[i] = static_cast<int64_t>(dimensions[i]);
	OrtValue *value;
	CHECK(api->KernelContext_GetOutput(context, index, shape, rank, &value));
	return api->GetTensorMutableData(value, data);
}

// Inputs 0 to 2 of most operators: values, scale and bias.
OrtStatus *product_of(OrtKernelContext *context, tensor *values, product *result) {
	tensor scale, bias;
	CHECK(input(context, 0, values));
	CHECK(input(context, 1, &scale));
	CHECK(input(context, 2, &bias));
	const size_t columns = values->last(), rows = columns ? values->count / columns : 0;
	REQUIRE(scale.count == 1 || scale.count == rows, "winnow: a product needs one scale, or one a row");
	REQUIRE(bias.count == columns, "winnow: a product needs a bias a column");
	*result = {values->floats(), scale.floats(), scale.count == 1 ? 0 : scale.count, bias.floats(), columns};
	return nullptr;
}

template <class Task> OrtStatus *each(OrtKernelContext *context, size_t count, const Task &task) {
	return api->KernelContext_ParallelFor(
	    context, [](void *data, size_t index) { (*static_cast<const Task *>(data))(index); }, count, 0,
	    const_cast<Task *>(&task));
}

// Rows in one piece of work: enough that handing it to a thread costs little beside it.
constexpr size_t ROWS = 16;

template <class Task> OrtStatus *each_row(OrtKernelContext *context, size_t rows, const Task &task) {
	return each(context, (rows + ROWS - 1) / ROWS, [&](size_t piece) {
		for (size_t row = piece * ROWS; row < rows && row < (piece + 1) * ROWS; row++) task(row);
	});
}

struct attributes {
	int64_t center = 0, zero_point = 0;
	float epsilon = 0;
	size_t in = 0, out = 0; // of a product, and its weights
	void *laid_out = nullptr;
};

template <bool first_alone> OrtStatus *attend(const attributes &given, OrtKernelContext *context) {
	tensor values, mask, keys, queries;
	attention a;
	CHECK(product_of(context, &values, &a.product));
	CHECK(input(context, 3, &mask));
	CHECK(input(context, 4, &keys));
	CHECK(input(context, 5, &queries));
	REQUIRE(values.rank == 3 && keys.rank == 3 && queries.rank == 3, "winnow: attention needs a product and two tables of three dimensions");
	const size_t pairs = values.dimensions[0];
	a.heads = keys.dimensions[0], a.size = keys.dimensions[1], a.width = keys.dimensions[2];
	a.center = static_cast<size_t>(given.center), a.length = values.dimensions[1], a.rows = first_alone ? 1 : a.length;
	REQUIRE(mask.count == pairs * a.length && queries.count == keys.count, "winnow: attention's mask or tables do not fit");
	REQUIRE(a.size <= MOST_HEAD_SIZE && a.length <= MOST_TOKENS, "winnow: attention takes at most 512 tokens and heads of 128");
	REQUIRE(values.last() == 3 * a.heads * a.size, "winnow: attention needs query, key and value of every head");
	// Vectors are read from any column of a relative position, and are 16 wide at most.
	REQUIRE(given.center >= 0 && a.center <= a.width && a.length <= a.center && a.length + 16 <= a.width - a.center,
	        "winnow: the tables of relative positions are too short for this batch");
	a.mask = static_cast<const int64_t *>(mask.data), a.keys = keys.floats(), a.queries = queries.floats();
	const size_t shape[] = {pairs, a.rows, a.heads * a.size};
	CHECK(output(context, 0, shape, 3, reinterpret_cast<void **>(&a.context)));
	constexpr size_t PIECE = 4; // pairs that share what is loaded of the tables
	return each(context, (pairs + PIECE - 1) / PIECE, [&](size_t piece) {
		const size_t first = piece * PIECE;
		best->attend(&a, first, pairs - first < PIECE ? pairs - first : PIECE);
	});
}

OrtStatus *gelu(const attributes &, OrtKernelContext *context) {
	tensor values;
	struct gelu g;
	CHECK(product_of(context, &values, &g.product));
	CHECK(output(context, 0, values.dimensions, values.rank, reinterpret_cast<void **>(&g.result)));
	return each_row(context, values.count / values.last(), [&](size_t row) { best->gelu(&g, row); });
}

OrtStatus *norm(const attributes &given, OrtKernelContext *context) {
	tensor values, residual, weight, shift;
	struct norm n;
	CHECK(product_of(context, &values, &n.product));
	CHECK(input(context, 3, &residual));
	CHECK(input(context, 4, &weight));
	CHECK(input(context, 5, &shift));
	REQUIRE(residual.count == values.count, "winnow: the residual must have the product's shape");
	REQUIRE(weight.count == values.last() && shift.count == values.last(), "winnow: a norm needs a weight and a shift a column");
	n.residual = residual.floats(), n.weight = weight.floats(), n.shift = shift.floats(), n.epsilon = given.epsilon;
	CHECK(output(context, 0, values.dimensions, values.rank, reinterpret_cast<void **>(&n.result)));
	return each_row(context, values.count / values.last(), [&](size_t row) { best->norm(&n, row); });
}

// Outputs 0 and 1: the codes in the shape of values, and a scale a row.
OrtStatus *quantisation_of(OrtKernelContext *context, const attributes &given, const tensor &values, size_t factor_input, quantisation *result) {
	tensor factor;
	CHECK(input(context, factor_input, &factor));
	REQUIRE(values.rank > 0 && factor.count == values.last(), "winnow: quantising needs a factor a column");
	REQUIRE(given.zero_point >= 1 && given.zero_point <= 254, "winnow: a zero point must be 1 to 254");
	*result = {values.floats(), factor.floats(), values.last(), static_cast<uint8_t>(given.zero_point), nullptr, nullptr};
	CHECK(output(context, 0, values.dimensions, values.rank, reinterpret_cast<void **>(&result->codes)));
	size_t rows[8];
	for (size_t i = 0; i < values.rank; i++) rows[i] = values.dimensions[i];
	rows[values.rank - 1] = 1;
	return output(context, 1, rows, values.rank, reinterpret_cast<void **>(&result->scale));
}

OrtStatus *quantise(const attributes &given, OrtKernelContext *context) {
	tensor values;
	quantisation q;
	CHECK(input(context, 0, &values));
	CHECK(quantisation_of(context, given, values, 1, &q));
	return each_row(context, values.count / values.last(), [&](size_t row) { best->quantise(&q, row); });
}

OrtStatus *quantise_gelu(const attributes &given, OrtKernelContext *context) {
	tensor values;
	quantised_gelu g;
	CHECK(product_of(context, &values, &g.product));
	REQUIRE(values.last() <= MOST_COLUMNS, "winnow: QuantisedGelu takes at most 16384 columns");
	CHECK(quantisation_of(context, given, values, 3, &g.quantisation));
	return each_row(context, values.count / values.last(), [&](size_t row) { best->quantise_gelu(&g, row); });
}

// Lays a product's weights out, which are the same as long as the session lives.
OrtStatus *lay_out(const OrtKernelInfo *info, attributes *given) {
	int constant;
	const OrtValue *weights;
	CHECK(api->KernelInfoGetConstantInput_tensor(info, 1, &constant, &weights));
	REQUIRE(constant, "winnow: a product's weights must be constant");
	OrtTensorTypeAndShapeInfo *shape;
	CHECK(api->GetTensorTypeAndShape(weights, &shape));
	size_t rank;
	int64_t dimensions[2];
	OrtStatus *status = api->GetDimensionsCount(shape, &rank);
	if (!status && rank != 2) status = api->CreateStatus(ORT_INVALID_ARGUMENT, "winnow: a product's weights must have two dimensions");
	if (!status) status = api->GetDimensions(shape, dimensions, 2);
	api->ReleaseTensorTypeAndShapeInfo(shape);
	if (status) return status;
	const void *values;
	CHECK(api->GetTensorData(weights, &values));
	given->in = static_cast<size_t>(dimensions[0]), given->out = static_cast<size_t>(dimensions[1]);
	REQUIRE(given->in > 0 && given->out > 0, "winnow: a product's weights are empty");
	given->laid_out = aligned_alloc(64, amx::bytes(given->in, given->out));
	if (!given->laid_out) return api->CreateStatus(ORT_FAIL, "winnow: no memory for a product's weights");
	amx::lay_out(static_cast<const float *>(values), given->in, given->out, given->laid_out);
	return nullptr;
}

OrtStatus *multiply(const attributes &given, OrtKernelContext *context) {
	tensor values;
	CHECK(input(context, 0, &values));
	REQUIRE(values.rank > 0 && values.last() == given.in, "winnow: a product's values and weights do not fit");
	const size_t rows = values.count / given.in;
	size_t shape[8];
	for (size_t i = 0; i < values.rank; i++) shape[i] = values.dimensions[i];
	shape[values.rank - 1] = given.out;
	float *result;
	CHECK(output(context, 0, shape, values.rank, reinterpret_cast<void **>(&result)));
	return each(context, (rows + amx::ROWS - 1) / amx::ROWS, [&](size_t piece) {
		const size_t first = piece * amx::ROWS, count = rows - first < amx::ROWS ? rows - first : amx::ROWS;
		amx::multiply(given.laid_out, given.in, given.out, values.floats() + first * given.in, count, result + first * given.out);
	});
}

typedef OrtStatus *compute(const attributes &, OrtKernelContext *);

constexpr ONNXTensorElementDataType FLOAT = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, INT64 = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64,
                                    UINT8 = ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;

struct definition : OrtCustomOp {
	const char *name;
	compute *run;
	size_t inputs, outputs;
	ONNXTensorElementDataType input_types[6], output_types[2];
	const char *integer, *real; // the attributes' names; null: none

	definition(const char *name, compute *run, size_t inputs, size_t outputs, ONNXTensorElementDataType fourth,
	           ONNXTensorElementDataType result, const char *integer, const char *real)
	    : OrtCustomOp{}, name(name), run(run), inputs(inputs), outputs(outputs),
	      input_types{FLOAT, FLOAT, FLOAT, fourth, FLOAT, FLOAT}, output_types{result, FLOAT}, integer(integer), real(real) {
		version = ORT_API_VERSION;
		GetName = [](const OrtCustomOp *op) { return of(op)->name; };
		GetExecutionProviderType = [](const OrtCustomOp *) -> const char * { return nullptr; };
		GetInputTypeCount = [](const OrtCustomOp *op) { return of(op)->inputs; };
		GetInputType = [](const OrtCustomOp *op, size_t index) { return of(op)->input_types[index]; };
		GetOutputTypeCount = [](const OrtCustomOp *op) { return of(op)->outputs; };
		GetOutputType = [](const OrtCustomOp *op, size_t index) { return of(op)->output_types[index]; };
		GetInputCharacteristic = [](const OrtCustomOp *, size_t) { return INPUT_OUTPUT_REQUIRED; };
		GetOutputCharacteristic = [](const OrtCustomOp *, size_t) { return INPUT_OUTPUT_REQUIRED; };
		GetInputMemoryType = [](const OrtCustomOp *, size_t) { return OrtMemTypeDefault; };
		GetStartVersion = [](const OrtCustomOp *) { return 1; };
		GetEndVersion = [](const OrtCustomOp *) { return 1; };
		CreateKernelV2 = [](const OrtCustomOp *op, const OrtApi *, const OrtKernelInfo *info, void **made) -> OrtStatus * {
			attributes given;
			if (of(op)->integer) {
				int64_t value;
				CHECK(api->KernelInfoGetAttribute_int64(info, of(op)->integer, &value));
				given.center = given.zero_point = value;
			}
			if (of(op)->real) CHECK(api->KernelInfoGetAttribute_float(info, of(op)->real, &given.epsilon));
			if (of(op)->run == multiply) CHECK(lay_out(info, &given));
			*made = new kernel{of(op)->run, given};
			return nullptr;
		};
		KernelComputeV2 = [](void *made, OrtKernelContext *context) {
			const kernel *k = static_cast<kernel *>(made);
			return k->run(k->given, context);
		};
		KernelDestroy = [](void *made) {
			free(static_cast<kernel *>(made)->given.laid_out);
			delete static_cast<kernel *>(made);
		};
	}

	struct kernel {
		compute *run;
		attributes given;
	};

	static const definition *of(const OrtCustomOp *op) { return static_cast<const definition *>(op); }
};

const definition definitions[] = {
    {"Attention", attend<false>, 6, 1, INT64, FLOAT, "center", nullptr},
    {"AttentionOfFirst", attend<true>, 6, 1, INT64, FLOAT, "center", nullptr},
    {"Gelu", gelu, 3, 1, FLOAT, FLOAT, nullptr, nullptr},
    {"AddNorm", norm, 6, 1, FLOAT, FLOAT, nullptr, "epsilon"},
    {"QuantisedGelu", quantise_gelu, 4, 2, FLOAT, UINT8, "zero_point", nullptr},
    {"QuantiseRows", quantise, 2, 2, FLOAT, UINT8, "zero_point", nullptr},
};

const definition tiled_product = {"Product", multiply, 2, 1, FLOAT, FLOAT, nullptr, nullptr};

// Sets the best kernels that this processor can run, and says whether it has AMX; the environment can ask for less, so that
// tests reach every level.
bool choose() {
	best = &kernels_base;
#ifdef __x86_64__
	const char *given = getenv("WINNOW_OPERATORS_LEVEL"), *most = given ? given : "";
	if (!strcmp(most, "base") || !__builtin_cpu_supports("x86-64-v3")) return false;
	best = &kernels_avx2;
	if (!strcmp(most, "avx2") || !__builtin_cpu_supports("x86-64-v4")) return false;
	best = &kernels_avx512;
	return strcmp(most, "avx512") && amx::present();
#else
	return false;
#endif
}

} // namespace

// What ONNX Runtime looks for in a library of operators.
extern "C" __attribute__((visibility("default"))) OrtStatus *RegisterCustomOps(OrtSessionOptions *options, const OrtApiBase *base) {
	const OrtApi *offered = base->GetApi(ORT_API_VERSION);
	if (!offered) return base->GetApi(1)->CreateStatus(ORT_FAIL, "winnow: ONNX Runtime is older than the one that these operators were built for");
	api = offered;
	const bool tiles = choose();
	OrtCustomOpDomain *domain;
	CHECK(api->CreateCustomOpDomain("winnow", &domain));
	for (const definition &each : definitions) CHECK(api->CustomOpDomain_Add(domain, &each));
	if (tiles) CHECK(api->CustomOpDomain_Add(domain, &tiled_product)); // elsewhere ONNX Runtime's own product is as good
	return api->AddCustomOpDomain(options, domain); // some bytes a session that nobody frees: sessions refer to it while they live
}
