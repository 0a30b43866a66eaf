/* pack.c - makes the cells of a plan and lays out a column.
 *
 *     column   | input 0 | input 1 | step 0: h c i f g o | step 1: output | ...
 *
 * every vector starts at a multiple of CELL_PAD.  What the plan holds of constants is copied by the
 * cells' makers, names by the model's arena, so the load's memory can go. */
#include "lib/model/pack.h"

#include <string.h>

#include "lib/base/alloc.h"
#include "lib/model/name.h"

struct pack {
    const struct graph *graph;
    const struct plan *plan;
    struct celltap_model *model;
    size_t *at; /* of each slot in a column */
};

/* ---- cells -------------------------------------------------------------------------------- */

static int pack_select(const struct plan *plan, const struct plan_step *step, struct cell **ret)
{
    size_t *sizes;
    int err = load_take(plan->load, step->n_in, sizeof *sizes, &sizes);
    if (err < 0)
        return err;
    for (size_t k = 0; k < step->n_in; k++)
        sizes[k] = plan->slots[step->in[k]].n;
    return select_new(step->n_in, sizes, plan->slots[step->out].n, step->select, ret);
}

static int pack_cell(const struct plan *plan, const struct plan_step *step, struct cell **ret)
{
    size_t n = plan->slots[step->out].n;
    switch (step->kind) {
    case PLAN_LSTM:
        return lstm_new(&step->lstm, ret);
    case PLAN_GRU:
        return gru_new(&step->gru, ret);
    case PLAN_RNN:
        return rnn_new(&step->rnn, ret);
    case PLAN_DENSE:
        return dense_new(&step->dense, ret);
    case PLAN_UNARY:
        return unary_new(n, step->unary, ret);
    case PLAN_BINARY:
        return binary_new(n, step->binary.operator, step->binary.a, step->binary.b, ret);
    case PLAN_REDUCE:
        return reduce_new(step->reduce.reduction, step->reduce.outer, step->reduce.n,
                          step->reduce.inner, ret);
    case PLAN_RECALL:
        return recall_new(n, ret);
    case PLAN_NORM:
        return norm_new(step->norm.outer, step->norm.n, step->norm.epsilon, step->norm.scale,
                        step->norm.bias, ret);
    default:
        return pack_select(plan, step, ret);
    }
}

static void pack_place(struct pack *pack, const struct plan_step *step, struct cell *cell)
{
    struct celltap_model *model = pack->model;
    for (size_t k = 0; k < step->n_in; k++)
        cell->in_at[k] = pack->at[step->in[k]];
    cell->out_at = pack->at[step->out]; /* the others have the slots behind it */
    cell->state_at = model->n_states;
    model->n_states += cell_padded(cell->n_states);
}

static int pack_cells(struct pack *pack)
{
    const struct plan *plan = pack->plan;
    struct celltap_model *model = pack->model;
    model->cells = arena_take(&model->arena, plan->n_steps + plan->n_carries, sizeof *model->cells);
    int err = model->cells == NULL ? load_no_memory(plan->load) : 0;
    for (size_t k = 0; err == 0 && k < plan->n_steps; k++) {
        const struct plan_step *step = &plan->steps[k];
        if (step->gone)
            continue;
        plan->load->node = *step->node->name != '\0' ? step->node->name : step->node->op;
        err = pack_cell(plan, step, &model->cells[model->n_cells]);
        if (err < 0)
            return err == CELLTAP_ENOMEM ? load_no_memory(plan->load)
                                         : load_refuse(plan->load, "has sizes that no layer has");
        pack_place(pack, step, model->cells[model->n_cells++]);
    }
    return err;
}

/* The cell of a step that is not gone. */
static const struct cell *pack_cell_of(const struct pack *pack, size_t step_ix)
{
    size_t cell_ix = 0;
    for (size_t k = 0; k < step_ix; k++)
        cell_ix += !pack->plan->steps[k].gone;
    return pack->model->cells[cell_ix];
}

/* Behind all others: what is kept of this timestep for the next one. */
static int pack_carries(struct pack *pack)
{
    const struct plan *plan = pack->plan;
    struct celltap_model *model = pack->model;
    for (size_t k = 0; k < plan->n_carries; k++) {
        const struct plan_carry *carry = &plan->carries[k];
        size_t slot = plan->outputs[carry->output_ix];
        if (plan->steps[carry->step].gone) /* nobody looks at it */
            continue;
        if (recall_keep_new(plan->slots[slot].n, &model->cells[model->n_cells]) < 0)
            return load_no_memory(plan->load);
        struct cell *cell = model->cells[model->n_cells++];
        cell->in_at[0] = pack->at[slot];
        cell->state_at = pack_cell_of(pack, carry->step)->state_at;
    }
    return 0;
}

