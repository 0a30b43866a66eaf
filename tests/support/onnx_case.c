/* onnx_case.c - reads ONNX's node tests with the generated protobuf code. */
#include "tests/support/onnx_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/model/onnx.pb-c.h"

typedef Celltap__Onnx__Model Model;
typedef Celltap__Onnx__Node Node;
typedef Celltap__Onnx__Tensor Tensor;

#define PATH_BYTES 1024
#define ITEMS_MAX  100000 /* of an axis, and nearly of a tensor */
#define OPSET_MIN  7      /* the oldest that celltap reads */

static const Celltap__Onnx__Graph *graph_of(const struct onnx_case *one)
{
    return ((const Model *)one->model)->graph;
}

static unsigned char *read_file(const char *path, size_t *ret_n_bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    unsigned char *bytes = size < 0 ? NULL : malloc((size_t)size + 1);
    if (bytes != NULL && fread(bytes, 1, (size_t)size, file) != (size_t)size) {
        free(bytes);
        bytes = NULL;
    }
    fclose(file);
    *ret_n_bytes = (size_t)size;
    return bytes;
}

/* ---- tensors ----------------------------------------------------------------------------------
 */

/* A number of the short float types: bits of sign, exponent (n_exponent of them) and fraction. */
static double short_float(unsigned bits, int n_exponent)
{
    int n_fraction = 15 - n_exponent, bias = (1 << (n_exponent - 1)) - 1;
    int exponent = (int)(bits >> n_fraction) & ((1 << n_exponent) - 1);
    double fraction = (double)(bits & ((1u << n_fraction) - 1)) / (1 << n_fraction);
    double size = exponent == 0              ? ldexp(fraction, 1 - bias)
                  : exponent == 2 * bias + 1 ? (fraction == 0 ? INFINITY : NAN)
                                             : ldexp(1 + fraction, exponent - bias);
    return bits & 0x8000 ? -size : size;
}

/* The k-th number, wherever and however it is stored. */
static double item(const Tensor *tensor, size_t k)
{
    if (tensor->has_raw_data) {
        const uint8_t *raw = tensor->raw_data.data;
        float f;
        double d;
        int32_t i;
        int64_t l;
        uint16_t u;
        switch (tensor->data_type) {
        case 1:
            return memcpy(&f, raw + 4 * k, 4), (double)f;
        case 6:
            return memcpy(&i, raw + 4 * k, 4), (double)i;
        case 7:
            return memcpy(&l, raw + 8 * k, 8), (double)l;
        case 9:
            return raw[k];
        case 10:
            return memcpy(&u, raw + 2 * k, 2), short_float(u, 5);
        case 16:
            return memcpy(&u, raw + 2 * k, 2), short_float(u, 8);
        case 12:
            return memcpy(&i, raw + 4 * k, 4), (double)(uint32_t)i;
        case 13:
            return memcpy(&l, raw + 8 * k, 8), (double)(uint64_t)l;
        case 11:
            return memcpy(&d, raw + 8 * k, 8), d;
        default:
            return 0;
        }
    }
    if (k < tensor->n_float_data)
        return (double)tensor->float_data[k];
    if (k < tensor->n_int32_data && (tensor->data_type == 10 || tensor->data_type == 16))
        return short_float((unsigned)tensor->int32_data[k], tensor->data_type == 10 ? 5 : 8);
    if (k < tensor->n_int32_data)
        return (double)tensor->int32_data[k];
    if (k < tensor->n_int64_data)
        return (double)tensor->int64_data[k];
    return k < tensor->n_double_data ? tensor->double_data[k] : 0;
}

static size_t item_bytes(int type)
{
    static const unsigned char bytes[] = {
        [1] = 4, [6] = 4, [7] = 8, [9] = 1, [10] = 2, [11] = 8, [12] = 4, [13] = 8, [16] = 2};
    return type >= 0 && (size_t)type < sizeof bytes ? bytes[type] : 0;
}

