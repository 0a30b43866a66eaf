/* onnx_function.c - inlines model-local functions (ModelProto.functions).
 *
 *     y = my.Dense(x)    my.Dense(a) -> b:  t = MatMul(a, W); b = Add(t, c)
 *       -->  1:t = MatMul(x, W); y = Add(1:t, c)
 *
 * A parameter is the caller's value, any other name of the body gets the number of the call in
 * front.  Attributes of the body that refer to the call's (ref_attr_name) are the call's, or the
 * function's default, or absent.  What it comes to is limited by the load's budget. */
#include "lib/model/onnx_function.h"

#include <stdio.h>
#include <string.h>

#define FUNCTION_DEPTH_MAX      32  /* functions that call functions */
#define FUNCTION_PARAMETERS_MAX 256 /* inputs, and outputs */

typedef Celltap__Onnx__Attribute OnnxAttribute;
typedef Celltap__Onnx__Function OnnxFunction;
typedef Celltap__Onnx__Node OnnxNode;

/* A call at work: the names of a function's body mean what this says.  NULL: the graph itself. */
struct function_call {
    const OnnxFunction *function;
    const OnnxNode *node;
    size_t number;
};

struct function_inliner {
    struct load *load;
    const Celltap__Onnx__Model *model;
    OnnxNode **nodes; /* [n] what the graph becomes */
    size_t n, room;
    size_t n_calls;
};

/* ---- names and attributes ----------------------------------------------------------------- */

static int function_text(struct load *load, const char *before, const char *between,
                         const char *name, char **ret_text)
{
    size_t n = strlen(before) + strlen(between) + strlen(name) + 1;
    int err = load_take(load, n, 1, ret_text);
    if (err == 0)
        snprintf(*ret_text, n, "%s%s%s", before, between, name);
    return err;
}

/* The caller's name of a parameter; NULL: it is none, or one that the caller leaves out. */
static char *function_parameter(char *const *parameters, size_t n, char *const *given,
                                size_t n_given, const char *name, bool *ret_is)
{
    for (size_t k = 0; k < n; k++)
        if (strcmp(onnx_text(parameters[k]), name) == 0) {
            *ret_is = true;
            return k < n_given && *onnx_text(given[k]) != '\0' ? given[k] : NULL;
        }
    return NULL;
}

static int function_rename(struct load *load, const struct function_call *call, char *name,
                           char **ret_name)
{
    char number[32];
    bool is_input = false, is_output = false;
    const OnnxFunction *f = call->function;
    const OnnxNode *node = call->node;
    if (*onnx_text(name) == '\0')
        return function_text(load, "", "", "", ret_name);
    char *given =
        function_parameter(f->input, f->n_input, node->input, node->n_input, name, &is_input);
    if (!is_input)
        given = function_parameter(f->output, f->n_output, node->output, node->n_output, name,
                                   &is_output);
    if (given == NULL && is_input)
        return function_text(load, "", "", "", ret_name);
    if (given != NULL) {
        *ret_name = given;
        return 0;
    }
    snprintf(number, sizeof number, "%zu", call->number);
    return function_text(load, number, ":", name, ret_name);
}

static int function_rename_all(struct load *load, const struct function_call *call, size_t n,
                               char ***names)
{
    char **renamed;
    int err = load_take(load, n, sizeof *renamed, &renamed);
    for (size_t k = 0; err == 0 && k < n; k++)
        err = function_rename(load, call, (*names)[k], &renamed[k]);
    *names = renamed;
    return err;
}

static OnnxAttribute *function_find_attribute(OnnxAttribute **list, size_t n, const char *name)
{
    for (size_t k = 0; k < n; k++)
        if (strcmp(onnx_text(list[k]->name), name) == 0)
            return list[k];
    return NULL;
}

static int function_attributes(struct load *load, const struct function_call *call, OnnxNode *node)
{
    OnnxAttribute **kept, **from = node->attribute;
    size_t n_from = node->n_attribute;
    int err = load_take(load, n_from, sizeof(OnnxAttribute *), &kept);
    node->attribute = kept;
    node->n_attribute = 0;
    for (size_t k = 0; err == 0 && k < n_from; k++) {
        const char *name = onnx_text(from[k]->ref_attr_name);
        OnnxAttribute *meant = from[k], *named;
        if (*name != '\0') {
            meant = function_find_attribute(call->node->attribute, call->node->n_attribute, name);
            if (meant == NULL)
                meant = function_find_attribute(call->function->attribute_proto,
                                                call->function->n_attribute_proto, name);
            if (meant == NULL)
                continue;
            err = load_take(load, 1, sizeof *named, &named);
            if (err < 0)
                return err;
            *named = *meant;
            named->name = from[k]->name;
            meant = named;
        }
        kept[node->n_attribute++] = meant;
    }
    return err;
}

