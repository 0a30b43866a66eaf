/* onnx_left_out.h - ONNX node tests that cannot be read with one row a timestep, and why.
 *
 * A row of a table is the name of a test, without `test_`, or a pattern for names (fnmatch), and the
 * reason.  test_onnx_node.c sees that every row of the first table is needed; those of the second
 * are tests that not every release of ONNX since 1.12 has, or has in that form. */
#ifndef TESTS_SUPPORT_ONNX_LEFT_OUT_H
#define TESTS_SUPPORT_ONNX_LEFT_OUT_H

/* clang-format off */
#define LEFT_OUT_INTEGERS   "numbers are float32 here: integers are for shapes and indices only"
#define LEFT_OUT_FLOAT16    "rounds data to 16 bits: only float32 is computed with"
#define LEFT_OUT_BFLOAT16   "its test data is bfloat16 stored as uint16"
#define LEFT_OUT_SMALL      "numbers of 8, 4 or 2 bits: only float32 is computed with"
#define LEFT_OUT_TEXT       "text is no number"
#define LEFT_OUT_SHAPE      "its output is the shape, which is folded away at load"
#define LEFT_OUT_NO_INPUT   "has no data input, so there is nothing to step"
#define LEFT_OUT_LEARNS     "training mode: learns while it runs"
#define LEFT_OUT_DROPS      "training mode: drops values at random"
#define LEFT_OUT_MASK       "its second output is a mask of bools"
#define LEFT_OUT_SEQUENCE   "a sequence of tensors is no tensor"
#define LEFT_OUT_STACK      "multiplies with another matrix for each row of the batch"
#define LEFT_OUT_MOVED      "the batch axis is moved: rows of the output are not rows of the input"
#define LEFT_OUT_REPEATED   "the batch axis is repeated: more rows come out than go in"
#define LEFT_OUT_EMPTY      "a tensor without any values is no timestep"
#define LEFT_OUT_TURNS      "splits the values of several timesteps: they depend on their position"

#define ONNX_LEFT_OUT(X) \
    X("add_uint8", LEFT_OUT_INTEGERS) \
    X("sub_uint8", LEFT_OUT_INTEGERS) \
    X("mul_uint8", LEFT_OUT_INTEGERS) \
    X("div_uint8", LEFT_OUT_INTEGERS) \
    X("clip_default_int8_inbounds", LEFT_OUT_INTEGERS) \
    X("clip_default_int8_max", LEFT_OUT_INTEGERS) \
    X("clip_default_int8_min", LEFT_OUT_INTEGERS) \
    X("max_int8", LEFT_OUT_INTEGERS) \
    X("max_int16", LEFT_OUT_INTEGERS) \
    X("max_int32", LEFT_OUT_INTEGERS) \
    X("max_int64", LEFT_OUT_INTEGERS) \
    X("max_uint8", LEFT_OUT_INTEGERS) \
    X("max_uint16", LEFT_OUT_INTEGERS) \
    X("max_uint32", LEFT_OUT_INTEGERS) \
    X("max_uint64", LEFT_OUT_INTEGERS) \
    X("min_int8", LEFT_OUT_INTEGERS) \
    X("min_int16", LEFT_OUT_INTEGERS) \
    X("min_int32", LEFT_OUT_INTEGERS) \
    X("min_int64", LEFT_OUT_INTEGERS) \
    X("min_uint8", LEFT_OUT_INTEGERS) \
    X("min_uint16", LEFT_OUT_INTEGERS) \
    X("min_uint32", LEFT_OUT_INTEGERS) \
    X("min_uint64", LEFT_OUT_INTEGERS) \
    X("pow_types_int32_float32", LEFT_OUT_INTEGERS) \
    X("pow_types_int32_int32", LEFT_OUT_INTEGERS) \
    X("pow_types_int64_float32", LEFT_OUT_INTEGERS) \
    X("pow_types_int64_int64", LEFT_OUT_INTEGERS) \
    X("constantofshape_int_shape_zero", LEFT_OUT_INTEGERS) \
    X("constantofshape_int_zeros", LEFT_OUT_INTEGERS) \
    X("cast_DOUBLE_to_FLOAT16", LEFT_OUT_FLOAT16) \
    X("cast_FLOAT_to_FLOAT16", LEFT_OUT_FLOAT16) \
    X("castlike_DOUBLE_to_FLOAT16_expanded", LEFT_OUT_FLOAT16) \
    X("castlike_FLOAT_to_FLOAT16_expanded", LEFT_OUT_FLOAT16) \
    X("cast_FLOAT_to_BFLOAT16", LEFT_OUT_BFLOAT16) \
    X("castlike_FLOAT_to_BFLOAT16_expanded", LEFT_OUT_BFLOAT16) \
    X("shape", LEFT_OUT_SHAPE) \
    X("shape_clip_end", LEFT_OUT_SHAPE) \
    X("shape_clip_start", LEFT_OUT_SHAPE) \
    X("shape_end_1", LEFT_OUT_SHAPE) \
    X("shape_end_negative_1", LEFT_OUT_SHAPE) \
    X("shape_example", LEFT_OUT_SHAPE) \
    X("shape_start_1", LEFT_OUT_SHAPE) \
    X("shape_start_1_end_2", LEFT_OUT_SHAPE) \
    X("shape_start_1_end_negative_1", LEFT_OUT_SHAPE) \
    X("shape_start_negative_1", LEFT_OUT_SHAPE) \
    X("constant", LEFT_OUT_NO_INPUT) \
    X("constantofshape_float_ones", LEFT_OUT_NO_INPUT) \
    X("batchnorm_epsilon_training_mode", LEFT_OUT_LEARNS) \
    X("batchnorm_example_training_mode", LEFT_OUT_LEARNS) \
    X("training_dropout", LEFT_OUT_DROPS) \
    X("training_dropout_default", LEFT_OUT_DROPS) \
    X("training_dropout_default_mask", LEFT_OUT_DROPS) \
    X("training_dropout_mask", LEFT_OUT_DROPS) \
    X("training_dropout_zero_ratio", LEFT_OUT_DROPS) \
    X("training_dropout_zero_ratio_mask", LEFT_OUT_DROPS) \
    X("dropout_default_mask", LEFT_OUT_MASK) \
    X("dropout_default_mask_ratio", LEFT_OUT_MASK) \
    X("identity_sequence", LEFT_OUT_SEQUENCE) \
    X("matmul_3d", LEFT_OUT_STACK) \
    X("matmul_4d", LEFT_OUT_STACK) \
    X("transpose_default", LEFT_OUT_MOVED) \
    X("transpose_all_permutations_1", LEFT_OUT_MOVED) \
    X("transpose_all_permutations_2", LEFT_OUT_MOVED) \
    X("transpose_all_permutations_3", LEFT_OUT_MOVED) \
    X("transpose_all_permutations_4", LEFT_OUT_MOVED) \
    X("transpose_all_permutations_5", LEFT_OUT_MOVED) \
    X("expand_dim_changed", LEFT_OUT_MOVED) \
    X("tile", LEFT_OUT_REPEATED) \
    X("tile_precomputed", LEFT_OUT_REPEATED) \
    X("reshape_allowzero_reordered", LEFT_OUT_EMPTY) \
    X("slice_start_out_of_bounds", LEFT_OUT_EMPTY) \
    X("split_zero_size_splits*", LEFT_OUT_EMPTY)

