/* lower.c - the walk over the graph, and what all operators use. */
#include "lib/model/lower.h"

#include <string.h>

/* ---- inputs of a node --------------------------------------------------------------------- */

const struct value *lower_in(const struct lower *lower, const struct graph_node *node, size_t k)
{
    int ix = graph_in(node, k);
    return ix < 0 ? NULL : &lower->values[ix];
}

int lower_constant(struct lower *lower, const struct graph_node *node, size_t k, const char *what,
                   const struct value **ret_value)
{
    const struct value *value = lower_in(lower, node, k);
    if (value == NULL)
        return load_invalid(&lower->load, "has no %s", what);
    if (value->data)
        return load_refuse(&lower->load, "%s is computed from the inputs: it must be a constant",
                           what);
    *ret_value = value;
    return 0;
}

int lower_ints(struct lower *lower, const struct graph_node *node, size_t k, const char *what,
               const int64_t **ret_ints, size_t *ret_n)
{
    const struct value *value = NULL;
    struct value spread;
    int err = lower_constant(lower, node, k, what, &value);
    if (err == 0 && value->type == GRAPH_FLOAT)
        err = load_invalid(&lower->load, "%s must be integers", what);
    if (err == 0)
        err = value_spread(&lower->load, value, &spread);
    if (err < 0)
        return err;
    *ret_ints = spread.ints;
    *ret_n = spread.n;
    return 0;
}

int lower_floats(struct lower *lower, const struct graph_node *node, size_t k, const char *what,
                 const float **ret_floats, size_t *ret_n)
{
    const struct value *value = NULL;
    struct value spread;
    int err = lower_constant(lower, node, k, what, &value);
    if (err == 0 && value->type != GRAPH_FLOAT)
        err = load_invalid(&lower->load, "%s must be floats", what);
    if (err == 0)
        err = value_spread(&lower->load, value, &spread);
    if (err < 0)
        return err;
    *ret_floats = spread.floats;
    *ret_n = spread.n;
    return 0;
}

int lower_axis(struct lower *lower, int64_t axis, size_t n_axes, size_t *ret_axis)
{
    if (axis < -(int64_t)n_axes || axis >= (int64_t)n_axes)
        return load_invalid(&lower->load, "axis %lld of a tensor with %zu axes", (long long)axis,
                            n_axes);
    *ret_axis = (size_t)(axis < 0 ? axis + (int64_t)n_axes : axis);
    return 0;
}

int lower_axes(struct lower *lower, const struct graph_node *node, size_t k, size_t n_axes,
               size_t *ret_axes, size_t *ret_n)
{
    const struct graph_attr *attr = graph_attr(node, "axes");
    const int64_t *axes = NULL;
    size_t n = 0;
    int err = 0;
    if (attr != NULL && attr->kind == GRAPH_ATTR_INTS) {
        axes = attr->ints;
        n = attr->n;
    } else if (lower_in(lower, node, k) != NULL) {
        err = lower_ints(lower, node, k, "axes", &axes, &n);
    } else {
        *ret_n = SIZE_MAX;
        return 0;
    }
    if (err == 0 && n > n_axes)
        err = load_invalid(&lower->load, "names more axes than the tensor has");
    for (size_t j = 0; err == 0 && j < n; j++) {
        err = lower_axis(lower, axes[j], n_axes, &ret_axes[j]);
        for (size_t i = 0; err == 0 && i < j; i++)
            if (ret_axes[i] == ret_axes[j])
                err = load_invalid(&lower->load, "names an axis twice");
    }
    *ret_n = n;
    return err;
}

/* ---- outputs of a node -------------------------------------------------------------------- */

void lower_out(struct lower *lower, const struct graph_node *node, size_t k,
               const struct value *value)
{
    int ix = graph_out(node, k);
    if (ix >= 0)
        lower->values[ix] = *value;
}

bool lower_out_unused(const struct lower *lower, const struct graph_node *node, size_t k)
{
    int ix = graph_out(node, k);
    for (size_t j = 0; ix >= 0 && j < lower->graph->n_outputs; j++)
        if (lower->graph->outputs[j].value == ix)
            return false;
    return ix < 0 || lower->leads[ix] == 0;
}

int lower_slot(struct lower *lower, const struct graph_node *node, const struct value *value,
               size_t *ret_slot)
{
    return plan_materialise(&lower->plan, node, value, ret_slot);
}

int lower_step(struct lower *lower, const struct plan_step *step, const size_t *in, size_t n_in,
               struct value *shape)
{
    size_t slot;
    int err = plan_append(&lower->plan, step, in, n_in, &shape->n, 1, &slot);
    if (err == 0)
        err = plan_refs(&lower->plan, slot, &shape->ints);
    shape->data = true;
    shape->type = GRAPH_FLOAT;
    return err;
}

/* min(max(any number, constant), constant) */
int lower_as_data(struct lower *lower, const struct graph_node *node, const struct value *shape,
                  const float *items, size_t any_slot, struct value *ret_value)
{
    static const enum cell_operator operators[] = {CELL_MAX, CELL_MIN};
    struct value value = *shape;
    int64_t *refs;
    size_t slot;
    int err = load_take(&lower->load, shape->n, sizeof *refs, &refs);
    if (err < 0)
        return err;
    for (size_t k = 0; k < shape->n; k++)
        refs[k] = value_ref(any_slot, 0);
    value.data = true;
    value.ints = refs;
    for (size_t k = 0; err == 0 && k < 2; k++) {
        struct plan_step step = {.kind = PLAN_BINARY,
                                 .node = node,
                                 .op = "Constant",
                                 .binary = {operators[k], NULL, items}};
        err = lower_slot(lower, node, &value, &slot);
        if (err == 0)
            err = lower_step(lower, &step, &slot, 1, &value);
    }
    if (err == 0)
        *ret_value = value;
    return err;
}

