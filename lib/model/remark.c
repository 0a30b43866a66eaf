/* remark.c - graphs that load, but perhaps not as what their maker thinks they are.
 *
 *     no recurrent layer, [batch, 8, 3]    a window of 8 timesteps is one frame of 24 values
 *     no recurrent layer, h and h_out      a state of one's own is a value of the frame
 *     PyTorch's GRU, no attribute          not PyTorch's arithmetic
 *
 * The first two are what exporters make of a recurrent layer that they write out. */
#include "lib/model/remark.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/model/carry.h"

#define REMARK_BYTES 480

__attribute__((format(printf, 3, 4))) static int
remark_add(struct lower *lower, struct celltap_model *model, const char *format, ...)
{
    char text[REMARK_BYTES];
    va_list args;
    if (model->n_remarks == MODEL_REMARKS_MAX)
        return 0;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    load_printable(text);
    const char *kept = arena_text(&model->arena, text, strlen(text));
    if (kept == NULL)
        return load_no_memory(&lower->load);
    model->remarks[model->n_remarks++] = kept;
    return 0;
}

/* ---- a window as one frame ---------------------------------------------------------------- */

/* "8 x 3" of an input [batch, 8, 3] whose axes are all values; false: one of them is time. */
static bool remark_window(const struct lower *lower, const struct graph_port *port, char *text,
                          size_t room)
{
    const char *letters = port->n_dims < 3 ? "T" : lower->guess->axes[2];
    size_t n_axes = 0, at = 0;
    for (size_t axis = 0; axis < port->n_dims; axis++) {
        if (axis < strlen(letters) && letters[axis] == 'T')
            return false;
        if ((axis < strlen(letters) && letters[axis] == 'B') || port->dims[axis] < 2)
            continue;
        at += (size_t)snprintf(text + at, room - at, "%s%lld", n_axes++ > 0 ? " x " : "",
                               (long long)port->dims[axis]);
        at = at < room ? at : room - 1;
    }
    return n_axes > 1;
}

static int remark_windows(struct lower *lower, struct celltap_model *model)
{
    char sizes[128];
    int err = 0;
    for (size_t k = 0; err == 0 && k < lower->plan.n_inputs; k++) {
        const struct graph_port *port = lower->plan.inputs[k];
        if (remark_window(lower, port, sizes, sizeof sizes))
            err = remark_add(lower, model,
                             "all %s values of input '%.100s' are one frame, none of its axes is "
                             "time: a recurrent layer that the exporter wrote out timestep by "
                             "timestep is none any more (PyTorch keeps nn.LSTM, nn.GRU and nn.RNN "
                             "whole with torch.onnx.export(..., dynamo=False))",
                             sizes, lower->graph->values[port->value].name);
    }
    return err;
}

/* ---- states of one's own ------------------------------------------------------------------ */

static bool remark_same_shape(const struct lower *lower, int a, int b)
{
    const struct value *x = &lower->values[a], *y = &lower->values[b];
    bool same = y->defined && x->n_axes == y->n_axes;
    for (size_t axis = 0; same && axis < x->n_axes; axis++)
        same = x->dims[axis] == y->dims[axis];
    return same;
}

/* "h=h_out c=c_out": inputs but the first, each with the next output of its shape. */
static void remark_pairs(const struct lower *lower, char *text, size_t room)
{
    const struct graph *graph = lower->graph;
    size_t at = 0, next = 0;
    text[0] = '\0';
    for (size_t k = 1; k < lower->plan.n_inputs; k++) {
        int input = lower->plan.inputs[k]->value;
        size_t j = next;
        while (j < graph->n_outputs && !remark_same_shape(lower, input, graph->outputs[j].value))
            j++;
        if (j == graph->n_outputs)
            continue;
        at += (size_t)snprintf(text + at, room - at, "%s%s=%s", at > 0 ? " " : "",
                               graph->values[input].name,
                               graph->values[graph->outputs[j].value].name);
        at = at < room ? at : room - 1;
        next = j + 1;
    }
}

static int remark_states(struct lower *lower, struct celltap_model *model)
{
    char pairs[200];
    remark_pairs(lower, pairs, sizeof pairs);
    if (pairs[0] == '\0')
        return 0;
    return remark_add(lower, model,
                      "nothing is kept between timesteps: if inputs are the states that outputs "
                      "give, say so in the model's metadata, " CARRY_KEY " = '%s' "
                      "(onnx.helper.set_model_props), else they are values of the frame",
                      pairs);
}

/* ---- PyTorch's GRU ------------------------------------------------------------------------ */

static int remark_grus(struct lower *lower, struct celltap_model *model)
{
    int err = 0;
    if (strcmp(lower->graph->producer, "pytorch") != 0)
        return 0;
    for (size_t k = 0; err == 0 && k < lower->graph->n_nodes; k++) {
        const struct graph_node *node = &lower->graph->nodes[k];
        if (strcmp(node->op, "GRU") == 0 && graph_attr(node, "linear_before_reset") == NULL)
            err = remark_add(lower, model,
                             "node %.100s: a GRU from PyTorch without linear_before_reset=1, which "
                             "PyTorch's GRU has (some versions of its exporter forget it): what "
                             "the file says is computed, not what was trained; "
                             "torch.onnx.export(..., dynamo=False) writes it right",
                             *node->name != '\0' ? node->name : node->op);
    }
    return err;
}

int remark_model(struct lower *lower, struct celltap_model *model)
{
    int err = 0;
    if (model->n_states == 0)
        err = remark_windows(lower, model);
    if (err == 0 && model->n_states == 0)
        err = remark_states(lower, model);
    return err < 0 ? err : remark_grus(lower, model);
}
