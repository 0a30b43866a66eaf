/* model.h - a loaded model: layers to look at, cells to run.
 *
 *     cells[]   what a step runs, in order          layers[]  what a user sees, in the same order
 *        |                                              |
 *        +-- offsets into a column of activations ------+-- tensors: name, offset, size
 *
 * One column (one stream's timestep) is n_activations floats: the graph's inputs first, then every
 * cell's outputs.  A layer is a name on some of them; a cell without a layer is plumbing (an
 * expansion, a transposition).  Const after load, counted, shared by all threads. */
#ifndef LIB_MODEL_MODEL_H
#define LIB_MODEL_MODEL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/cell/cell.h"
#include "lib/celltap.h"

struct model_tensor {
    const char *name;
    size_t at; /* offset into a column */
    size_t n;  /* floats */
};

struct model_layer {
    const char *name;
    const char *kind; /* "LSTM", "Dense", ...; "Input", "Output" */
    size_t n_tensors;
    const struct model_tensor *tensors; /* [n_tensors] */
    size_t n_inputs, n_parameters, n_macs;
};

/* Where a graph input's values go. */
struct model_input {
    size_t at; /* offset into a column */
    size_t n;  /* floats */
};

#define MODEL_REMARKS_MAX 8

struct celltap_model {
    atomic_size_t n_refs;
    uint64_t hash;      /* of the bytes it was loaded from */
    struct arena arena; /* owned: names, layers, tensors, inputs, arrays */
    size_t n_values;    /* floats of a frame: the sum over inputs */
    size_t n_inputs;
    const struct model_input *inputs; /* [n_inputs] in frame order */
    size_t n_activations;             /* floats of a column, a multiple of CELL_PAD */
    size_t n_states;                  /* floats of a stream, a multiple of CELL_PAD */
    const float *initial;             /* [n_states] a fresh stream's */
    size_t n_layers;
    const struct model_layer *layers; /* [n_layers] */
    size_t n_remarks;
    const char *remarks[MODEL_REMARKS_MAX]; /* in the arena */
    size_t n_cells;
    struct cell **cells; /* [n_cells] owned */
};

#endif
