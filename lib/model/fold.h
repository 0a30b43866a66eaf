/* fold.h - operators on constants, computed at load in the graph's own types: float, int64. */
#ifndef LIB_MODEL_FOLD_H
#define LIB_MODEL_FOLD_H

#include "lib/model/broadcast.h"

/* One value in, one out.  CELLTAP_EREFUSED when the operator is not among those that fold. */
int fold_unary(struct load *load, const char *op, const struct value *x, struct value *ret_value);

/* a op b with broadcasting; comparisons and logic give BOOL. */
int fold_binary(struct load *load, const char *op, const struct value *a, const struct value *b,
                struct value *ret_value);

/* condition ? a : b, item by item, with broadcasting. */
int fold_where(struct load *load, const struct value *condition, const struct value *a,
               const struct value *b, struct value *ret_value);

/* To another type: float to integer truncates, anything to BOOL is "not zero". */
int fold_cast(struct load *load, const struct value *x, enum graph_type type,
              struct value *ret_value);

#endif
