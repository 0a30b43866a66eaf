/* onnx.h - the door to protobuf-c: bytes of an ONNX file become a graph. */
#ifndef LIB_MODEL_ONNX_H
#define LIB_MODEL_ONNX_H

#include <stddef.h>

#include "lib/model/graph.h"

/* Reads a serialised ModelProto; *ret_graph lives in the load's arena and does not refer to data.
 * CELLTAP_EMODEL, CELLTAP_EREFUSED (form that is not supported), CELLTAP_ENOMEM. */
int onnx_read(struct load *load, const void *data, size_t n_bytes, struct graph *ret_graph);

#endif
