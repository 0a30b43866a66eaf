/* onnx.c - reads a serialised ONNX model into a graph.
 *
 *     bytes --protobuf-c--> messages --here--> struct graph (graph.h)
 *
 * protobuf-c allocates from the load's arena, within its budget, and frees nothing itself.  All
 * names become indices here; every size that the file claims is checked against what it holds. */
#include "lib/model/onnx.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/model/carry.h"
#include "lib/model/onnx_function.h"
#include "lib/model/onnx_priv.h"
#include "lib/model/onnx_tensor.h"

typedef Celltap__Onnx__Attribute OnnxAttribute;
typedef Celltap__Onnx__Node OnnxNode;
typedef Celltap__Onnx__Tensor OnnxTensor;
typedef Celltap__Onnx__ValueInfo OnnxValueInfo;
typedef Celltap__Onnx__Model OnnxModel;

/* Names to indices: open addressing, a power of two of slots, at most half of them used. */
struct onnx_names {
    struct graph_value *values; /* [n] */
    size_t n;
    int *slots; /* [mask + 1] index + 1; 0: free */
    size_t mask;
};

#define ONNX_BRANCHES_MAX 8 /* an If inside an If */

struct onnx_reader {
    struct load *load;
    struct graph *graph;
    struct onnx_names names;
    size_t depth; /* branches around what is being read */
};

static void *onnx_alloc(void *load, size_t n_bytes)
{
    void *memory;
    return load_take(load, n_bytes, 1, &memory) < 0 ? NULL : memory;
}

static void onnx_free(void *load, void *memory)
{
    (void)load;
    (void)memory; /* the arena does it */
}

const char *onnx_text(const char *text)
{
    return text == NULL ? "" : text;
}

/* ---- names -------------------------------------------------------------------------------- */

static int onnx_names_init(struct load *load, size_t n_max, struct onnx_names *names)
{
    size_t n_slots = 16;
    while (n_slots < 2 * n_max)
        n_slots *= 2;
    names->mask = n_slots - 1;
    int err = load_take(load, n_slots, sizeof *names->slots, &names->slots);
    return err < 0 ? err : load_take(load, n_max, sizeof *names->values, &names->values);
}

