/* lower_part.c - operators that choose a part of a tensor: Slice, Gather, Split. */
#include "lib/model/lower.h"

#include <string.h>

/* ---- Slice -------------------------------------------------------------------------------- */

/* Starts, ends, axes and steps, as attributes (operator set 9 and older) or inputs. */
struct lower_slices {
    size_t n;
    const int64_t *starts, *ends;
    const int64_t *axes, *steps; /* NULL: 0, 1, ...; 1 */
};

static int lower_slices_list(struct lower *lower, const struct graph_node *node, const char *attr,
                             size_t k, size_t n, const int64_t **ret_list, size_t *ret_n)
{
    const struct graph_attr *found = graph_attr(node, attr);
    if (found != NULL) {
        *ret_list = found->ints;
        *ret_n = found->kind == GRAPH_ATTR_INTS ? found->n : 0;
    } else if (lower_in(lower, node, k) != NULL || n == SIZE_MAX) {
        int err = lower_ints(lower, node, k, attr, ret_list, ret_n);
        if (err < 0)
            return err;
    } else {
        *ret_list = NULL;
        *ret_n = n;
    }
    return n == SIZE_MAX || *ret_n == n
               ? 0
               : load_invalid(&lower->load, "has not as many %s as starts", attr);
}

static int lower_slices_find(struct lower *lower, const struct graph_node *node,
                             struct lower_slices *ret)
{
    size_t n;
    int err = lower_slices_list(lower, node, "starts", 1, SIZE_MAX, &ret->starts, &ret->n);
    if (err == 0)
        err = lower_slices_list(lower, node, "ends", 2, ret->n, &ret->ends, &n);
    if (err == 0)
        err = lower_slices_list(lower, node, "axes", 3, ret->n, &ret->axes, &n);
    if (err == 0)
        err = lower_slices_list(lower, node, "steps", 4, ret->n, &ret->steps, &n);
    if (err == 0 && ret->ends == NULL && ret->n > 0)
        err = load_invalid(&lower->load, "has no ends");
    return err;
}

/* Numpy's rules: negative counts from the end, everything is clamped. */
static void lower_slice_range(int64_t dim, int64_t start, int64_t end, int64_t step,
                              int64_t *ret_first, int64_t *ret_count)
{
    int64_t low = step < 0 ? -1 : 0, high = step < 0 ? dim - 1 : dim;
    start = start < 0 ? (start < -dim ? low : start + dim) : start;
    end = end < 0 ? (end < -dim ? low : end + dim) : end;
    start = start < low ? low : start > high ? high : start;
    end = end < low ? low : end > high ? high : end;
    *ret_first = start;
    if (step > 0)
        *ret_count = end <= start ? 0 : (end - start - 1) / step + 1;
    else
        *ret_count = start <= end ? 0 : (start - end - 1) / -step + 1;
}

int lower_part_slice(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0);
    struct lower_slices slices;
    int err = x == NULL ? load_invalid(&lower->load, "has no input")
                        : lower_slices_find(lower, node, &slices);
    if (err < 0)
        return err;
    struct value to = *x;
    for (size_t k = 0; err == 0 && k < slices.n; k++) {
        size_t axis;
        int64_t first, count, step = slices.steps == NULL ? 1 : slices.steps[k];
        int64_t named = slices.axes == NULL ? (int64_t)k : slices.axes[k];
        err = lower_axis(lower, named, to.n_axes, &axis);
        if (err == 0 && (step == 0 || step == INT64_MIN))
            err = load_invalid(&lower->load, "has a step of 0");
        if (err < 0)
            return err;
        lower_slice_range(to.dims[axis], slices.starts[k], slices.ends[k], step, &first, &count);
        err = move_slice(&lower->load, &to, axis, first, count, step, &to);
    }
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

/* ---- Gather ------------------------------------------------------------------------------- */

int lower_part_gather(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0), *indices;
    const int64_t *list;
    int64_t *positions;
    size_t axis, n;
    int err = x == NULL ? load_invalid(&lower->load, "has no input")
                        : lower_axis(lower, graph_attr_int(node, "axis", 0), x->n_axes, &axis);
    if (err == 0)
        err = lower_constant(lower, node, 1, "the list of indices", &indices);
    if (err == 0)
        err = lower_ints(lower, node, 1, "the indices", &list, &n);
    if (err == 0)
        err = load_take(&lower->load, n, sizeof *positions, &positions);
    for (size_t k = 0; err == 0 && k < n; k++) {
        positions[k] = list[k] < 0 ? list[k] + x->dims[axis] : list[k];
        if (positions[k] < 0 || positions[k] >= x->dims[axis])
            err = load_invalid(&lower->load, "index %lld of an axis of size %lld",
                               (long long)list[k], (long long)x->dims[axis]);
    }
    if (err == 0 && n == 0)
        err = load_refuse(&lower->load, "selects nothing at all");
    struct value to;
    if (err == 0)
        err = move_gather(&lower->load, x, axis, positions, indices->n_axes, indices->dims, &to);
    if (err == 0)
        lower_out(lower, node, 0, &to);
    return err;
}

/* ---- Split -------------------------------------------------------------------------------- */

/* Sizes of the parts: as attribute, as input, or equal (the last may be smaller). */
static int lower_split_sizes(struct lower *lower, const struct graph_node *node, int64_t dim,
                             int64_t **ret_sizes)
{
    const struct graph_attr *attr = graph_attr(node, "split");
    const int64_t *list = attr == NULL ? NULL : attr->ints;
    size_t n = attr == NULL ? 0 : attr->n;
    int64_t *sizes, left = dim;
    int err = load_take(&lower->load, node->n_out, sizeof *sizes, &sizes);
    if (err == 0 && attr == NULL && lower_in(lower, node, 1) != NULL)
        err = lower_ints(lower, node, 1, "the sizes of the parts", &list, &n);
    if (err == 0 && list != NULL && n != node->n_out)
        err = load_invalid(&lower->load, "has not as many parts as outputs");
    if (err < 0 || node->n_out == 0)
        return err < 0 ? err : load_invalid(&lower->load, "has no outputs");
    int64_t equal = (dim + (int64_t)node->n_out - 1) / (int64_t)node->n_out;
    for (size_t k = 0; k < node->n_out; k++) {
        sizes[k] = list != NULL ? list[k] : equal < left ? equal : left;
        left -= sizes[k] < 0 || sizes[k] > left ? left + 1 : sizes[k];
        if (left < 0 || sizes[k] == 0)
            return load_invalid(&lower->load, "splits an axis of size %lld into impossible parts",
                                (long long)dim);
    }
    *ret_sizes = sizes;
    return left == 0 ? 0 : load_invalid(&lower->load, "its parts do not make the whole");
}

int lower_part_split(struct lower *lower, const struct graph_node *node)
{
    const struct value *x = lower_in(lower, node, 0);
    int64_t *sizes = NULL, first = 0;
    size_t axis;
    int err = x == NULL ? load_invalid(&lower->load, "has no input")
                        : lower_axis(lower, graph_attr_int(node, "axis", 0), x->n_axes, &axis);
    if (err == 0)
        err = lower_split_sizes(lower, node, x->dims[axis], &sizes);
    for (size_t k = 0; err == 0 && k < node->n_out; k++) {
        struct value part;
        if (!lower_out_unused(lower, node, k)) {
            err = move_slice(&lower->load, x, axis, first, sizes[k], 1, &part);
            if (err == 0)
                lower_out(lower, node, k, &part);
        }
        first += sizes[k];
    }
    return err;
}