/* The fresh states of all cells, side by side. */
static int pack_initial(struct pack *pack)
{
    struct celltap_model *model = pack->model;
    float *initial = arena_take(&model->arena, model->n_states, sizeof *initial);
    if (initial == NULL)
        return load_no_memory(pack->plan->load);
    for (size_t k = 0; k < model->n_cells; k++) {
        const struct cell *cell = model->cells[k];
        if (cell->initial != NULL)
            memcpy(initial + cell->state_at, cell->initial, cell->n_states * sizeof *initial);
    }
    model->initial = initial;
    return 0;
}

/* ---- the column --------------------------------------------------------------------------- */

static int pack_column(struct pack *pack)
{
    const struct plan *plan = pack->plan;
    struct celltap_model *model = pack->model;
    struct model_input *inputs = arena_take(&model->arena, plan->n_inputs, sizeof *inputs);
    int err = load_take(plan->load, plan->n_slots, sizeof *pack->at, &pack->at);
    if (err < 0 || inputs == NULL)
        return err < 0 ? err : load_no_memory(plan->load);
    for (size_t slot = 0; slot < plan->n_slots; slot++) {
        size_t writer = plan->slots[slot].step;
        if (writer != PLAN_NO_STEP && plan->steps[writer].gone)
            continue;
        pack->at[slot] = model->n_activations;
        model->n_activations += cell_padded(plan->slots[slot].n);
    }
    for (size_t k = 0; k < plan->n_inputs; k++) {
        inputs[k] = (struct model_input){.at = pack->at[k], .n = plan->slots[k].n};
        model->n_values += plan->slots[k].n;
    }
    model->inputs = inputs;
    model->n_inputs = plan->n_inputs;
    return 0;
}

/* ---- layers ------------------------------------------------------------------------------- */

/* A layer "@input" or "@output": a tensor per port. */
static int pack_ports(struct pack *pack, const char *name, const char *kind, size_t n,
                      const int *values, const size_t *slots, struct model_layer *layer)
{
    struct arena *arena = &pack->model->arena;
    struct model_tensor *tensors = arena_take(arena, n, sizeof *tensors);
    const char **names;
    int err = load_take(pack->plan->load, n, sizeof *names, &names);
    if (err < 0 || tensors == NULL)
        return err < 0 ? err : load_no_memory(pack->plan->load);
    *layer = (struct model_layer){.kind = kind, .n_tensors = n, .tensors = tensors};
    layer->name = arena_text(arena, name, strlen(name));
    for (size_t k = 0; k < n; k++) {
        names[k] = name_unique(arena, pack->graph->values[values[k]].name, names, k);
        if (names[k] == NULL)
            return load_no_memory(pack->plan->load);
        tensors[k] =
            (struct model_tensor){names[k], pack->at[slots[k]], pack->plan->slots[slots[k]].n};
        layer->n_inputs += tensors[k].n;
    }
    return layer->name == NULL ? load_no_memory(pack->plan->load) : 0;
}

static int pack_input_layer(struct pack *pack, struct model_layer *layer)
{
    const struct plan *plan = pack->plan;
    int *values;
    size_t *slots;
    int err = load_take(plan->load, plan->n_inputs, sizeof *values, &values);
    if (err == 0)
        err = load_take(plan->load, plan->n_inputs, sizeof *slots, &slots);
    for (size_t k = 0; err == 0 && k < plan->n_inputs; k++) {
        values[k] = plan->inputs[k]->value;
        slots[k] = k;
    }
    return err < 0 ? err
                   : pack_ports(pack, "@input", "Input", plan->n_inputs, values, slots, layer);
}

static int pack_output_layer(struct pack *pack, struct model_layer *layer)
{
    const struct plan *plan = pack->plan;
    int *values;
    int err = load_take(plan->load, plan->n_outputs, sizeof *values, &values);
    for (size_t k = 0; err == 0 && k < plan->n_outputs; k++)
        values[k] = pack->graph->outputs[k].value;
    return err < 0 ? err
                   : pack_ports(pack, "@output", "Output", plan->n_outputs, values, plan->outputs,
                                layer);
}

