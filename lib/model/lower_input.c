/* lower_input.c - the graph's inputs and initializers as values: what is time, batch, a state.
 *
 *     input of values   [B, T, 5]      -> a slot of 5, axes tagged by the attempt's guess
 *     carried state     [B, H]         -> likewise, but of what an output was at the timestep before
 *     initial state     [L, B, H]      -> a constant: zeros
 *     sequence lengths  [B]            -> a constant: all timesteps */
#include <string.h>

#include "lib/model/lower.h"

static const char *lower_letters(const struct lower *lower, const struct graph_port *port)
{
    size_t n = port->n_dims;
    return n == 0 ? "" : lower->guess->axes[n > 3 ? 2 : n - 1];
}

static char lower_letter(const struct lower *lower, const struct graph_port *port, size_t axis)
{
    const char *letters = lower_letters(lower, port);
    return axis < strlen(letters) ? letters[axis] : 'F';
}

static bool lower_is_data(const struct lower *lower, const struct graph_port *port)
{
    unsigned leads = lower->leads[port->value];
    return leads == 0 || (leads & GRAPH_TO_VALUES) != 0;
}

/* The length of the sequence and the size of the batch: as declared by an input, else primes. */
static void lower_find_sizes(struct lower *lower)
{
    int64_t known[2] = {0, 0};
    bool seen[2] = {false, false};
    for (size_t k = 0; k < lower->graph->n_inputs; k++) {
        const struct graph_port *port = &lower->graph->inputs[k];
        for (size_t axis = 0; axis < port->n_dims; axis++) {
            char letter = lower_letter(lower, port, axis);
            if (!lower_is_data(lower, port) || letter == 'F')
                continue;
            seen[letter == 'B'] = true;
            if (port->dims[axis] > known[letter == 'B'])
                known[letter == 'B'] = port->dims[axis];
        }
    }
    lower->any_unknown = (seen[0] && known[0] == 0) || (seen[1] && known[1] == 0);
    lower->sizes.time = !seen[0] ? 1 : known[0] > 0 ? known[0] : lower->primes[0];
    lower->sizes.batch = !seen[1] ? 1 : known[1] > 0 ? known[1] : lower->primes[1];
    lower->sizes.time_known = known[0] > 0;
}

/* Which pair of carries the input is of; SIZE_MAX: of none. */
static size_t lower_find_carry(const struct lower *lower, const struct graph_port *port)
{
    for (size_t k = 0; k < lower->graph->n_carries; k++)
        if (lower->graph->carries[k].input == port->value && lower_is_data(lower, port))
            return k;
    return SIZE_MAX;
}

/* The slot of an input of n values: of the frame, or carried. */
static int lower_input_slot(struct lower *lower, const struct graph_port *port, size_t n,
                            size_t *ret_slot)
{
    static const struct graph_node state = {.name = "", .op = "State", .domain = ""};
    struct plan *plan = &lower->plan;
    struct plan_step recall = {.kind = PLAN_RECALL, .node = &state, .op = state.op};
    size_t carry = lower_find_carry(lower, port);
    if (carry == SIZE_MAX) {
        plan->inputs[plan->n_inputs++] = port;
        return plan_slot(plan, n, ret_slot);
    }
    plan->carries[plan->n_carries++] =
        (struct plan_carry){plan->n_steps, lower->graph->carries[carry].output_ix};
    return plan_append(plan, &recall, NULL, 0, &n, 1, ret_slot);
}

