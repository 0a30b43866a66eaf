/* onnx_tensor.h - the many ways in which a TensorProto stores numbers, made into two. */
#ifndef LIB_MODEL_ONNX_TENSOR_H
#define LIB_MODEL_ONNX_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include "lib/model/graph.h"

/* A TensorProto's fields; all borrowed. */
struct onnx_tensor_source {
    const char *name;
    int data_type; /* TensorProto.DataType */
    size_t n_dims;
    const int64_t *dims;
    const uint8_t *raw; /* NULL: in one of the lists below */
    size_t n_raw;
    const float *floats;
    const int32_t *int32s;
    const int64_t *int64s;
    const double *doubles;
    const uint64_t *uint64s;
    size_t n_floats, n_int32s, n_int64s, n_doubles, n_uint64s;
};

/* What a TensorProto.DataType is to us. */
enum graph_type onnx_tensor_type(int data_type);

/* Bytes of raw_data that a tensor of this type and shape has.  CELLTAP_EMODEL (an impossible shape),
 * CELLTAP_EREFUSED (no numbers). */
int onnx_tensor_n_bytes(struct load *load, const struct onnx_tensor_source *source,
                        size_t *ret_n_bytes);

/* Checks that the tensor holds what its dims claim, and converts.  Every float type becomes float,
 * every other number int64_t.  CELLTAP_EMODEL, CELLTAP_EREFUSED (strings), CELLTAP_ENOMEM. */
int onnx_tensor_decode(struct load *load, const struct onnx_tensor_source *source,
                       const struct graph_tensor **ret_tensor);

#endif
