/* pack.h - a plan becomes a model: cells with packed weights, offsets, layers with names. */
#ifndef LIB_MODEL_PACK_H
#define LIB_MODEL_PACK_H

#include "lib/model/graph.h"
#include "lib/model/model.h"
#include "lib/model/plan.h"

/* A model with one reference, that refers to neither plan nor graph.  On failure nothing is kept.
 * CELLTAP_ENOMEM, CELLTAP_EREFUSED. */
int pack_model(const struct graph *graph, const struct plan *plan,
               struct celltap_model **ret_model);

/* Frees a model, half-built ones too; NULL is fine. */
void pack_free(struct celltap_model *model);

#endif
