// How an operator reads and writes tensors, and spreads its work over the session's threads.
#pragma once

#include <onnxruntime_c_api.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

extern const OrtApi *api; // of the ONNX Runtime that loaded the library

// What can go wrong in a call ends it with its status.
#define CHECK(call) \
	do { \
		if (OrtStatus *status = (call)) return status; \
	} while (0)

// The format and what fills it, as printf takes them.
#define REQUIRE(condition, ...) \
	do { \
		if (!(condition)) return refusal(__VA_ARGS__); \
	} while (0)

__attribute__((format(printf, 1, 2))) inline OrtStatus *refusal(const char *format, ...) {
	char message[256];
	va_list values;
	va_start(values, format);
	vsnprintf(message, sizeof message, format, values);
	va_end(values);
	return api->CreateStatus(ORT_INVALID_ARGUMENT, message);
}

struct tensor {
	const void *data;
	size_t rank, count, dimensions[8];

	size_t last() const { return rank ? dimensions[rank - 1] : 1; }
	const float *floats() const { return static_cast<const float *>(data); }
};

// A tensor's shape as a refusal names it.
struct shape_text {
	char text[96];

	explicit shape_text(const tensor &of) : text{"one number"} {
		for (size_t i = 0, at = 0; i < of.rank && at < sizeof text; i++)
			at += snprintf(text + at, sizeof text - at, i ? " x %zu" : "%zu", of.dimensions[i]);
	}
};

inline OrtStatus *input(OrtKernelContext *context, size_t index, tensor *result) {
	const OrtValue *value;
	CHECK(api->KernelContext_GetInput(context, index, &value));
	OrtTensorTypeAndShapeInfo *info;
	CHECK(api->GetTensorTypeAndShape(value, &info));
	OrtStatus *status = api->GetDimensionsCount(info, &result->rank);
	int64_t dimensions[8];
	if (!status && result->rank > 8) status = refusal("winnow: input %zu has %zu dimensions, an operator takes at most 8", index, result->rank);
	if (!status) status = api->GetDimensions(info, dimensions, result->rank);
	if (!status) status = api->GetTensorShapeElementCount(info, &result->count);
	api->ReleaseTensorTypeAndShapeInfo(info);
	if (status) return status;
	for (size_t i = 0; i < result->rank; i++) result->dimensions[i] = static_cast<size_t>(dimensions[i]);
	REQUIRE(result->count > 0, "winnow: input %zu is empty", index);
	return api->GetTensorData(value, &result->data);
}

inline OrtStatus *output(OrtKernelContext *context, size_t index, const size_t *dimensions, size_t rank, void **data) {
	int64_t shape[8];
	for (size_t i = 0; i < rank; i++) shape[i] = static_cast<int64_t>(dimensions[i]);
	OrtValue *value;
	CHECK(api->KernelContext_GetOutput(context, index, shape, rank, &value));
	return api->GetTensorMutableData(value, data);
}

template <class Task> OrtStatus *each(OrtKernelContext *context, size_t count, const Task &task) {
	return api->KernelContext_ParallelFor(
	    context, [](void *data, size_t index) { (*static_cast<const Task *>(data))(index); }, count, 0,
	    const_cast<Task *>(&task));
}

// Pieces of at most so many.
template <class Task> OrtStatus *each_piece(OrtKernelContext *context, size_t count, size_t most, const Task &task) {
	return each(context, (count + most - 1) / most, [&](size_t piece) {
		const size_t first = piece * most;
		task(first, count - first < most ? count - first : most);
	});
}

template <class Task> OrtStatus *each_row(OrtKernelContext *context, size_t rows, const Task &task) {
	constexpr size_t MOST = 16; // enough that handing a piece to a thread costs little beside it
	return each_piece(context, rows, MOST, [&](size_t first, size_t count) {
		for (size_t row = first; row < first + count; row++) task(row);
	});
}
