/* value.h - a tensor of the graph while it is lowered: a constant, or one timestep of data.
 *
 *     dims      [  T*B  ,   F   ]            what the graph sees, whole sequence and batch
 *     factors   ( T  B ) ( 3  4 )            what each axis is made of
 *     items     12 per timestep              only the ITEM factors take room
 *
 * The size of an axis is the product of its factors.  ITEM factors are the ones that are there at
 * one timestep of one stream; TIME and BATCH are the two axes that streaming takes away, REPEAT is
 * the same numbers over and over (constants only).  Reshapes regroup factors and may split ITEM
 * and REPEAT ones, but never TIME or BATCH, so the two are found again wherever they went.
 *
 * The items of a constant are numbers.  Those of data are references into the plan's slots, so
 * whatever only moves values about (Slice, Transpose, ...) is the same work for both. */
#ifndef LIB_MODEL_VALUE_H
#define LIB_MODEL_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/model/graph.h"
#include "lib/model/load.h"

#define VALUE_AXES_MAX    GRAPH_DIMS_MAX
#define VALUE_FACTORS_MAX 24
#define VALUE_ITEMS_MAX   ((size_t)1 << 26) /* of data, in one timestep */

enum value_factor_kind { FACTOR_ITEM, FACTOR_REPEAT, FACTOR_TIME, FACTOR_BATCH };

struct value_factor {
    enum value_factor_kind kind;
    int64_t size; /* > 1 */
};

struct value {
    bool defined;
    bool data;            /* items are references; else a constant */
    bool last;            /* data: the time axis was consumed, this is the last timestep's */
    bool zero_state;      /* constant: made of a graph input that is an initial state */
    enum graph_type type; /* of a constant's items; of data, what the graph says */
    size_t n_axes;
    int64_t dims[VALUE_AXES_MAX];
    size_t first[VALUE_AXES_MAX + 1]; /* axis a: factors first[a] .. first[a + 1] */
    struct value_factor factors[VALUE_FACTORS_MAX];
    size_t n;     /* items: product of the ITEM factors */
    int64_t size; /* product of dims: never overflows */
    union {
        const void *items; /* [n] */
        const float *floats;
        const int64_t *ints; /* of INT, BOOL and data */
    };
    const char *origin; /* name of the first initializer it was made of; NULL: none */
};

/* A reference to one number of a plan's slot. */
static inline int64_t value_ref(size_t slot, size_t index)
{
    return (int64_t)((uint64_t)slot << 32 | (uint64_t)index);
}

static inline size_t value_ref_slot(int64_t ref)
{
    return (size_t)((uint64_t)ref >> 32);
}

static inline size_t value_ref_index(int64_t ref)
{
    return (size_t)((uint64_t)ref & 0xffffffffu);
}

/* Bytes of one item: 4 for float constants, 8 for all others. */
static inline size_t value_item_bytes(const struct value *value)
{
    return !value->data && value->type == GRAPH_FLOAT ? sizeof(float) : sizeof(int64_t);
}

/* ---- shape: build axis by axis ------------------------------------------------------------- */

/* A value of the same nature (data, type, last, origin) with no axes and no items yet. */
struct value value_like(const struct value *value);

/* Opens a new axis of size 1; then multiplies factors onto it.  CELLTAP_EREFUSED if there are too
 * many, or the size of the tensor overflows. */
int value_add_axis(struct load *load, struct value *value);
int value_add_factor(struct load *load, struct value *value, enum value_factor_kind kind,
                     int64_t size);

/* Adds an axis that is a copy of another value's. */
int value_copy_axis(struct load *load, struct value *value, const struct value *from, size_t axis);

/* Items along an axis: the product of its ITEM factors. */
size_t value_axis_items(const struct value *value, size_t axis);

/* Does the axis have a factor of this kind?  Has it only factors of this kind (or none)? */
bool value_axis_has(const struct value *value, size_t axis, enum value_factor_kind kind);
bool value_axis_is(const struct value *value, size_t axis, enum value_factor_kind kind);

bool value_has(const struct value *value, enum value_factor_kind kind);

/* Are two axes made of the same factors? */
bool value_same_axis(const struct value *a, size_t axis_a, const struct value *b, size_t axis_b);

/* "time", "batch" or "" : what streaming has taken away along this axis. */
const char *value_axis_word(const struct value *value, size_t axis);

/* A shape as text, for diagnoses: "[T, B, 5]"; text of at least 128 bytes.  Returns text. */
char *value_shape_text(const struct value *value, char *text);

/* ---- whole values -------------------------------------------------------------------------- */

/* A constant that says everywhere the same: [dims], all axes REPEAT.  item: one float or int64_t.
 */
int value_uniform(struct load *load, enum graph_type type, const void *item, size_t n_dims,
                  const int64_t *dims, struct value *ret_value);

/* A constant with items that are already in the load's memory. */
int value_constant(struct load *load, enum graph_type type, const void *items, size_t n_dims,
                   const int64_t *dims, struct value *ret_value);

/* The same value with new dims (no 0 or -1 in them): factors are regrouped, items stay as they
 * are.  CELLTAP_EREFUSED when a time or batch axis would be split. */
int value_reshape(struct load *load, const struct value *value, size_t n_dims, const int64_t *dims,
                  struct value *ret_value);

/* A constant with its REPEAT factors made ITEMs. */
int value_spread(struct load *load, const struct value *value, struct value *ret_value);

/* ---- items --------------------------------------------------------------------------------- */

/* A walk over items: n_axes nested loops, each with its own stride in items. */
struct value_walk {
    size_t n_axes;
    size_t dims[VALUE_FACTORS_MAX];
    ptrdiff_t strides[VALUE_FACTORS_MAX];
    ptrdiff_t start;
};

/* The walk over all of a value's items, one loop per axis. */
struct value_walk value_walk_of(const struct value *value);

/* Copies the items of a walk, in its order; `to` has room for the product of its dims. */
void value_walk_copy(const struct value_walk *walk, const void *from, size_t item_bytes, void *to);

/* New items for `value` (whose shape is ready): copies of from's along the walk. */
int value_take_walk(struct load *load, struct value *value, const struct value_walk *walk,
                    const struct value *from);

#endif
