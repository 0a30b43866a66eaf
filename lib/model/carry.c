/* carry.c - "h=h_out c=c_out": pairs of a graph's inputs and outputs. */
#include "lib/model/carry.h"

#include <stdbool.h>
#include <string.h>

#define CARRY_BETWEEN " ,;\t\r\n"

/* The port with that name; NULL: none. */
static const struct graph_port *carry_port(const struct graph *graph,
                                           const struct graph_port *ports, size_t n_ports,
                                           const char *name, size_t n_bytes)
{
    for (size_t k = 0; k < n_ports; k++) {
        const char *is = graph->values[ports[k].value].name;
        if (strlen(is) == n_bytes && memcmp(is, name, n_bytes) == 0)
            return &ports[k];
    }
    return NULL;
}

static int carry_pair(struct load *load, const struct graph *graph, const char *pair,
                      size_t n_bytes, struct graph_carry *ret_carry)
{
    const char *equals = memchr(pair, '=', n_bytes);
    if (equals == NULL)
        return load_invalid(load, CARRY_KEY " has '%.*s', which is not input=output",
                            (int)(n_bytes < 80 ? n_bytes : 80), pair);
    size_t n_in = (size_t)(equals - pair), n_out = n_bytes - n_in - 1;
    const struct graph_port *in = carry_port(graph, graph->inputs, graph->n_inputs, pair, n_in);
    const struct graph_port *out =
        carry_port(graph, graph->outputs, graph->n_outputs, equals + 1, n_out);
    if (in == NULL)
        return load_invalid(load, CARRY_KEY " names '%.*s', which is no input of the graph",
                            (int)(n_in < 80 ? n_in : 80), pair);
    if (out == NULL)
        return load_invalid(load, CARRY_KEY " names '%.*s', which is no output of the graph",
                            (int)(n_out < 80 ? n_out : 80), equals + 1);
    *ret_carry = (struct graph_carry){in->value, (size_t)(out - graph->outputs)};
    return 0;
}

int carry_find(struct load *load, const char *text, struct graph *graph)
{
    struct graph_carry *carries;
    size_t n = 0;
    if (text == NULL)
        return 0;
    int err = load_take(load, graph->n_inputs, sizeof *carries, &carries);
    for (text += strspn(text, CARRY_BETWEEN); err == 0 && *text != '\0';) {
        struct graph_carry carry;
        size_t n_bytes = strcspn(text, CARRY_BETWEEN);
        err = carry_pair(load, graph, text, n_bytes, &carry);
        for (size_t k = 0; err == 0 && k < n; k++)
            if (carries[k].input == carry.input)
                err = load_invalid(load, CARRY_KEY " names '%s' twice",
                                   graph->values[carry.input].name);
        if (err == 0)
            carries[n++] = carry;
        text += n_bytes;
        text += strspn(text, CARRY_BETWEEN);
    }
    graph->carries = carries;
    graph->n_carries = n;
    return err;
}
