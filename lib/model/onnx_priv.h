/* onnx_priv.h - what the files that read protobuf messages share (onnx*.c). */
#ifndef LIB_MODEL_ONNX_PRIV_H
#define LIB_MODEL_ONNX_PRIV_H

#include <stddef.h>

#include "lib/model/load.h"
#include "lib/model/onnx.pb-c.h"

/* protobuf-c's memory: the load's arena, within its budget. */
ProtobufCAllocator onnx_allocator(struct load *load);

/* Why nothing was unpacked, reterr->text having been empty before: CELLTAP_EMODEL (no ONNX),
 * CELLTAP_EREFUSED (more than the load's budget), CELLTAP_ENOMEM. */
int onnx_unpack_error(struct load *load);

/* A string field; "" when absent. */
const char *onnx_text(const char *text);

#endif
