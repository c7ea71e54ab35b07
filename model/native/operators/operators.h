// The operators of the domain "winnow": what each makes of its inputs. winnow_training.operators says what they mean.
#pragma once

#include "kernels.h"
#include "tensors.h"

// What this processor computes with.
struct processor {
	const kernels *rows;
	bool tiles; // products in fp32 are amx; false: ONNX Runtime's own are as good
	bool codes; // products in 8 bits are avx2; false: as above
};

extern processor chosen;

namespace operators {

// What one node of a graph is given when its session is made.
struct node {
	int64_t center, zero_point;
	float epsilon;
	size_t in, out; // of a product's weights
	void *laid_out; // these weights; null for other operators
};

typedef OrtStatus *prepare(const OrtKernelInfo *info, node *given);
typedef OrtStatus *compute(const node &given, OrtKernelContext *context);

compute distinct, attend, attend_first, gelu, norm, quantise, quantise_attention, quantise_gelu, quantise_norm;

prepare lay_out_floats, lay_out_codes;
compute multiply_floats, multiply_codes;

} // namespace operators
