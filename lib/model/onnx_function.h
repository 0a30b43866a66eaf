/* onnx_function.h - calls of a model's own functions, replaced by what these are made of. */
#ifndef LIB_MODEL_ONNX_FUNCTION_H
#define LIB_MODEL_ONNX_FUNCTION_H

#include "lib/model/onnx_priv.h"

/* Replaces model->graph's nodes, in the load's arena.  CELLTAP_EMODEL (functions that call each other
 * without end), CELLTAP_EREFUSED, CELLTAP_ENOMEM. */
int onnx_function_inline(struct load *load, Celltap__Onnx__Model *model);

#endif
