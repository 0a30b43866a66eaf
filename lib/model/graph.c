/* graph.c - questions to a graph: attributes, which nodes matter, where a value leads. */
#include "lib/model/graph.h"

#include <string.h>

bool graph_is_recurrent(const struct graph_node *node)
{
    return *node->domain == '\0' && (strcmp(node->op, "LSTM") == 0 ||
                                     strcmp(node->op, "GRU") == 0 || strcmp(node->op, "RNN") == 0);
}

int graph_in(const struct graph_node *node, size_t k)
{
    return k < node->n_in ? node->in[k] : -1;
}

int graph_out(const struct graph_node *node, size_t k)
{
    return k < node->n_out ? node->out[k] : -1;
}

const struct graph_attr *graph_attr(const struct graph_node *node, const char *name)
{
    for (size_t k = 0; k < node->n_attrs; k++)
        if (strcmp(node->attrs[k].name, name) == 0)
            return &node->attrs[k];
    return NULL;
}

int64_t graph_attr_int(const struct graph_node *node, const char *name, int64_t otherwise)
{
    const struct graph_attr *attr = graph_attr(node, name);
    return attr == NULL || attr->kind != GRAPH_ATTR_INT ? otherwise : attr->i;
}

float graph_attr_real(const struct graph_node *node, const char *name, float otherwise)
{
    const struct graph_attr *attr = graph_attr(node, name);
    return attr == NULL || attr->kind != GRAPH_ATTR_REAL ? otherwise : attr->f;
}

const char *graph_attr_text(const struct graph_node *node, const char *name, const char *otherwise)
{
    const struct graph_attr *attr = graph_attr(node, name);
    return attr == NULL || attr->kind != GRAPH_ATTR_TEXT ? otherwise : attr->text;
}

/* ---- which nodes matter ------------------------------------------------------------------- */

static int graph_check_nodes(struct load *load, const struct graph *graph,
                             const struct graph_node *nodes, size_t n, unsigned char *made);

/* What a branch makes is known inside of it only. */
static int graph_check_branch(struct load *load, const struct graph *graph,
                              const struct graph_branch *branch, unsigned char *made)
{
    int err = graph_check_nodes(load, graph, branch->nodes, branch->n_nodes, made);
    for (size_t k = 0; err == 0 && k < branch->n_out; k++)
        if (branch->out[k] >= 0 && !made[branch->out[k]])
            err = load_invalid(load, "no node of a branch makes its output '%s'",
                               graph->values[branch->out[k]].name);
    for (size_t n = 0; err == 0 && n < branch->n_nodes; n++)
        for (size_t k = 0; k < branch->nodes[n].n_out; k++)
            if (branch->nodes[n].out[k] >= 0)
                made[branch->nodes[n].out[k]] = 0;
    return err;
}

static int graph_check_node(struct load *load, const struct graph *graph,
                            const struct graph_node *node, unsigned char *made)
{
    int err = 0;
    load->node = *node->name != '\0' ? node->name : node->op;
    for (size_t k = 0; k < node->n_in; k++)
        if (node->in[k] >= 0 && !made[node->in[k]])
            return load_invalid(load, "reads '%s', which nothing before it makes",
                                graph->values[node->in[k]].name);
    for (size_t k = 0; err == 0 && node->branches != NULL && k < 2; k++)
        err = graph_check_branch(load, graph, &node->branches[k], made);
    for (size_t k = 0; err == 0 && k < node->n_out; k++) {
        if (node->out[k] >= 0 && made[node->out[k]])
            return load_invalid(load, "makes '%s', which was made before",
                                graph->values[node->out[k]].name);
        if (node->out[k] >= 0)
            made[node->out[k]] = 1;
    }
    return err;
}

static int graph_check_nodes(struct load *load, const struct graph *graph,
                             const struct graph_node *nodes, size_t n, unsigned char *made)
{
    int err = 0;
    for (size_t k = 0; err == 0 && k < n; k++)
        err = graph_check_node(load, graph, &nodes[k], made);
    return err;
}

static int graph_check_order(struct load *load, const struct graph *graph, unsigned char *made)
{
    for (size_t v = 0; v < graph->n_values; v++)
        made[v] = graph->values[v].tensor != NULL;
    for (size_t k = 0; k < graph->n_inputs; k++)
        made[graph->inputs[k].value] = 1;
    int err = graph_check_nodes(load, graph, graph->nodes, graph->n_nodes, made);
    if (err < 0)
        return err;
    load->node = NULL;
    for (size_t k = 0; k < graph->n_outputs; k++)
        if (!made[graph->outputs[k].value])
            return load_invalid(load, "no node makes the output '%s'",
                                graph->values[graph->outputs[k].value].name);
    return 0;
}