/* The index of a name, a new one if it was not seen before; -1 for "". */
static int onnx_name(struct onnx_names *names, const char *name)
{
    if (name == NULL || *name == '\0')
        return -1;
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (const char *at = name; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    size_t slot = (size_t)hash & names->mask;
    while (names->slots[slot] != 0) {
        int ix = names->slots[slot] - 1;
        if (strcmp(names->values[ix].name, name) == 0)
            return ix;
        slot = (slot + 1) & names->mask;
    }
    names->values[names->n].name = name;
    names->slots[slot] = (int)++names->n;
    return (int)names->n - 1;
}

static int onnx_name_list(struct onnx_reader *reader, char **list, size_t n, const int **ret_list)
{
    int *indices;
    int err = load_take(reader->load, n, sizeof *indices, &indices);
    if (err < 0)
        return err;
    for (size_t k = 0; k < n; k++)
        indices[k] = onnx_name(&reader->names, list[k]);
    *ret_list = indices;
    return 0;
}

/* ---- tensors ------------------------------------------------------------------------------ */

static int onnx_tensor(struct load *load, const OnnxTensor *from,
                       const struct graph_tensor **ret_tensor)
{
    if (from->n_external_data > 0 ||
        from->data_location == 1) /* of a file, onnx_external.c has put it inside */
        return load_refuse(load,
                           "tensor '%s' is stored in a file of its own, which bytes in memory do "
                           "not have beside them: load the model by its path, or save it with its "
                           "weights inside (torch.onnx.export(..., external_data=False))",
                           onnx_text(from->name));
    struct onnx_tensor_source source = {
        .name = onnx_text(from->name),
        .data_type = from->data_type,
        .n_dims = from->n_dims,
        .dims = from->dims,
        .raw = from->has_raw_data ? from->raw_data.data : NULL,
        .n_raw = from->has_raw_data ? from->raw_data.len : 0,
        .floats = from->float_data,
        .n_floats = from->n_float_data,
        .int32s = from->int32_data,
        .n_int32s = from->n_int32_data,
        .int64s = from->int64_data,
        .n_int64s = from->n_int64_data,
        .doubles = from->double_data,
        .n_doubles = from->n_double_data,
        .uint64s = from->uint64_data,
        .n_uint64s = from->n_uint64_data,
    };
    return onnx_tensor_decode(load, &source, ret_tensor);
}

/* ---- nodes -------------------------------------------------------------------------------- */

static const char *onnx_bytes_text(struct load *load, const ProtobufCBinaryData *bytes)
{
    char *text;
    if (load_take(load, bytes->len + 1, 1, &text) < 0)
        return NULL;
    if (bytes->len > 0)
        memcpy(text, bytes->data, bytes->len);
    return text;
}

static int onnx_attr_texts(struct load *load, const OnnxAttribute *from, struct graph_attr *ret)
{
    const char **texts;
    int err = load_take(load, from->n_strings, sizeof *texts, &texts);
    for (size_t k = 0; err == 0 && k < from->n_strings; k++) {
        texts[k] = onnx_bytes_text(load, &from->strings[k]);
        err = texts[k] == NULL ? load_no_memory(load) : 0;
    }
    ret->texts = texts;
    ret->n = from->n_strings;
    return err;
}

/* AttributeProto.AttributeType; files older than IR version 2 leave it out. */
static int onnx_attr_type(const OnnxAttribute *from)
{
    if (from->has_type)
        return from->type;
    return from->has_f           ? 1
           : from->has_i         ? 2
           : from->has_s         ? 3
           : from->t != NULL     ? 4
           : from->n_floats > 0  ? 6
           : from->n_ints > 0    ? 7
           : from->n_strings > 0 ? 8
                                 : 0;
}

static int onnx_attr(struct load *load, const OnnxAttribute *from, struct graph_attr *ret)
{
    static const enum graph_attr_kind kinds[] = {
        [1] = GRAPH_ATTR_REAL,   [2] = GRAPH_ATTR_INT,   [3] = GRAPH_ATTR_TEXT,
        [4] = GRAPH_ATTR_TENSOR, [6] = GRAPH_ATTR_REALS, [7] = GRAPH_ATTR_INTS,
        [8] = GRAPH_ATTR_TEXTS,
    };
    int type = onnx_attr_type(from);
    ret->name = onnx_text(from->name);
    ret->kind = type < 1 || type > 8 || type == 5 ? GRAPH_ATTR_OTHER : kinds[type];
    ret->i = from->i;
    ret->f = from->f;
    ret->ints = from->ints;
    ret->reals = from->floats;
    switch (ret->kind) {
    case GRAPH_ATTR_TEXT:
        ret->text = onnx_bytes_text(load, &from->s);
        return ret->text == NULL ? load_no_memory(load) : 0;
    case GRAPH_ATTR_INTS:
        ret->n = from->n_ints;
        return 0;
    case GRAPH_ATTR_REALS:
        ret->n = from->n_floats;
        return 0;
    case GRAPH_ATTR_TEXTS:
        return onnx_attr_texts(load, from, ret);
    case GRAPH_ATTR_TENSOR:
        if (from->t == NULL)
            return load_invalid(load, "attribute '%s' says it is a tensor and has none", ret->name);
        return onnx_tensor(load, from->t, &ret->tensor);
    default:
        return 0;
    }
}

static const char *onnx_scopes(const OnnxNode *from)
{
    for (size_t k = 0; k < from->n_metadata_props; k++) {
        const Celltap__Onnx__StringStringEntry *entry = from->metadata_props[k];
        if (entry->key != NULL && strcmp(entry->key, "pkg.torch.onnx.name_scopes") == 0)
            return entry->value;
    }
    return NULL;
}

static int onnx_branches(struct onnx_reader *reader, const OnnxNode *from, struct graph_node *ret);

static int onnx_node(struct onnx_reader *reader, const OnnxNode *from, struct graph_node *ret)
{
    struct load *load = reader->load;
    struct graph_attr *attrs;
    ret->name = onnx_text(from->name);
    ret->op = onnx_text(from->op_type);
    ret->domain = onnx_text(from->domain);
    if (strcmp(ret->domain, "ai.onnx") == 0)
        ret->domain = "";
    ret->scopes = onnx_scopes(from);
    ret->n_in = from->n_input;
    ret->n_out = from->n_output;
    ret->n_attrs = from->n_attribute;
    load->node = *ret->name != '\0' ? ret->name : ret->op;
    int err = onnx_name_list(reader, from->input, from->n_input, &ret->in);
    if (err == 0)
        err = onnx_name_list(reader, from->output, from->n_output, &ret->out);
    if (err == 0)
        err = load_take(load, from->n_attribute, sizeof *attrs, &attrs);
    for (size_t k = 0; err == 0 && k < from->n_attribute; k++)
        err = onnx_attr(load, from->attribute[k], &attrs[k]);
    if (err == 0)
        ret->attrs = attrs;
    if (err == 0 && strcmp(ret->op, "If") == 0 && *ret->domain == '\0')
        err = onnx_branches(reader, from, ret);
    load->node = NULL;
    return err;
}

/* ---- inputs and outputs ------------------------------------------------------------------- */

static int onnx_port(struct onnx_reader *reader, const OnnxValueInfo *from, struct graph_port *ret)
{
    ret->value = onnx_name(&reader->names, from->name);
    if (ret->value < 0)
        return load_invalid(reader->load, "an input or output of the graph has no name");
    const Celltap__Onnx__TensorType *type = from->type == NULL ? NULL : from->type->tensor_type;
    ret->type = type == NULL ? GRAPH_OTHER : onnx_tensor_type(type->elem_type);
    if (type == NULL || type->shape == NULL)
        return 0;
    ret->has_shape = true;
    ret->n_dims = type->shape->n_dim;
    if (ret->n_dims > GRAPH_DIMS_MAX)
        return load_refuse(reader->load, "'%s' has %zu dimensions, more than %d", from->name,
                           ret->n_dims, GRAPH_DIMS_MAX);
    for (size_t k = 0; k < ret->n_dims; k++) {
        const Celltap__Onnx__Dimension *dim = type->shape->dim[k];
        bool known = dim->has_dim_value && dim->dim_value > 0;
        ret->dims[k] = known ? dim->dim_value : -1;
        ret->params[k] =
            known || dim->dim_param == NULL || *dim->dim_param == '\0' ? NULL : dim->dim_param;
    }
    return 0;
}

static int onnx_ports(struct onnx_reader *reader, OnnxValueInfo **from, size_t n_from,
                      const struct graph_port **ret_ports, size_t *ret_n)
{
    struct graph_port *ports;
    size_t n = 0;
    int err = load_take(reader->load, n_from, sizeof *ports, &ports);
    for (size_t k = 0; err == 0 && k < n_from; k++) {
        ports[n] = (struct graph_port){0};
        err = onnx_port(reader, from[k], &ports[n]);
        /* Before IR version 4 every initializer was listed as an input too. */
        if (err == 0 && reader->names.values[ports[n].value].tensor == NULL)
            n++;
    }
    *ret_ports = ports;
    *ret_n = n;
    return err;
}

/* ---- the graph ---------------------------------------------------------------------------- */

static int onnx_opset(struct load *load, const OnnxModel *model, int64_t *ret_opset)
{
    int64_t opset = 0;
    for (size_t k = 0; k < model->n_opset_import; k++) {
        const char *domain = onnx_text(model->opset_import[k]->domain);
        if (*domain == '\0' || strcmp(domain, "ai.onnx") == 0)
            opset = model->opset_import[k]->version;
    }
    if (opset < 1)
        return load_invalid(load, "the file does not say which ONNX operator set it uses: it is "
                                  "not an ONNX model, or not whole");
    if (opset < 7)
        return load_refuse(load,
                           "the model uses ONNX operator set %lld, older than 7: export it again "
                           "with a newer one (torch.onnx.export(..., opset_version=17))",
                           (long long)opset);
    *ret_opset = opset;
    return 0;
}

/* At most so many: in a branch, which is not read yet, a name takes three bytes or more. */
static size_t onnx_count_branches(const OnnxNode *node)
{
    size_t n = 0;
    for (size_t k = 0; k < node->n_attribute; k++)
        n += strcmp(onnx_text(node->op_type), "If") == 0 ? node->attribute[k]->g.len / 3 : 0;
    return n;
}

static size_t onnx_count_names(const Celltap__Onnx__Graph *graph)
{
    size_t n = graph->n_initializer + graph->n_input + graph->n_output;
    for (size_t k = 0; k < graph->n_node; k++)
        n += graph->node[k]->n_input + graph->node[k]->n_output +
             onnx_count_branches(graph->node[k]);
    return n;
}

static int onnx_initializers(struct onnx_reader *reader, const Celltap__Onnx__Graph *from)
{
    int err = 0;
    for (size_t k = 0; err == 0 && k < from->n_initializer; k++) {
        int ix = onnx_name(&reader->names, from->initializer[k]->name);
        if (ix < 0)
            return load_invalid(reader->load, "an initializer has no name");
        if (reader->depth > 0 && reader->names.values[ix].tensor != NULL)
            return load_invalid(reader->load, "'%s' is an initializer twice",
                                reader->names.values[ix].name);
        err = onnx_tensor(reader->load, from->initializer[k], &reader->names.values[ix].tensor);
    }
    return err;
}

static int onnx_branch(struct onnx_reader *reader, const OnnxAttribute *from,
                       struct graph_branch *ret)
{
    struct load *load = reader->load;
    ProtobufCAllocator allocator = onnx_allocator(load);
    const char *node = load->node;
    struct graph_node *nodes;
    load->reterr->text[0] = '\0';
    Celltap__Onnx__Graph *graph =
        celltap__onnx__graph__unpack(&allocator, from->g.len, from->g.data);
    int err = graph == NULL ? onnx_unpack_error(load) : 0;
    if (err == 0)
        err = onnx_initializers(reader, graph);
    if (err == 0)
        err = load_take(load, graph->n_node, sizeof *nodes, &nodes);
    for (size_t k = 0; err == 0 && k < graph->n_node; k++) {
        err = onnx_node(reader, graph->node[k], &nodes[k]);
        nodes[k].live = true;
    }
    int *out = NULL;
    if (err == 0)
        err = load_take(load, graph->n_output, sizeof *out, &out);
    for (size_t k = 0; err == 0 && k < graph->n_output; k++)
        out[k] = onnx_name(&reader->names, graph->output[k]->name);
    load->node = node;
    if (err == 0)
        *ret = (struct graph_branch){graph->n_node, graph->n_output, nodes, out};
    return err;
}

/* Of an If; one that lacks a branch is left without both. */
static int onnx_branches(struct onnx_reader *reader, const OnnxNode *from, struct graph_node *ret)
{
    static const char *const names[] = {"then_branch", "else_branch"};
    struct graph_branch *branches;
    size_t n_found = 0;
    if (reader->depth == ONNX_BRANCHES_MAX)
        return load_refuse(reader->load, "If: inside of more than %d others", ONNX_BRANCHES_MAX);
    int err = load_take(reader->load, 2, sizeof *branches, &branches);
    reader->depth++;
    for (size_t b = 0; b < 2; b++)
        for (size_t k = 0; err == 0 && k < from->n_attribute && n_found == b; k++)
            if (from->attribute[k]->has_g &&
                strcmp(onnx_text(from->attribute[k]->name), names[b]) == 0) {
                err = onnx_branch(reader, from->attribute[k], &branches[b]);
                n_found++;
            }
    reader->depth--;
    ret->branches = n_found == 2 ? branches : NULL;
    return err;
}

static int onnx_graph(struct onnx_reader *reader, const Celltap__Onnx__Graph *from)
{
    struct graph *graph = reader->graph;
    size_t n_names = onnx_count_names(from);
    if (n_names > INT_MAX / 4)
        return load_refuse(reader->load, "the graph has too many names");
    int err = onnx_names_init(reader->load, n_names, &reader->names);
    if (err == 0)
        err = onnx_initializers(reader, from);
    if (err == 0)
        err = onnx_ports(reader, from->input, from->n_input, &graph->inputs, &graph->n_inputs);
    if (err == 0)
        err = load_take(reader->load, from->n_node, sizeof *graph->nodes, &graph->nodes);
    graph->n_nodes = from->n_node;
    for (size_t k = 0; err == 0 && k < from->n_node; k++)
        err = onnx_node(reader, from->node[k], &graph->nodes[k]);
    struct graph_port *outputs = NULL;
    if (err == 0)
        err = load_take(reader->load, from->n_output, sizeof *outputs, &outputs);
    for (size_t k = 0; err == 0 && k < from->n_output; k++)
        err = onnx_port(reader, from->output[k], &outputs[k]);
    graph->outputs = outputs;
    graph->n_outputs = from->n_output;
    graph->values = reader->names.values;
    graph->n_values = reader->names.n;
    return err;
}

ProtobufCAllocator onnx_allocator(struct load *load)
{
    return (ProtobufCAllocator){.alloc = onnx_alloc, .free = onnx_free, .allocator_data = load};
}

int onnx_unpack_error(struct load *load)
{
    const char *said = load->reterr->text;
    if (*said == '\0')
        return load_invalid(load, "this is not an ONNX file, or not all of it");
    return strstr(said, "out of memory") == NULL ? CELLTAP_EREFUSED : CELLTAP_ENOMEM;
}

/* NULL: the model says nothing of it. */
static const char *onnx_metadata(const OnnxModel *model, const char *key)
{
    for (size_t k = 0; k < model->n_metadata_props; k++)
        if (strcmp(onnx_text(model->metadata_props[k]->key), key) == 0)
            return onnx_text(model->metadata_props[k]->value);
    return NULL;
}

int onnx_read(struct load *load, const void *data, size_t n_bytes, struct graph *ret_graph)
{
    struct graph graph = {0};
    struct onnx_reader reader = {.load = load, .graph = &graph};
    ProtobufCAllocator allocator = onnx_allocator(load);
    load->reterr->text[0] = '\0';
    OnnxModel *model = celltap__onnx__model__unpack(&allocator, n_bytes, data);
    int err = model == NULL ? onnx_unpack_error(load) : 0;
    if (err == 0 && (model->graph == NULL || model->graph->n_node == 0))
        err = load_invalid(load, "the file holds no ONNX graph");
    if (err == 0)
        err = onnx_function_inline(load, model);
    if (err == 0)
        err = onnx_opset(load, model, &graph.opset);
    if (err == 0)
        err = onnx_graph(&reader, model->graph);
    if (err == 0)
        err = carry_find(load, onnx_metadata(model, CARRY_KEY), &graph);
    if (err == 0)
        err = graph_mark_live(load, &graph);
    if (err == 0)
        graph.producer = onnx_text(model->producer_name);
    if (err == 0)
        *ret_graph = graph;
    return err;
}
