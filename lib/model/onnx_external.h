/* onnx_external.h - puts numbers that an ONNX file keeps in other files inside it. */
#ifndef LIB_MODEL_ONNX_EXTERNAL_H
#define LIB_MODEL_ONNX_EXTERNAL_H

#include <stddef.h>

#include "lib/model/load.h"

/* The model's bytes with the data of every initializer and attribute inside, read from files below
 * `folder`; alloc_free(*ret_bytes).  NULL in *ret_bytes when the model has all its data (or is no
 * model: reading it will say so).  CELLTAP_EFILE, CELLTAP_EMODEL, CELLTAP_EREFUSED, CELLTAP_ENOMEM.
 */
int onnx_external_read(struct load *load, const char *folder, const void *data, size_t n_bytes,
                       void **ret_bytes, size_t *ret_n_bytes);

#endif