/* All that a node reads, in its branches too. */
static void graph_need(const struct graph_node *node, unsigned char *needed)
{
    for (size_t k = 0; k < node->n_in; k++)
        if (node->in[k] >= 0)
            needed[node->in[k]] = 1;
    for (size_t b = 0; node->branches != NULL && b < 2; b++) {
        const struct graph_branch *branch = &node->branches[b];
        for (size_t k = 0; k < branch->n_out; k++)
            if (branch->out[k] >= 0)
                needed[branch->out[k]] = 1;
        for (size_t n = 0; n < branch->n_nodes; n++)
            graph_need(&branch->nodes[n], needed);
    }
}

int graph_mark_live(struct load *load, struct graph *graph)
{
    unsigned char *needed;
    int err = load_take(load, graph->n_values + 1, 1, &needed);
    if (err == 0)
        err = graph_check_order(load, graph, needed);
    if (err < 0)
        return err;
    memset(needed, 0, graph->n_values);
    for (size_t k = 0; k < graph->n_outputs; k++)
        needed[graph->outputs[k].value] = 1;
    for (size_t n = graph->n_nodes; n-- > 0;) {
        struct graph_node *node = &graph->nodes[n];
        node->live = graph_is_recurrent(node);
        for (size_t k = 0; k < node->n_out; k++)
            node->live |= node->out[k] >= 0 && needed[node->out[k]];
        if (node->live)
            graph_need(node, needed);
    }
    return 0;
}

/* ---- where a value leads ------------------------------------------------------------------ */

#define LEADS_NOWHERE 8u  /* a use that does not look at the numbers: Shape, Size */
#define LEADS_ON      16u /* moves its first input about: the outputs' leads */
#define LEADS_ALL_ON  32u /* moves all its inputs about */

static unsigned graph_use(const struct graph_node *node, size_t k)
{
    static const struct {
        const char *op;
        unsigned use;
    } uses[] = {
        {"Shape", LEADS_NOWHERE}, {"Size", LEADS_NOWHERE},  {"Slice", LEADS_ON},
        {"Gather", LEADS_ON},     {"Split", LEADS_ON},      {"Reshape", LEADS_ON},
        {"Transpose", LEADS_ON},  {"Squeeze", LEADS_ON},    {"Unsqueeze", LEADS_ON},
        {"Identity", LEADS_ON},   {"Cast", LEADS_ON},       {"Expand", LEADS_ON},
        {"Flatten", LEADS_ON},    {"Concat", LEADS_ALL_ON},
    };
    if (graph_is_recurrent(node))
        return k == 5 || (k == 6 && strcmp(node->op, "LSTM") == 0) ? GRAPH_TO_STATE
               : k == 4                                            ? GRAPH_TO_LENGTHS
                                                                   : GRAPH_TO_VALUES;
    for (size_t row = 0; row < sizeof uses / sizeof *uses; row++)
        if (strcmp(uses[row].op, node->op) == 0)
            return uses[row].use == LEADS_ON && k > 0 ? GRAPH_TO_VALUES : uses[row].use;
    return GRAPH_TO_VALUES;
}

/* From the outputs of nodes to their inputs. */
static void graph_lead(const struct graph_node *nodes, size_t n, unsigned char *leads)
{
    while (n-- > 0) {
        const struct graph_node *node = &nodes[n];
        unsigned onward = 0;
        for (size_t k = 0; k < node->n_out; k++)
            onward |= node->out[k] < 0 ? 0u : leads[node->out[k]];
        for (size_t b = 0; node->live && node->branches != NULL && b < 2; b++) {
            const struct graph_branch *branch = &node->branches[b];
            for (size_t k = 0; k < branch->n_out; k++)
                if (branch->out[k] >= 0)
                    leads[branch->out[k]] |= (unsigned char)onward;
            graph_lead(branch->nodes, branch->n_nodes, leads);
        }
        for (size_t k = 0; node->live && k < node->n_in; k++) {
            unsigned use = graph_use(node, k);
            if (node->in[k] >= 0)
                leads[node->in[k]] |= (unsigned char)(use >= LEADS_ON        ? onward
                                                      : use == LEADS_NOWHERE ? 0u
                                                                             : use);
        }
    }
}

int graph_leads(struct load *load, const struct graph *graph, unsigned char **ret_leads)
{
    unsigned char *leads;
    int err = load_take(load, graph->n_values + 1, 1, &leads);
    if (err < 0)
        return err;
    for (size_t k = 0; k < graph->n_outputs; k++)
        leads[graph->outputs[k].value] |= GRAPH_TO_VALUES;
    graph_lead(graph->nodes, graph->n_nodes, leads);
    *ret_leads = leads;
    return 0;
}