/* ---- the walk ----------------------------------------------------------------------------- */

static int lower_node(struct lower *lower, const struct graph_node *node)
{
    lower_operator *work = NULL;
    int err = lower_table_find(lower, node, &work);
    for (size_t k = 0; err == 0 && k < node->n_in; k++) {
        const struct value *value = lower_in(lower, node, k);
        if (value != NULL && !value->defined)
            err = load_refuse(&lower->load, "uses output '%s', which is not supported",
                              lower->graph->values[node->in[k]].name);
    }
    return err < 0 ? err : work(lower, node);
}

static int lower_nodes(struct lower *lower, const struct graph_node *nodes, size_t n)
{
    int err = 0;
    for (size_t k = 0; err == 0 && k < n; k++) {
        if (!nodes[k].live)
            continue;
        lower->load.node = *nodes[k].name != '\0' ? nodes[k].name : nodes[k].op;
        err = lower_node(lower, &nodes[k]);
        lower->n_done += err == 0;
    }
    return err;
}

/* Exporters ask so for a size that they do not know, PyTorch in squeeze(); the answer is known here.
 * The other branch need not make sense. */
int lower_if(struct lower *lower, const struct graph_node *node)
{
    const int64_t *asks;
    size_t n;
    const char *name = lower->load.node;
    int err = lower_ints(lower, node, 0, "the condition of If", &asks, &n);
    if (err < 0)
        return err;
    if (n != 1 || node->branches == NULL)
        return load_invalid(&lower->load, "If needs one condition and two branches");
    const struct graph_branch *branch = &node->branches[asks[0] != 0 ? 0 : 1];
    if (branch->n_out < node->n_out)
        return load_invalid(&lower->load, "a branch has fewer outputs than its If");
    err = lower_nodes(lower, branch->nodes, branch->n_nodes);
    for (size_t k = 0; err == 0 && k < node->n_out; k++) {
        lower->load.node = name;
        if (branch->out[k] < 0 || !lower->values[branch->out[k]].defined)
            return load_refuse(&lower->load, "output %zu of a branch is not supported", k);
        lower_out(lower, node, k, &lower->values[branch->out[k]]);
    }
    return err;
}

static int lower_outputs(struct lower *lower)
{
    struct plan *plan = &lower->plan;
    const struct graph *graph = lower->graph;
    if (graph->n_outputs == 0)
        return load_refuse(&lower->load, "the graph has no output");
    int err = load_take(&lower->load, graph->n_outputs, sizeof *plan->outputs, &plan->outputs);
    for (size_t k = 0; err == 0 && k < graph->n_outputs; k++) {
        struct value value = lower->values[graph->outputs[k].value];
        static const struct graph_node output = {.name = "", .op = "Output", .domain = ""};
        const char *name = graph->values[graph->outputs[k].value].name;
        if (!value.defined)
            return load_refuse(&lower->load, "output '%s' is not supported", name);
        if (!value.data && (value.type != GRAPH_FLOAT || value.n == 0))
            return load_refuse(&lower->load, "output '%s' is not made of floats", name);
        struct value spread = value;
        if (!value.data)
            err = value_spread(&lower->load, &value, &spread);
        if (err == 0 && !value.data)
            err = lower_as_data(lower, &output, &spread, spread.floats, 0, &value);
        if (err == 0)
            err = lower_slot(lower, &output, &value, &plan->outputs[plan->n_outputs]);
        plan->n_outputs++;
    }
    return err;
}

/* A carried state must come back in the shape in which it is taken. */
static int lower_check_carries(struct lower *lower)
{
    const struct graph *graph = lower->graph;
    for (size_t k = 0; k < graph->n_carries; k++) {
        const struct graph_carry *carry = &graph->carries[k];
        int output = graph->outputs[carry->output_ix].value;
        const struct value *to = &lower->values[carry->input], *from = &lower->values[output];
        bool same = !to->data || (to->n_axes == from->n_axes && to->n == from->n);
        for (size_t axis = 0; same && to->data && axis < to->n_axes; axis++)
            same = to->dims[axis] == from->dims[axis];
        char shape[160], other[160];
        if (!same)
            return load_invalid(&lower->load, "the state '%s' is %s, but '%s' is %s",
                                graph->values[carry->input].name, value_shape_text(to, shape),
                                graph->values[output].name, value_shape_text(from, other));
    }
    return 0;
}

int lower_graph(struct lower *lower)
{
    const struct graph *graph = lower->graph;
    lower->plan = (struct plan){.load = &lower->load};
    int err = load_take(&lower->load, graph->n_values, sizeof *lower->values, &lower->values);
    if (err == 0)
        err = lower_input_all(lower);
    if (err == 0)
        err = lower_nodes(lower, graph->nodes, graph->n_nodes);
    if (err < 0)
        return err;
    lower->load.node = NULL;
    err = lower_outputs(lower);
    if (err == 0)
        err = lower_check_carries(lower);
    return err < 0 ? err : fuse_plan(&lower->plan);
}