/* What a layer of each kind calls its vectors; "output" comes first and is the first of them. */
static const char *const pack_tensor_names[][CELL_TENSORS_MAX] = {
    [PLAN_LSTM] = {"h", "c", "i", "f", "g", "o"},
    [PLAN_GRU] = {"h", "z", "r", "n"},
    [PLAN_RNN] = {"h"},
    [PLAN_SELECT] = {NULL},
};

static int pack_tensors(struct pack *pack, const struct plan_step *step, struct model_layer *layer)
{
    bool recurrent = pack_tensor_names[step->kind][0] != NULL;
    size_t n = step->n_out + recurrent;
    struct model_tensor *tensors = arena_take(&pack->model->arena, n, sizeof *tensors);
    if (tensors == NULL)
        return load_no_memory(pack->plan->load);
    for (size_t k = 0; k < n; k++) {
        size_t out = k < recurrent ? 0 : k - recurrent;
        tensors[k] = (struct model_tensor){
            .name = k == 0 ? "output" : pack_tensor_names[step->kind][out],
            .at = pack->at[step->out + out],
            .n = pack->plan->slots[step->out + out].n,
        };
    }
    layer->tensors = tensors;
    layer->n_tensors = n;
    return 0;
}

/* Parameters and multiply-adds of all the steps that the layer's node became. */
static void pack_costs(struct pack *pack, const struct plan_step *step, struct model_layer *layer)
{
    for (size_t k = 0, c = 0; k < pack->plan->n_steps; k++) {
        const struct plan_step *other = &pack->plan->steps[k];
        if (other->gone)
            continue;
        const struct cell *cell = pack->model->cells[c++];
        if (other != step && (other->layer || other->node != step->node))
            continue;
        layer->n_parameters += cell->n_parameters;
        layer->n_macs += cell->n_macs;
        for (size_t j = 0; other == step && j < cell->n_inputs; j++)
            layer->n_inputs += cell->in_sizes[j];
    }
}

static int pack_layers(struct pack *pack)
{
    const struct plan *plan = pack->plan;
    struct celltap_model *model = pack->model;
    const char **names;
    size_t n = 0, at = 1;
    for (size_t k = 0; k < plan->n_steps; k++)
        n += plan->steps[k].layer && !plan->steps[k].gone;
    struct model_layer *layers = arena_take(&model->arena, n + 2, sizeof *layers);
    int err = load_take(plan->load, n, sizeof *names, &names);
    if (err == 0)
        err = layers == NULL ? load_no_memory(plan->load)
                             : name_layers(&model->arena, plan, n, names);
    if (err == 0)
        err = pack_input_layer(pack, &layers[0]);
    for (size_t k = 0; err == 0 && k < plan->n_steps; k++) {
        const struct plan_step *step = &plan->steps[k];
        if (step->gone || !step->layer)
            continue;
        layers[at].name = names[at - 1];
        layers[at].kind = arena_text(&model->arena, step->op, strlen(step->op));
        err = layers[at].kind == NULL ? load_no_memory(plan->load)
                                      : pack_tensors(pack, step, &layers[at]);
        pack_costs(pack, step, &layers[at++]);
    }
    if (err == 0)
        err = pack_output_layer(pack, &layers[n + 1]);
    model->layers = layers;
    model->n_layers = n + 2;
    return err;
}

int pack_model(const struct graph *graph, const struct plan *plan, struct celltap_model **ret_model)
{
    struct pack pack = {.graph = graph, .plan = plan, .model = alloc_new(1, sizeof *pack.model)};
    if (pack.model == NULL)
        return load_no_memory(plan->load);
    arena_init(&pack.model->arena);
    atomic_init(&pack.model->n_refs, 1);
    int err = pack_column(&pack);
    if (err == 0)
        err = pack_cells(&pack);
    plan->load->node = NULL;
    if (err == 0)
        err = pack_carries(&pack);
    if (err == 0)
        err = pack_initial(&pack);
    if (err == 0)
        err = pack_layers(&pack);
    if (err < 0)
        pack_free(pack.model);
    else
        *ret_model = pack.model;
    return err;
}

void pack_free(struct celltap_model *model)
{
    if (model == NULL)
        return;
    for (size_t k = 0; k < model->n_cells; k++)
        cell_free(model->cells[k]);
    arena_done(&model->arena);
    alloc_free(model);
}
