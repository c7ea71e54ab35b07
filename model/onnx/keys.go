package onnx

// The options that the providers of this ONNX Runtime know: make test-providers asks the providers' own parsers about every
// name in their libraries.
const keysVersion = "1.31.1"

func tensorRTKeys() []string {
	return []string{
		"device_id", "has_user_compute_stream", "trt_auxiliary_streams", "trt_bf16_enable", "trt_build_heuristics_enable",
		"trt_builder_optimization_level", "trt_context_memory_sharing_enable", "trt_cuda_graph_enable",
		"trt_detailed_build_log", "trt_dla_core", "trt_dla_enable", "trt_dump_ep_context_model", "trt_dump_subgraphs",
		"trt_engine_cache_enable", "trt_engine_cache_path", "trt_engine_cache_prefix", "trt_engine_decryption_enable",
		"trt_engine_decryption_lib_path", "trt_engine_hw_compatible", "trt_ep_context_embed_mode",
		"trt_ep_context_file_path", "trt_external_data_bytestream", "trt_external_data_bytestream_size",
		"trt_extra_plugin_lib_paths", "trt_force_sequential_engine_build", "trt_force_timing_cache", "trt_fp16_enable",
		"trt_int8_calibration_table_name", "trt_int8_enable", "trt_int8_use_native_calibration_table",
		"trt_layer_norm_fp32_fallback", "trt_load_user_initializer", "trt_max_partition_iterations",
		"trt_max_workspace_size", "trt_min_subgraph_size", "trt_onnx_bytestream", "trt_onnx_bytestream_size",
		"trt_onnx_model_folder_path", "trt_op_types_to_exclude", "trt_preview_features", "trt_profile_max_shapes",
		"trt_profile_min_shapes", "trt_profile_opt_shapes", "trt_sparsity_enable", "trt_tactic_sources",
		"trt_timing_cache_enable", "trt_timing_cache_path", "trt_weight_stripped_engine_enable", "user_compute_stream",
	}
}

func cudaKeys() []string {
	return []string{
		"arena_extend_strategy", "cudnn_conv1d_pad_to_nc1d", "cudnn_conv_algo_search", "cudnn_conv_use_max_workspace",
		"device_id", "do_copy_in_default_stream", "enable_cuda_graph", "enable_cudnn",
		"enable_skip_layer_norm_strict_mode", "external_data_loader_reading_threads", "fuse_conv_bias", "gpu_external_alloc",
		"gpu_external_empty_cache", "gpu_external_free", "gpu_mem_limit", "has_user_compute_stream", "prefer_nhwc", "sdpa_kernel",
		"tunable_op_enable", "tunable_op_max_tuning_duration_ms", "tunable_op_tuning_enable",
		"use_ep_level_unified_stream", "use_tf32", "user_compute_stream",
	}
}

// Why an option is not the user's to set.
const (
	byDevice    = "model.device sets it"
	byPrecision = "model.precision sets it"
	byBuckets   = "it follows from model.buckets and gate.batch_tokens"
	byCache     = "model.engine_cache sets it"
	isAddress   = "it is an address inside a process, which a configuration can't know"
	// The binding hands every batch over in memory of its own; a captured graph would read the first batch's again.
	replays = "a captured graph replays the addresses of an earlier batch and would return its scores"
)

func tensorRTOwned() map[string]string {
	return map[string]string{
		"device_id": byDevice, "trt_fp16_enable": byPrecision, "trt_bf16_enable": byPrecision,
		"trt_layer_norm_fp32_fallback": byPrecision, "trt_int8_enable": "8 bits are chosen when a bundle is built, and measured there",
		"trt_max_workspace_size": "model.workspace_bytes sets it",
		"trt_profile_min_shapes": byBuckets, "trt_profile_opt_shapes": byBuckets, "trt_profile_max_shapes": byBuckets,
		"trt_engine_cache_enable": byCache, "trt_engine_cache_path": byCache, "trt_engine_cache_prefix": byCache,
		"trt_timing_cache_enable": byCache, "trt_timing_cache_path": byCache,
		"trt_cuda_graph_enable": replays, "has_user_compute_stream": isAddress, "user_compute_stream": isAddress,
		"trt_onnx_bytestream": isAddress, "trt_onnx_bytestream_size": isAddress,
		"trt_external_data_bytestream": isAddress, "trt_external_data_bytestream_size": isAddress,
	}
}

func cudaOwned() map[string]string {
	return map[string]string{
		"device_id": byDevice, "use_tf32": byPrecision, "enable_cuda_graph": replays,
		"has_user_compute_stream": isAddress, "user_compute_stream": isAddress, "gpu_external_alloc": isAddress,
		"gpu_external_free": isAddress, "gpu_external_empty_cache": isAddress,
	}
}
