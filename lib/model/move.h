/* move.h - operators that only move values about, the same for constants and for data.
 *
 * Along ITEM axes anything goes.  Along time only two things can stream: all of it, and its last
 * timestep, which in streaming is every timestep.  Along the batch: all of it. */
#ifndef LIB_MODEL_MOVE_H
#define LIB_MODEL_MOVE_H

#include "lib/model/value.h"

/* Sizes of the sequence and the batch in this attempt; 1: there is no such axis. */
struct move_sizes {
    int64_t time, batch;
    bool time_known; /* the file declares the size: others may have the same by chance */
};

/* Axes in a new order: output axis k is input axis order[k]. */
int move_permute(struct load *load, const struct value *value, const size_t *order,
                 struct value *ret_value);

/* `count` positions of an axis: first, first + step, ... */
int move_slice(struct load *load, const struct value *value, size_t axis, int64_t first,
               int64_t count, int64_t step, struct value *ret_value);

/* Positions of an axis by a list (each already between 0 and its size); the axis is replaced by
 * axes of the list's dims. */
int move_gather(struct load *load, const struct value *value, size_t axis, const int64_t *list,
                size_t n_dims, const int64_t *dims, struct value *ret_value);

/* Values side by side along an axis; all constants of one type, or all data. */
int move_concat(struct load *load, const struct value *values, size_t n_values, size_t axis,
                struct value *ret_value);

/* Numpy's broadcast of a value to dims (result: the larger of each pair; one of a pair may be 1).
 */
int move_expand(struct load *load, const struct move_sizes *sizes, const struct value *value,
                size_t n_dims, const int64_t *dims, struct value *ret_value);

/* Opens an axis of `dim` in ret for an axis of size 1 of `from`: what kind of factor it is. */
int move_add_broadcast(struct load *load, const struct move_sizes *sizes, const struct value *from,
                       int64_t dim, struct value *ret);

#endif