static int lower_data_input(struct lower *lower, const struct graph_port *port)
{
    struct load *load = &lower->load;
    struct value value = {.defined = true, .data = true, .type = port->type, .n = 1, .size = 1};
    const char *name = lower->graph->values[port->value].name;
    int err = 0;
    for (size_t axis = 0; err == 0 && axis < port->n_dims; axis++) {
        char letter = lower_letter(lower, port, axis);
        int64_t dim = port->dims[axis];
        if (letter == 'F' && dim < 0)
            return load_refuse(load,
                               "input '%s' does not say how many values axis %zu has: only time "
                               "and batch may be left open (dynamic_axes)",
                               name, axis);
        if (dim < 0)
            dim = letter == 'T' ? lower->sizes.time : lower->sizes.batch;
        err = value_add_axis(load, &value);
        if (err == 0)
            err = value_add_factor(load, &value,
                                   letter == 'T'   ? FACTOR_TIME
                                   : letter == 'B' ? FACTOR_BATCH
                                                   : FACTOR_ITEM,
                                   dim);
    }
    size_t slot;
    if (err == 0)
        err = lower_input_slot(lower, port, value.n, &slot);
    if (err == 0)
        err = plan_refs(&lower->plan, slot, &value.ints);
    if (err < 0)
        return err;
    lower->values[port->value] = value;
    return 0;
}

/* The size of an open axis of an input that is a state: that of the axis with the same name. */
static int64_t lower_named_size(const struct lower *lower, const char *param)
{
    for (size_t k = 0; param != NULL && k < lower->graph->n_inputs; k++) {
        const struct graph_port *port = &lower->graph->inputs[k];
        for (size_t axis = 0; lower_is_data(lower, port) && axis < port->n_dims; axis++)
            if (port->params[axis] != NULL && strcmp(port->params[axis], param) == 0)
                return lower_letter(lower, port, axis) == 'T' ? lower->sizes.time
                                                              : lower->sizes.batch;
    }
    return lower->sizes.batch;
}

/* Initial states start at zero; lengths of sequences say that all are whole. */
static int lower_state_input(struct lower *lower, const struct graph_port *port)
{
    static const float zero = 0;
    bool state = (lower->leads[port->value] & GRAPH_TO_STATE) != 0;
    int64_t dims[GRAPH_DIMS_MAX];
    for (size_t axis = 0; axis < port->n_dims; axis++)
        dims[axis] =
            port->dims[axis] > 0 ? port->dims[axis] : lower_named_size(lower, port->params[axis]);
    struct value *value = &lower->values[port->value];
    int err =
        value_uniform(&lower->load, state ? GRAPH_FLOAT : GRAPH_INT,
                      state ? (const void *)&zero : &lower->sizes.time, port->n_dims, dims, value);
    value->zero_state = state;
    return err;
}

static int lower_input(struct lower *lower, const struct graph_port *port)
{
    const char *name = lower->graph->values[port->value].name;
    if (!port->has_shape)
        return load_refuse(&lower->load, "input '%s' has no shape: export the model with one",
                           name);
    if (!lower_is_data(lower, port))
        return lower_state_input(lower, port);
    if (port->type == GRAPH_BOOL || port->type == GRAPH_OTHER)
        return load_refuse(&lower->load, "input '%s' is not a tensor of numbers", name);
    return lower_data_input(lower, port);
}

int lower_input_all(struct lower *lower)
{
    const struct graph *graph = lower->graph;
    int err =
        load_take(&lower->load, graph->n_inputs, sizeof *lower->plan.inputs, &lower->plan.inputs);
    if (err == 0)
        err = load_take(&lower->load, graph->n_carries, sizeof *lower->plan.carries,
                        &lower->plan.carries);
    lower_find_sizes(lower);
    for (int carried = 0; carried < 2; carried++) /* a frame's slots are the first */
        for (size_t k = 0; err == 0 && k < graph->n_inputs; k++)
            if ((lower_find_carry(lower, &graph->inputs[k]) != SIZE_MAX) == carried)
                err = lower_input(lower, &graph->inputs[k]);
    for (size_t v = 0; err == 0 && v < graph->n_values; v++) {
        const struct graph_tensor *tensor = graph->values[v].tensor;
        if (tensor == NULL)
            continue;
        err = value_constant(&lower->load, tensor->type, tensor->items, tensor->n_dims,
                             tensor->dims, &lower->values[v]);
        lower->values[v].origin = graph->values[v].name;
    }
    if (err == 0 && lower->plan.n_inputs == 0)
        err = load_refuse(&lower->load, "the graph has no input that takes values");
    return err;
}
