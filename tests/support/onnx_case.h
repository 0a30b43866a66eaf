/* onnx_case.h - one of ONNX's own node tests, read, changed and packed again.
 *
 *     test_lstm_defaults/model.onnx                    one node, weights are graph inputs
 *                        test_data_set_0/input_0.pb    a TensorProto for each graph input
 *                                        output_0.pb   and for each graph output
 *
 * Models that say opset 1 to 6 are made to say 7: their operators are the same there.  Numbers are
 * kept as doubles whatever their type was.  Nothing here judges; a case that cannot be read says
 * why. */
#ifndef TESTS_SUPPORT_ONNX_CASE_H
#define TESTS_SUPPORT_ONNX_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ONNX_CASE_TENSORS_MAX 16
#define ONNX_CASE_DIMS_MAX    8
#define ONNX_CASE_FLOAT       1 /* TensorProto.DataType */

struct onnx_case_tensor {
    int type; /* TensorProto.DataType */
    size_t n_dims;
    int64_t dims[ONNX_CASE_DIMS_MAX];
    size_t n;
    double *values; /* owned: [n] */
};

struct onnx_case {
    void *model; /* owned */
    size_t n_inputs, n_outputs;
    struct onnx_case_tensor inputs[ONNX_CASE_TENSORS_MAX], outputs[ONNX_CASE_TENSORS_MAX];
};

/* Reads a test's folder.  NULL, or why not; then *ret_case needs no onnx_case_done. */
const char *onnx_case_read(const char *path, struct onnx_case *ret_case);
void onnx_case_done(struct onnx_case *one);

/* True for float32 and for the other float types, which celltap reads as float32. */
bool onnx_case_is_float(const struct onnx_case_tensor *tensor);

/* Its nodes' operators, and where the first node uses the k-th graph input (SIZE_MAX: nowhere). */
size_t onnx_case_n_nodes(const struct onnx_case *one);
const char *onnx_case_op(const struct onnx_case *one, size_t node_ix);
size_t onnx_case_position(const struct onnx_case *one, size_t input_ix);

/* Which output of the first node the k-th graph output is (SIZE_MAX: none). */
size_t onnx_case_output_position(const struct onnx_case *one, size_t output_ix);

/* An integer attribute of the first node. */
int64_t onnx_case_attribute(const struct onnx_case *one, const char *name, int64_t otherwise);

/* Index of the graph output with that name; SIZE_MAX: none. */
size_t onnx_case_output_find(const struct onnx_case *one, const char *name);

/* The model's bytes with those graph inputs as constants for which constant[k] is set; with
 * row < SIZE_MAX only that row of the axis batch_axis[k] of each (SIZE_MAX: all of it).
 * The caller frees *ret_bytes. */
void onnx_case_pack(const struct onnx_case *one, const bool *constant, const size_t *batch_axis,
                    size_t row, unsigned char **ret_bytes, size_t *ret_n_bytes);

#endif