/* ---- nodes -------------------------------------------------------------------------------- */

static int function_nodes(struct function_inliner *inliner, const struct function_call *call,
                          OnnxNode *const *nodes, size_t n, size_t depth);

/* A node of the body as one of the graph; it belongs to the caller's module. */
static int function_copy(struct load *load, const struct function_call *call, const OnnxNode *from,
                         OnnxNode **ret_node)
{
    OnnxNode *node;
    const char *name = *onnx_text(from->name) != '\0' ? from->name : onnx_text(from->op_type);
    const char *caller =
        *onnx_text(call->node->name) != '\0' ? call->node->name : onnx_text(call->node->op_type);
    int err = load_take(load, 1, sizeof *node, &node);
    if (err < 0)
        return err;
    *node = *from;
    for (size_t k = 0; k < from->n_attribute; k++)
        if (from->attribute[k]->has_g)
            return load_refuse(load, "function '%.100s' has a node with a graph inside, %s",
                               onnx_text(call->function->name), onnx_text(from->op_type));
    err = function_text(load, caller, "/", name, &node->name);
    if (err == 0)
        err = function_rename_all(load, call, node->n_input, &node->input);
    if (err == 0)
        err = function_rename_all(load, call, node->n_output, &node->output);
    if (err == 0)
        err = function_attributes(load, call, node);
    if (call->node->n_metadata_props > 0) {
        node->n_metadata_props = call->node->n_metadata_props;
        node->metadata_props = call->node->metadata_props;
    }
    *ret_node = node;
    return err;
}

static int function_append(struct function_inliner *inliner, OnnxNode *node)
{
    if (inliner->n == inliner->room) {
        OnnxNode **grown;
        size_t room = 2 * inliner->room + 64;
        int err = load_take(inliner->load, room, sizeof(OnnxNode *), &grown);
        if (err < 0)
            return err;
        if (inliner->n > 0)
            memcpy(grown, inliner->nodes, inliner->n * sizeof(OnnxNode *));
        inliner->nodes = grown;
        inliner->room = room;
    }
    inliner->nodes[inliner->n++] = node;
    return 0;
}

static const OnnxFunction *function_find(const Celltap__Onnx__Model *model, const OnnxNode *node)
{
    for (size_t k = 0; k < model->n_functions; k++) {
        const OnnxFunction *f = model->functions[k];
        if (strcmp(onnx_text(f->name), onnx_text(node->op_type)) == 0 &&
            strcmp(onnx_text(f->domain), onnx_text(node->domain)) == 0 &&
            strcmp(onnx_text(f->overload), onnx_text(node->overload)) == 0)
            return f;
    }
    return NULL;
}

static int function_call(struct function_inliner *inliner, const OnnxFunction *function,
                         const OnnxNode *node, size_t depth)
{
    struct function_call call = {function, node, ++inliner->n_calls};
    if (depth > FUNCTION_DEPTH_MAX)
        return load_invalid(inliner->load, "function '%.100s' is part of itself, or of %d others",
                            onnx_text(function->name), FUNCTION_DEPTH_MAX);
    if (function->n_input > FUNCTION_PARAMETERS_MAX || function->n_output > FUNCTION_PARAMETERS_MAX)
        return load_refuse(inliner->load, "function '%.100s' has more than %d inputs or outputs",
                           onnx_text(function->name), FUNCTION_PARAMETERS_MAX);
    return function_nodes(inliner, &call, function->node, function->n_node, depth);
}

static int function_nodes(struct function_inliner *inliner, const struct function_call *call,
                          OnnxNode *const *nodes, size_t n, size_t depth)
{
    int err = 0;
    for (size_t k = 0; err == 0 && k < n; k++) {
        OnnxNode *node = nodes[k];
        if (call != NULL)
            err = function_copy(inliner->load, call, nodes[k], &node);
        const OnnxFunction *function = err < 0 ? NULL : function_find(inliner->model, node);
        if (function != NULL)
            err = function_call(inliner, function, node, depth + 1);
        else if (err == 0)
            err = function_append(inliner, node);
    }
    return err;
}

int onnx_function_inline(struct load *load, Celltap__Onnx__Model *model)
{
    struct function_inliner inliner = {.load = load, .model = model};
    if (model->n_functions == 0)
        return 0;
    int err = function_nodes(&inliner, NULL, model->graph->node, model->graph->n_node, 0);
    if (err == 0) {
        model->graph->node = inliner.nodes;
        model->graph->n_node = inliner.n;
    }
    return err;
}