#define ONNX_LEFT_OUT_SOME(X) \
    X("add_*int*", LEFT_OUT_INTEGERS) \
    X("sub_*int*", LEFT_OUT_INTEGERS) \
    X("mul_*int*", LEFT_OUT_INTEGERS) \
    X("div_*int*", LEFT_OUT_INTEGERS) \
    X("pow_types_float", LEFT_OUT_INTEGERS) \
    X("clip_default_int8_inbounds_expanded", LEFT_OUT_INTEGERS) \
    X("reduce_max_bool_inputs", LEFT_OUT_INTEGERS) \
    X("reduce_min_bool_inputs", LEFT_OUT_INTEGERS) \
    X("castlike_FLOAT_to_BFLOAT16", LEFT_OUT_FLOAT16) \
    X("cast_BFLOAT16_to_FLOAT", LEFT_OUT_BFLOAT16) \
    X("castlike_BFLOAT16_to_FLOAT_expanded", LEFT_OUT_BFLOAT16) \
    X("cast*_STRING*", LEFT_OUT_TEXT) \
    X("cast*FLOAT8*", LEFT_OUT_SMALL) \
    X("cast*FLOAT4*", LEFT_OUT_SMALL) \
    X("cast*INT4_*", LEFT_OUT_SMALL) \
    X("cast*INT4", LEFT_OUT_SMALL) \
    X("cast*INT2_*", LEFT_OUT_SMALL) \
    X("cast*INT2", LEFT_OUT_SMALL) \
    X("shape_start_greater_than_end", LEFT_OUT_SHAPE) \
    X("matmul_1d_3d", LEFT_OUT_STACK) \
    X("matmul_bcast", LEFT_OUT_STACK) \
    X("reduce_*_empty_set*", LEFT_OUT_EMPTY) \
    X("affine_grid_3d_*expanded", LEFT_OUT_MOVED) \
    X("rotary_embedding_*expanded", LEFT_OUT_TURNS)
/* clang-format on */

#endif