static const char *take_tensor(const Tensor *from, struct onnx_case_tensor *to)
{
    to->type = from->data_type;
    to->n = 1;
    to->n_dims = from->n_dims;
    if (from->n_dims > ONNX_CASE_DIMS_MAX)
        return "a tensor has more axes than this test expects";
    for (size_t k = 0; k < from->n_dims; k++) {
        to->dims[k] = from->dims[k];
        if (from->dims[k] < 0 || (size_t)from->dims[k] > ITEMS_MAX || to->n > ITEMS_MAX)
            return "a test value is not a tensor";
        to->n *= (size_t)from->dims[k];
    }
    if (from->has_raw_data && from->raw_data.len < to->n * item_bytes(to->type))
        return "a tensor is shorter than its dims claim";
    to->values = calloc(to->n + 1, sizeof *to->values);
    if (to->values == NULL)
        return "out of memory";
    for (size_t k = 0; k < to->n; k++)
        to->values[k] = item(from, k);
    return NULL;
}

static const char *read_tensors(const char *path, const char *kind, size_t n,
                                struct onnx_case_tensor *tensors)
{
    if (n > ONNX_CASE_TENSORS_MAX)
        return "more tensors than this test expects";
    for (size_t k = 0; k < n; k++) {
        char file[PATH_BYTES + 64];
        size_t n_bytes;
        snprintf(file, sizeof file, "%s/test_data_set_0/%s_%zu.pb", path, kind, k);
        unsigned char *bytes = read_file(file, &n_bytes);
        if (bytes == NULL)
            return "a test tensor is missing";
        Tensor *tensor = celltap__onnx__tensor__unpack(NULL, n_bytes, bytes);
        free(bytes);
        if (tensor == NULL)
            return "a test value is not a tensor";
        const char *why = take_tensor(tensor, &tensors[k]);
        celltap__onnx__tensor__free_unpacked(tensor, NULL);
        if (why != NULL)
            return why;
    }
    return NULL;
}

/* ---- cases ------------------------------------------------------------------------------------
 */

const char *onnx_case_read(const char *path, struct onnx_case *ret_case)
{
    char file[PATH_BYTES];
    size_t n_bytes;
    *ret_case = (struct onnx_case){0};
    snprintf(file, sizeof file, "%s/model.onnx", path);
    unsigned char *bytes = read_file(file, &n_bytes);
    if (bytes == NULL)
        return "model.onnx is missing";
    Model *model = celltap__onnx__model__unpack(NULL, n_bytes, bytes);
    free(bytes);
    if (model == NULL || model->graph == NULL)
        return "model.onnx is not a model";
    ret_case->model = model;
    for (size_t k = 0; k < model->n_opset_import; k++) /* 7 did not change what is in 1 to 6 here */
        if (model->opset_import[k]->version < OPSET_MIN)
            model->opset_import[k]->version = OPSET_MIN;
    ret_case->n_inputs = model->graph->n_input;
    ret_case->n_outputs = model->graph->n_output;
    const char *why = read_tensors(path, "input", ret_case->n_inputs, ret_case->inputs);
    if (why == NULL)
        why = read_tensors(path, "output", ret_case->n_outputs, ret_case->outputs);
    if (why != NULL)
        onnx_case_done(ret_case);
    return why;
}

bool onnx_case_is_float(const struct onnx_case_tensor *tensor)
{
    return tensor->type == ONNX_CASE_FLOAT || tensor->type == 10 || tensor->type == 11 ||
           tensor->type == 16;
}

void onnx_case_done(struct onnx_case *one)
{
    for (size_t k = 0; k < ONNX_CASE_TENSORS_MAX; k++) {
        free(one->inputs[k].values);
        free(one->outputs[k].values);
    }
    if (one->model != NULL)
        celltap__onnx__model__free_unpacked(one->model, NULL);
    *one = (struct onnx_case){0};
}

size_t onnx_case_n_nodes(const struct onnx_case *one)
{
    return graph_of(one)->n_node;
}

const char *onnx_case_op(const struct onnx_case *one, size_t node_ix)
{
    return graph_of(one)->node[node_ix]->op_type;
}

static size_t find(char *const *names, size_t n, const char *name)
{
    for (size_t k = 0; k < n; k++)
        if (strcmp(names[k], name) == 0)
            return k;
    return SIZE_MAX;
}

size_t onnx_case_position(const struct onnx_case *one, size_t input_ix)
{
    const Node *node = graph_of(one)->node[0];
    return find(node->input, node->n_input, graph_of(one)->input[input_ix]->name);
}

size_t onnx_case_output_position(const struct onnx_case *one, size_t output_ix)
{
    const Node *node = graph_of(one)->node[0];
    return find(node->output, node->n_output, graph_of(one)->output[output_ix]->name);
}

