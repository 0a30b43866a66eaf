/* broadcast.h - numpy's broadcasting of two values, one of which may be data. */
#ifndef LIB_MODEL_BROADCAST_H
#define LIB_MODEL_BROADCAST_H

#include "lib/model/move.h"

/* The shape of `a op b`, without items; data if one of them is.  CELLTAP_EREFUSED when the shapes
 * do not fit, or the last timestep meets the whole sequence. */
int broadcast_shape(struct load *load, const struct move_sizes *sizes, const struct value *a,
                    const struct value *b, struct value *ret_shape);

/* The items of a value spread to a shape from broadcast_shape: [shape->n].  CELLTAP_EREFUSED when a
 * constant is not the same at all timesteps or rows of the batch. */
int broadcast_items(struct load *load, const struct value *value, const struct value *shape,
                    const void **ret_items);

#endif
