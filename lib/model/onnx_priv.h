/* onnx_priv.h - what the files that read protobuf messages share (onnx*.c). */
#ifndef LIB_MODEL_ONNX_PRIV_H
#define LIB_MODEL_ONNX_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/model/load.h"
#include "lib/model/onnx.pb-c.h"

/* A serialised ModelProto as messages in the load's arena, nothing of it checked.  CELLTAP_EMODEL:
 * it is none; CELLTAP_EREFUSED (more than the load's budget), CELLTAP_ENOMEM. */
int onnx_unpack(struct load *load, const void *data, size_t n_bytes,
                Celltap__Onnx__Model **ret_model);

/* True for a tensor whose numbers are in another file. */
bool onnx_is_external(const Celltap__Onnx__Tensor *tensor);

/* A string field; "" when absent. */
const char *onnx_text(const char *text);

#endif
