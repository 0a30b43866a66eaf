/* toy.c - the model made by hand, and its one cell. */
#include "tests/support/toy.h"

#include <string.h>

/* Offsets into a column, in floats. */
#define TOY_AT_A      0
#define TOY_AT_B      CELL_PAD
#define TOY_AT_H      (2 * CELL_PAD)
#define TOY_AT_OUTPUT (3 * CELL_PAD)
#define TOY_COLUMN    (4 * CELL_PAD)

static void toy_step(const struct cell *cell, struct kernel_panel *panel)
{
    struct toy *toy = (struct toy *)(void *)((unsigned char *)cell - offsetof(struct toy, cell));
    toy->n_steps++;
    for (size_t i = 0; i < panel->n_columns; i++) {
        float *column = panel->activations + i * panel->stride;
        float *h = panel->states[i];
        h[0] += column[TOY_AT_A];
        h[1] += column[TOY_AT_A + 1];
        h[2] += column[TOY_AT_B];
        memcpy(column + TOY_AT_H, h, TOY_N_VALUES * sizeof *h);
        column[TOY_AT_OUTPUT] = h[0] + h[1] + h[2];
    }
}

static const struct cell_class toy_class = {.step = toy_step};

static const struct model_tensor toy_inputs[] = {{"a", TOY_AT_A, 2}, {"b", TOY_AT_B, 1}};
static const struct model_tensor toy_sum[] = {{"output", TOY_AT_OUTPUT, 1},
                                              {"h", TOY_AT_H, TOY_N_VALUES}};
static const struct model_layer toy_layers[] = {
    [TOY_LAYER_INPUT] = {.name = "@input", .kind = "Input", .n_tensors = 2, .tensors = toy_inputs},
    [TOY_LAYER_SUM] = {.name = "sum", .kind = "Sum", .n_tensors = 2, .tensors = toy_sum},
};
static const struct model_input toy_frame[] = {{TOY_AT_A, 2}, {TOY_AT_B, 1}};

void toy_init(struct toy *toy)
{
    *toy = (struct toy){
        .cell = {.class = &toy_class},
        .initial = {TOY_INITIAL},
        .model =
            {
                .n_refs = 1,
                .n_values = TOY_N_VALUES,
                .n_inputs = 2,
                .inputs = toy_frame,
                .n_activations = TOY_COLUMN,
                .n_states = CELL_PAD,
                .n_layers = TOY_N_LAYERS,
                .layers = toy_layers,
                .n_cells = 1,
            },
    };
    toy->cells[0] = &toy->cell;
    toy->model.cells = toy->cells;
    toy->model.initial = toy->initial;
}
