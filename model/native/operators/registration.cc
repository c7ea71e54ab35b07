// The operators of a folded graph for the CPU, registered with ONNX Runtime under the domain "winnow". A graph carries the
// meaning of each as a function of standard operators, which any other runtime and provider uses instead.
#include <initializer_list>
#include <stdlib.h>
#include <string.h>

#include "amx.h"
#include "operators.h"

const OrtApi *api;
processor chosen;

namespace {

constexpr ONNXTensorElementDataType FLOAT = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, INT64 = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64,
                                    UINT8 = ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, INT8 = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8;

struct types {
	ONNXTensorElementDataType of[9];
	size_t count;

	types(std::initializer_list<ONNXTensorElementDataType> given) : of{}, count(0) {
		for (ONNXTensorElementDataType type : given) of[count++] = type;
	}
};

enum attribute { CENTER = 1, ZERO_POINT = 2, EPSILON = 4 };

struct definition : OrtCustomOp {
	const char *name;
	operators::compute *run;
	types inputs, outputs;
	int attributes; // which of the above it has, joined by |
	operators::prepare *prepare;

	definition(const char *name, operators::compute *run, types inputs, types outputs, int attributes = 0, operators::prepare *prepare = nullptr)
	    : OrtCustomOp{}, name(name), run(run), inputs(inputs), outputs(outputs), attributes(attributes), prepare(prepare) {
		version = ORT_API_VERSION;
		GetName = [](const OrtCustomOp *op) { return of(op)->name; };
		GetExecutionProviderType = [](const OrtCustomOp *) -> const char * { return nullptr; };
		GetInputTypeCount = [](const OrtCustomOp *op) { return of(op)->inputs.count; };
		GetInputType = [](const OrtCustomOp *op, size_t index) { return of(op)->inputs.of[index]; };
		GetOutputTypeCount = [](const OrtCustomOp *op) { return of(op)->outputs.count; };
		GetOutputType = [](const OrtCustomOp *op, size_t index) { return of(op)->outputs.of[index]; };
		GetInputCharacteristic = [](const OrtCustomOp *, size_t) { return INPUT_OUTPUT_REQUIRED; };
		GetOutputCharacteristic = [](const OrtCustomOp *, size_t) { return INPUT_OUTPUT_REQUIRED; };
		GetInputMemoryType = [](const OrtCustomOp *, size_t) { return OrtMemTypeDefault; };
		GetStartVersion = [](const OrtCustomOp *) { return 1; };
		GetEndVersion = [](const OrtCustomOp *) { return 1; };
		CreateKernelV2 = [](const OrtCustomOp *op, const OrtApi *, const OrtKernelInfo *info, void **made) -> OrtStatus * {
			operators::node given = {};
			if (of(op)->attributes & CENTER) CHECK(api->KernelInfoGetAttribute_int64(info, "center", &given.center));
			if (of(op)->attributes & ZERO_POINT) CHECK(api->KernelInfoGetAttribute_int64(info, "zero_point", &given.zero_point));
			if (of(op)->attributes & EPSILON) CHECK(api->KernelInfoGetAttribute_float(info, "epsilon", &given.epsilon));
			if (of(op)->prepare) CHECK(of(op)->prepare(info, &given));
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
		operators::compute *run;
		operators::node given;
	};

	static const definition *of(const OrtCustomOp *op) { return static_cast<const definition *>(op); }
};

const definition definitions[] = {
    {"Distinct", operators::distinct, {INT64}, {INT64, INT64}},
    {"Attention", operators::attend, {FLOAT, FLOAT, FLOAT, INT64, FLOAT, FLOAT}, {FLOAT}, CENTER},
    {"FirstTokenAttention", operators::attend_first, {FLOAT, FLOAT, FLOAT, INT64, FLOAT, FLOAT, FLOAT, FLOAT, FLOAT}, {FLOAT}, CENTER},
    {"Gelu", operators::gelu, {FLOAT, FLOAT, FLOAT}, {FLOAT}},
    {"AddNorm", operators::norm, {FLOAT, FLOAT, FLOAT, FLOAT, FLOAT, FLOAT}, {FLOAT}, EPSILON},
    {"QuantiseRows", operators::quantise, {FLOAT, FLOAT}, {UINT8, FLOAT}, ZERO_POINT},
    {"QuantisedAttention", operators::quantise_attention, {FLOAT, FLOAT, FLOAT, INT64, FLOAT, FLOAT, FLOAT}, {UINT8, FLOAT}, CENTER | ZERO_POINT},
    {"QuantisedGelu", operators::quantise_gelu, {FLOAT, FLOAT, FLOAT, FLOAT}, {UINT8, FLOAT}, ZERO_POINT},
    {"QuantisedAddNorm", operators::quantise_norm, {FLOAT, FLOAT, FLOAT, FLOAT, FLOAT, FLOAT, FLOAT}, {FLOAT, UINT8, FLOAT}, EPSILON | ZERO_POINT},
};

// Where a processor has none of its own, ONNX Runtime's are as good.
const definition product_of_floats = {"Product", operators::multiply_floats, {FLOAT, FLOAT}, {FLOAT}, 0, operators::lay_out_floats};
const definition product_of_codes = {"ProductOfCodes", operators::multiply_codes, {UINT8, INT8, FLOAT}, {FLOAT}, ZERO_POINT, operators::lay_out_codes};

enum level { BASE, AVX2, AVX512, AMX, LEVELS };

constexpr const char *level_names[LEVELS] = {"base", "avx2", "avx512", "amx"};

// What the environment allows at most: tests reach every level by it, and without AMX products in fp32 keep every bit.
OrtStatus *allowed(int *most) {
	const char *given = getenv("WINNOW_OPERATORS_LEVEL");
	*most = AMX;
	if (!given || !*given) return nullptr;
	for (*most = BASE; *most < LEVELS; ++*most)
		if (!strcmp(given, level_names[*most])) return nullptr;
	return refusal("winnow: WINNOW_OPERATORS_LEVEL is %.40s, must be base, avx2, avx512 or amx", given);
}

// The best of these that this processor can run.
processor choose(int most) {
#ifdef __x86_64__
	if (most >= AVX512 && __builtin_cpu_supports("x86-64-v4")) return {&kernels_avx512, most >= AMX && amx::present(), false};
	if (most >= AVX2 && __builtin_cpu_supports("x86-64-v3")) return {&kernels_avx2, false, !__builtin_cpu_supports("avxvnni")};
#endif
	return {&kernels_base, false, false};
}

} // namespace

// What ONNX Runtime looks for in a library of operators.
extern "C" __attribute__((visibility("default"))) OrtStatus *RegisterCustomOps(OrtSessionOptions *options, const OrtApiBase *base) {
	const OrtApi *offered = base->GetApi(ORT_API_VERSION);
	if (!offered) return base->GetApi(1)->CreateStatus(ORT_FAIL, "winnow: ONNX Runtime is older than the one that these operators were built for");
	api = offered;
	int most;
	CHECK(allowed(&most));
	chosen = choose(most);
	OrtCustomOpDomain *domain;
	CHECK(api->CreateCustomOpDomain("winnow", &domain));
	for (const definition &each : definitions) CHECK(api->CustomOpDomain_Add(domain, &each));
	if (chosen.tiles) CHECK(api->CustomOpDomain_Add(domain, &product_of_floats));
	if (chosen.codes) CHECK(api->CustomOpDomain_Add(domain, &product_of_codes));
	return api->AddCustomOpDomain(options, domain); // some bytes a session that nobody frees: sessions refer to it while they live
}
