/* lower.h - from a graph over sequences to a plan for one timestep.
 *
 *     graph --> for each live node, in order: its row of the operator table
 *                   all inputs constant: fold            (fold.c, move.c)
 *                   data, only moved about: references   (move.c)
 *                   data, computed with: steps           (lower_*.c) --> plan
 *
 * One attempt assumes which axis of each input is time and which is the batch; the recurrent
 * layers, whose X is [time, batch, features], confirm or contradict it. */
#ifndef LIB_MODEL_LOWER_H
#define LIB_MODEL_LOWER_H

#include "lib/model/graph.h"
#include "lib/model/move.h"
#include "lib/model/plan.h"
#include "lib/model/value.h"

/* What is assumed of the graph's inputs: one letter per axis, T B or F, the last F may stand for
 * several axes. */
struct lower_guess {
    const char *axes[3]; /* of inputs with 1, 2, and 3 or more axes */
};

struct lower {
    struct load load;                /* owned */
    const struct graph *graph;       /* borrowed */
    const unsigned char *leads;      /* borrowed: graph_leads */
    const struct lower_guess *guess; /* borrowed */
    struct move_sizes sizes;
    int64_t primes[2];    /* stand for an unknown length of the sequence, of the batch */
    bool any_unknown;     /* a size was unknown */
    bool contradicted;    /* a recurrent layer showed that the guess is wrong */
    size_t n_done;        /* live nodes lowered: how far this attempt got */
    struct value *values; /* [graph->n_values] */
    struct plan plan;
};

/* Lowers the whole graph.  The attempt must be zeroed but for load, graph, leads, guess, primes;
 * load_done(&lower->load) frees everything, after failure too. */
int lower_graph(struct lower *lower);

/* ---- for the operators (lower_*.c) ---------------------------------------------------------- */

/* The node's k-th input; NULL when absent. */
const struct value *lower_in(const struct lower *lower, const struct graph_node *node, size_t k);

/* The same, which must be there and be a constant; `what` names it in the diagnosis. */
int lower_constant(struct lower *lower, const struct graph_node *node, size_t k, const char *what,
                   const struct value **ret_value);

/* The items of a constant [n], integers or floats, with nothing left to repeat. */
int lower_ints(struct lower *lower, const struct graph_node *node, size_t k, const char *what,
               const int64_t **ret_ints, size_t *ret_n);
int lower_floats(struct lower *lower, const struct graph_node *node, size_t k, const char *what,
                 const float **ret_floats, size_t *ret_n);

/* Axes given as attribute (older operator sets) or as input k, counted from 0 and checked; n_axes
 * is the rank they refer to.  *ret_n is SIZE_MAX when the node names none. */
int lower_axes(struct lower *lower, const struct graph_node *node, size_t k, size_t n_axes,
               size_t *ret_axes, size_t *ret_n);

/* An axis counted from 0. */
int lower_axis(struct lower *lower, int64_t axis, size_t n_axes, size_t *ret_axis);

/* Sets the node's k-th output; nothing to do when it is absent. */
void lower_out(struct lower *lower, const struct graph_node *node, size_t k,
               const struct value *value);

/* True when nobody wants the node's k-th output. */
bool lower_out_unused(const struct lower *lower, const struct graph_node *node, size_t k);

/* The slot that holds the items of a data value. */
int lower_slot(struct lower *lower, const struct graph_node *node, const struct value *value,
               size_t *ret_slot);

/* Data that always says the same: items [shape->n] in a slot of their own, for when a constant must
 * stand beside data.  any_slot: some slot that is there already. */
int lower_as_data(struct lower *lower, const struct graph_node *node, const struct value *shape,
                  const float *items, size_t any_slot, struct value *ret_value);

/* Appends a step with one output and gives the value `shape` its items. */
int lower_step(struct lower *lower, const struct plan_step *step, const size_t *in, size_t n_in,
               struct value *shape);

/* lower_input.c: gives the graph's inputs and initializers their values. */
int lower_input_all(struct lower *lower);

typedef int lower_operator(struct lower *lower, const struct graph_node *node);

/* lower_table.c: who lowers a node; CELLTAP_EREFUSED when the operator or an attribute is unknown. */
int lower_table_find(struct lower *lower, const struct graph_node *node,
                     lower_operator **ret_operator);

/* lower.c: If, the branch that a constant condition chooses. */
lower_operator lower_if;

/* lower_move.c */
lower_operator lower_move_identity, lower_move_dropout, lower_move_cast, lower_move_cast_like,
    lower_move_reshape, lower_move_flatten, lower_move_transpose, lower_move_squeeze,
    lower_move_unsqueeze, lower_move_concat, lower_move_expand, lower_move_tile;

/* lower_part.c */
lower_operator lower_part_slice, lower_part_gather, lower_part_split;

/* lower_shape.c */
lower_operator lower_shape_shape, lower_shape_size, lower_shape_constant, lower_shape_fill,
    lower_shape_range, lower_shape_where, lower_shape_binary, lower_shape_unary;

/* lower_math.c */
lower_operator lower_math_unary, lower_math_binary, lower_math_pow, lower_math_clip,
    lower_math_reciprocal, lower_math_hard_swish, lower_math_mish, lower_math_gelu,
    lower_math_swish, lower_math_celu;
/* a op b, either constant or data: the work of lower_math_binary on values at hand. */
int lower_math_combine(struct lower *lower, const struct graph_node *node, const char *op,
                       bool layer, const struct value *a, const struct value *b,
                       struct value *ret_value);

/* A constant that is one number. */
int lower_math_number(struct lower *lower, float number, struct value *ret_value);

/* lower_compare.c */
lower_operator lower_compare_two, lower_compare_not, lower_compare_where, lower_compare_sign,
    lower_compare_shrink;

/* lower_dense.c */
lower_operator lower_dense_matmul, lower_dense_gemm, lower_dense_batch_norm;

/* lower_reduce.c */
lower_operator lower_reduce_axes, lower_reduce_softmax, lower_reduce_layer_norm,
    lower_reduce_rms_norm;

/* lower_cell.c */
lower_operator lower_cell_lstm, lower_cell_gru, lower_cell_rnn;

#endif
