/* graph.h - an ONNX graph in our own terms: what the file said, checked for its form.
 *
 *     values[]  every name that carries a tensor    nodes[]  operators, reading and writing values
 *        ^                                             |
 *        +------ in[], out[]: indices, -1: absent -----+
 *
 * Everything lives in the arena of the load.  Constant tensors are float or int64, whatever the
 * file stored.  Nothing changes after reading but `live`. */
#ifndef LIB_MODEL_GRAPH_H
#define LIB_MODEL_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/model/load.h"

#define GRAPH_DIMS_MAX 8

/* What a tensor's items are to us: floats, or integers (bool: 0 and 1) in 64 bits. */
enum graph_type { GRAPH_FLOAT, GRAPH_INT, GRAPH_BOOL, GRAPH_OTHER };

struct graph_tensor {
    enum graph_type type;
    size_t n_dims;
    int64_t dims[GRAPH_DIMS_MAX];
    size_t n;          /* items: the product of dims */
    const void *items; /* [n] float or int64_t */
};

enum graph_attr_kind {
    GRAPH_ATTR_INT,
    GRAPH_ATTR_REAL,
    GRAPH_ATTR_TEXT,
    GRAPH_ATTR_INTS,
    GRAPH_ATTR_REALS,
    GRAPH_ATTR_TEXTS,
    GRAPH_ATTR_TENSOR,
    GRAPH_ATTR_OTHER
};

struct graph_attr {
    const char *name;
    enum graph_attr_kind kind;
    int64_t i;
    float f;
    const char *text;
    size_t n; /* of ints, reals, texts */
    const int64_t *ints;
    const float *reals;
    const char *const *texts;
    const struct graph_tensor *tensor;
};

/* One of the two ways that an If may go: the nodes there, and which values become the If's outputs.
 * Values are those of the whole graph. */
struct graph_branch {
    size_t n_nodes, n_out;
    const struct graph_node *nodes;
    const int *out; /* indices of values; -1: absent */
};

struct graph_node {
    const char *name, *op, *domain;
    const char *scopes; /* the exporter's list of module scopes; NULL: none */
    size_t n_in, n_out;
    const int *in, *out; /* indices of values; -1: absent */
    size_t n_attrs;
    const struct graph_attr *attrs;
    const struct graph_branch *branches; /* [2] of an If: when true, when not; NULL: it has none */
    bool live; /* an output of the graph needs it, or it is a recurrent layer */
};

struct graph_value {
    const char *name;
    const struct graph_tensor *tensor; /* an initializer's; NULL: none */
};

struct graph_port {
    int value;
    enum graph_type type;
    bool has_shape;
    size_t n_dims;
    int64_t dims[GRAPH_DIMS_MAX];       /* -1: unknown */
    const char *params[GRAPH_DIMS_MAX]; /* name of an unknown dim; NULL: none */
};

/* An input that gets, at the next timestep, what an output was. */
struct graph_carry {
    int input;        /* a value */
    size_t output_ix; /* index into outputs */
};

struct graph {
    int64_t opset;        /* of ONNX's own operators */
    const char *producer; /* who wrote the file; "": it does not say */
    size_t n_values, n_nodes, n_inputs, n_outputs;
    struct graph_value *values;
    struct graph_node *nodes;
    const struct graph_port *inputs; /* those that have no initializer */
    const struct graph_port *outputs;
    size_t n_carries;
    const struct graph_carry *carries;
};

/* True for LSTM, GRU and RNN. */
bool graph_is_recurrent(const struct graph_node *node);

/* Index of the node's k-th input value; -1 when absent. */
int graph_in(const struct graph_node *node, size_t k);
int graph_out(const struct graph_node *node, size_t k);

/* An attribute by name; NULL when the node has none. */
const struct graph_attr *graph_attr(const struct graph_node *node, const char *name);

/* An attribute's value, or the default when absent or of another kind. */
int64_t graph_attr_int(const struct graph_node *node, const char *name, int64_t otherwise);
float graph_attr_real(const struct graph_node *node, const char *name, float otherwise);
const char *graph_attr_text(const struct graph_node *node, const char *name, const char *otherwise);

/* Marks the nodes that matter, and checks that every value is made once, before its use. */
int graph_mark_live(struct load *load, struct graph *graph);

/* What every use of a value leads to, through operators that only move values about: bits. */
enum graph_lead { GRAPH_TO_STATE = 1, GRAPH_TO_LENGTHS = 2, GRAPH_TO_VALUES = 4 };

/* The leads of every value.  ret_leads: [n_values], taken from the load. */
int graph_leads(struct load *load, const struct graph *graph, unsigned char **ret_leads);

#endif