int64_t onnx_case_attribute(const struct onnx_case *one, const char *name, int64_t otherwise)
{
    const Node *node = graph_of(one)->node[0];
    for (size_t k = 0; k < node->n_attribute; k++)
        if (strcmp(node->attribute[k]->name, name) == 0)
            return node->attribute[k]->i;
    return otherwise;
}

size_t onnx_case_output_find(const struct onnx_case *one, const char *name)
{
    for (size_t k = 0; k < one->n_outputs; k++)
        if (strcmp(graph_of(one)->output[k]->name, name) == 0)
            return k;
    return SIZE_MAX;
}

/* ---- packing ----------------------------------------------------------------------------------
 */

/* A tensor message; owns its lists.  row: of batch_axis, or SIZE_MAX: all rows. */
static Tensor *make_tensor(const struct onnx_case_tensor *from, char *name, size_t batch_axis,
                           size_t row)
{
    Tensor *to = calloc(1, sizeof *to);
    celltap__onnx__tensor__init(to);
    bool cut = batch_axis < from->n_dims && row != SIZE_MAX;
    size_t inner = 1, n = 0;
    to->name = name;
    to->has_data_type = 1;
    to->data_type = from->type;
    to->n_dims = from->n_dims;
    to->dims = calloc(from->n_dims + 1, sizeof *to->dims);
    for (size_t k = 0; k < from->n_dims; k++) {
        to->dims[k] = cut && k == batch_axis ? 1 : from->dims[k];
        inner *= k > batch_axis ? (size_t)from->dims[k] : 1;
    }
    size_t n_rows = cut ? (size_t)from->dims[batch_axis] : 1;
    to->float_data = calloc(from->n + 1, sizeof *to->float_data);
    to->int32_data = calloc(from->n + 1, sizeof *to->int32_data);
    to->int64_data = calloc(from->n + 1, sizeof *to->int64_data);
    to->uint64_data = calloc(from->n + 1, sizeof *to->uint64_data);
    to->double_data = calloc(from->n + 1, sizeof *to->double_data);
    for (size_t k = 0; k < from->n; k++) {
        if (cut && k / inner % n_rows != row)
            continue;
        to->float_data[n] = (float)from->values[k];
        to->int32_data[n] = (int32_t)from->values[k];
        to->int64_data[n] = (int64_t)from->values[k];
        to->uint64_data[n] = (uint64_t)to->int64_data[n];
        to->double_data[n++] = from->values[k];
    }
    if (from->type == ONNX_CASE_FLOAT)
        to->n_float_data = n;
    else if (from->type == 7)
        to->n_int64_data = n;
    else if (from->type == 11)
        to->n_double_data = n;
    else if (from->type == 12 || from->type == 13)
        to->n_uint64_data = n;
    else
        to->n_int32_data = n;
    return to;
}

static void free_tensor(Tensor *tensor)
{
    free(tensor->dims);
    free(tensor->float_data);
    free(tensor->int32_data);
    free(tensor->int64_data);
    free(tensor->uint64_data);
    free(tensor->double_data);
    free(tensor);
}

void onnx_case_pack(const struct onnx_case *one, const bool *constant, const size_t *batch_axis,
                    size_t row, unsigned char **ret_bytes, size_t *ret_n_bytes)
{
    Celltap__Onnx__Graph *graph = ((Model *)one->model)->graph;
    Tensor *made[ONNX_CASE_TENSORS_MAX], **all, **old = graph->initializer;
    size_t n_made = 0, n_old = graph->n_initializer;
    all = calloc(n_old + one->n_inputs + 1, sizeof(Tensor *));
    for (size_t k = 0; k < n_old; k++)
        all[k] = old[k];
    for (size_t k = 0; k < one->n_inputs; k++) {
        if (!constant[k])
            continue;
        made[n_made] = make_tensor(&one->inputs[k], graph->input[k]->name, batch_axis[k], row);
        all[n_old + n_made] = made[n_made];
        n_made++;
    }
    graph->initializer = all;
    graph->n_initializer = n_old + n_made;
    *ret_n_bytes = celltap__onnx__model__get_packed_size(one->model);
    *ret_bytes = malloc(*ret_n_bytes + 1);
    celltap__onnx__model__pack(one->model, *ret_bytes);
    graph->initializer = old;
    graph->n_initializer = n_old;
    for (size_t k = 0; k < n_made; k++)
        free_tensor(made[k]);
    free(all);
}
