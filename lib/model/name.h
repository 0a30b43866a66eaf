/* name.h - the names by which users know a model's layers. */
#ifndef LIB_MODEL_NAME_H
#define LIB_MODEL_NAME_H

#include "lib/base/arena.h"
#include "lib/model/plan.h"

/* Names every step of the plan that is a layer; ret_names[k] is the k-th such step's, in the
 * arena.  ret_names has room for n_layers.  CELLTAP_ENOMEM. */
int name_layers(struct arena *arena, const struct plan *plan, size_t n_layers,
                const char **ret_names);

/* A name that is safe as a file name and in a topic, and different from the n names before. */
const char *name_unique(struct arena *arena, const char *name, const char *const *before, size_t n);

#endif
