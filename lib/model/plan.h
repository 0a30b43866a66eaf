/* plan.h - what a step of the model will compute: the graph without time, batch and bookkeeping.
 *
 *     slots[]   vectors of one timestep: the graph's data inputs first, then what steps write
 *     steps[]   in order: slots read --spec--> slots written
 *     outputs[] the graph's outputs, each a slot
 *
 * A plan is made in a load's arena and refers to constants there; cells are made from it at the
 * end, when it is known to be whole (pack.c). */
#ifndef LIB_MODEL_PLAN_H
#define LIB_MODEL_PLAN_H

#include "lib/cell/cell.h"
#include "lib/model/value.h"

enum plan_kind {
    PLAN_LSTM,
    PLAN_GRU,
    PLAN_RNN,
    PLAN_DENSE,
    PLAN_UNARY,
    PLAN_BINARY,
    PLAN_REDUCE,
    PLAN_NORM,
    PLAN_SELECT,
    PLAN_RECALL /* reads nothing: the vector that a carry kept at the timestep before */
};

struct plan_binary {
    enum cell_operator operator;
    const float *a, *b; /* [n] the constant operand, or NULL */
};

struct plan_reduce {
    enum cell_reduction reduction;
    size_t outer, n, inner;
};

struct plan_norm {
    size_t outer, n;
    float epsilon;
    const float *scale, *bias; /* [n]; NULL: 1, 0 */
};

struct plan_step {
    enum plan_kind kind;
    const struct graph_node *node; /* borrowed */
    const char *op;                /* what the layer is: "LSTM", "Dense", "Relu", ... */
    const char *origin;            /* an initializer's name; NULL: none */
    bool layer;                    /* shown to the user; else plumbing of the node's layer */
    bool gone;                     /* fused into another step, or of no use */
    size_t n_in;
    const size_t *in; /* [n_in] slots */
    size_t n_out;
    size_t out; /* slots out .. out + n_out - 1 */
    union {
        struct lstm_spec lstm;
        struct gru_spec gru;
        struct rnn_spec rnn;
        struct dense_spec dense;
        struct cell_activation unary;
        struct plan_binary binary;
        struct plan_reduce reduce;
        struct plan_norm norm;
        const struct select_from *select; /* [slots[out].n] */
    };
};

#define PLAN_NO_STEP SIZE_MAX

struct plan_slot {
    size_t n;    /* values */
    size_t step; /* that writes it; PLAN_NO_STEP: an input */
};

/* What a PLAN_RECALL gives at the next timestep. */
struct plan_carry {
    size_t step;      /* the recall */
    size_t output_ix; /* index into outputs */
};

struct plan {
    struct load *load; /* borrowed */
    size_t n_slots, slots_room, n_steps, steps_room;
    struct plan_slot *slots;
    struct plan_step *steps;
    size_t n_inputs;
    const struct graph_port **inputs; /* [n_inputs] slot k is input k */
    size_t n_outputs;
    size_t *outputs; /* [n_outputs] slots */
    size_t n_carries;
    struct plan_carry *carries;
    size_t n_values; /* of all slots together */
};

/* A new slot of n values.  CELLTAP_EREFUSED when a column would be too large. */
int plan_slot(struct plan *plan, size_t n, size_t *ret_slot);

/* Appends a step (copied; its `in` and `n_in` too) that writes slots of the given sizes; the first
 * is *ret_slot, the others follow. */
int plan_append(struct plan *plan, const struct plan_step *step, const size_t *in, size_t n_in,
                const size_t *out_sizes, size_t n_out, size_t *ret_slot);

/* The slot that holds exactly the data's items in their order; a select step is appended when
 * there is none yet. */
int plan_materialise(struct plan *plan, const struct graph_node *node, const struct value *value,
                     size_t *ret_slot);

/* References to all of a slot's values, in order. */
int plan_refs(struct plan *plan, size_t slot, const int64_t **ret_refs);

/* Joins steps that are one layer, drops those that nobody needs (fuse.c). */
int fuse_plan(struct plan *plan);

/* True when two plans compute the same; *ret_node: the first node that differs. */
bool plan_same(const struct plan *a, const struct plan *b, const struct graph_node **ret_node);

#endif
