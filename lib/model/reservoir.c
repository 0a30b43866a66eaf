/* reservoir.c - the built-in model: a fixed random LSTM, written as ONNX and loaded like any other.
 *
 *     x [time, 1, X] --LSTM "/reservoir/LSTM": W[4H][X], R[4H][H], B[8H]--> h [time, 1, H]
 *
 * Weights are uniform in +-1/sqrt(H), as PyTorch begins, in the order W, R, B.  They come from
 * splitmix64 (Steele, Lea, Flood 2014) from one seed: number n of the sequence is a function of
 * n alone, so the network of X inputs and H units is the same everywhere. */
#include "lib/model/reservoir.h"

#include <math.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/model/model.h"
#include "lib/model/onnx.pb-c.h"

#define RESERVOIR_NAME       "reservoir"
#define RESERVOIR_SEED       0x63656c6c74617031u /* "celltap1" */
#define RESERVOIR_VALUES_MAX 4096
#define RESERVOIR_UNITS_MAX  1024
#define RESERVOIR_GATES      4
#define RESERVOIR_IR         6 /* ONNX 1.6 */
#define RESERVOIR_OPSET      11
#define RESERVOIR_FLOAT      1 /* TensorProto.DataType */

enum { RESERVOIR_INT = 2, RESERVOIR_INTS = 7 }; /* AttributeProto.AttributeType */
enum { RESERVOIR_W, RESERVOIR_R, RESERVOIR_B, RESERVOIR_N_WEIGHTS };

typedef Celltap__Onnx__Tensor OnnxTensor;
typedef Celltap__Onnx__Attribute OnnxAttribute;
typedef Celltap__Onnx__Node OnnxNode;
typedef Celltap__Onnx__Dimension OnnxDimension;
typedef Celltap__Onnx__TensorShape OnnxTensorShape;
typedef Celltap__Onnx__TensorType OnnxTensorType;
typedef Celltap__Onnx__Type OnnxType;
typedef Celltap__Onnx__ValueInfo OnnxValueInfo;
typedef Celltap__Onnx__Graph OnnxGraph;
typedef Celltap__Onnx__OperatorSetId OnnxOperatorSetId;
typedef Celltap__Onnx__Model OnnxModel;

bool reservoir_is(const celltap_model *model)
{
    return model->n_layers == 3 && strcmp(model->layers[1].name, RESERVOIR_NAME) == 0 &&
           strcmp(model->layers[1].kind, "LSTM") == 0;
}

/* ---- weights ------------------------------------------------------------------------------ */

static uint64_t reservoir_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* n weights as little-endian float32.  The 24 upper bits make an odd multiple of 2^-24 in +-1. */
static void reservoir_fill(unsigned char *to, size_t n, float bound, uint64_t *state)
{
    for (size_t i = 0; i < n; i++, to += sizeof(uint32_t)) {
        int64_t odd = (int64_t)(reservoir_random(state) >> 40) * 2 + 1 - (1 << 24);
        float weight = (float)((double)odd * 0x1p-24) * bound;
        uint32_t bits;
        memcpy(&bits, &weight, sizeof bits);
        for (size_t k = 0; k < sizeof bits; k++)
            to[k] = (unsigned char)(bits >> (8 * k));
    }
}

/* ---- the file ----------------------------------------------------------------------------- */

/* Every message of the file and what it points to.  Text is not changed by packing. */
struct reservoir {
    OnnxTensor weights[RESERVOIR_N_WEIGHTS], *weights_at[RESERVOIR_N_WEIGHTS];
    int64_t dims[RESERVOIR_N_WEIGHTS][3], squeezed[1];
    OnnxAttribute attributes[2], *attributes_at[2];
    OnnxNode nodes[2], *nodes_at[2];
    char *names[2][4], *results[2][1];
    OnnxDimension sizes[2][3], *sizes_at[2][3];
    OnnxTensorShape shapes[2];
    OnnxTensorType tensors[2];
    OnnxType types[2];
    OnnxValueInfo ports[2], *ports_at[2];
    OnnxOperatorSetId opset, *opset_at[1];
    OnnxGraph graph;
    OnnxModel model;
};

static void reservoir_weights(struct reservoir *file, size_t X, size_t H, unsigned char *bytes)
{
    static const char *const names[] = {"W", "R", "B"};
    size_t rows = RESERVOIR_GATES * H;
    const int64_t dims[][3] = {{1, (int64_t)rows, (int64_t)X},
                               {1, (int64_t)rows, (int64_t)H},
                               {1, (int64_t)(2 * rows), 0}};
    size_t sizes[] = {rows * X, rows * H, 2 * rows};
    uint64_t state = RESERVOIR_SEED;
    memcpy(file->dims, dims, sizeof dims);
    for (size_t i = 0; i < RESERVOIR_N_WEIGHTS; i++) {
        OnnxTensor *tensor = file->weights_at[i] = &file->weights[i];
        celltap__onnx__tensor__init(tensor);
        tensor->name = (char *)names[i];
        tensor->n_dims = i == RESERVOIR_B ? 2 : 3;
        tensor->dims = file->dims[i];
        tensor->has_data_type = tensor->has_raw_data = true;
        tensor->data_type = RESERVOIR_FLOAT;
        tensor->raw_data = (ProtobufCBinaryData){sizes[i] * sizeof(float), bytes};
        reservoir_fill(bytes, sizes[i], 1 / sqrtf((float)H), &state);
        bytes += sizes[i] * sizeof(float);
    }
}

/* x or h: [time, 1, n] */
static void reservoir_port(struct reservoir *file, size_t ix, const char *name, size_t n)
{
    for (size_t i = 0; i < 3; i++) {
        OnnxDimension *size = file->sizes_at[ix][i] = &file->sizes[ix][i];
        celltap__onnx__dimension__init(size);
        size->has_dim_value = i > 0;
        size->dim_value = i == 1 ? 1 : (int64_t)n;
    }
    file->sizes[ix][0].dim_param = (char *)"time";
    celltap__onnx__tensor_shape__init(&file->shapes[ix]);
    file->shapes[ix].n_dim = 3;
    file->shapes[ix].dim = file->sizes_at[ix];
    celltap__onnx__tensor_type__init(&file->tensors[ix]);
    file->tensors[ix].has_elem_type = true;
    file->tensors[ix].elem_type = RESERVOIR_FLOAT;
    file->tensors[ix].shape = &file->shapes[ix];
    celltap__onnx__type__init(&file->types[ix]);
    file->types[ix].tensor_type = &file->tensors[ix];
    celltap__onnx__value_info__init(&file->ports[ix]);
    file->ports[ix].name = (char *)name;
    file->ports[ix].type = &file->types[ix];
    file->ports_at[ix] = &file->ports[ix];
}

static void reservoir_node(struct reservoir *file, size_t ix, const char *name, const char *op,
                           size_t n_inputs, const char *result)
{
    OnnxNode *node = file->nodes_at[ix] = &file->nodes[ix];
    OnnxAttribute *attribute = file->attributes_at[ix] = &file->attributes[ix];
    celltap__onnx__attribute__init(attribute);
    attribute->has_type = true;
    file->results[ix][0] = (char *)result;
    celltap__onnx__node__init(node);
    node->name = (char *)name;
    node->op_type = (char *)op;
    node->n_input = n_inputs;
    node->input = file->names[ix];
    node->n_output = 1;
    node->output = file->results[ix];
    node->n_attribute = 1;
    node->attribute = &file->attributes_at[ix];
}

static void reservoir_nodes(struct reservoir *file, size_t H)
{
    static const char *const inputs[][4] = {{"x", "W", "R", "B"}, {"Y"}};
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < 4; k++)
            file->names[i][k] = (char *)inputs[i][k];
    reservoir_node(file, 0, "/" RESERVOIR_NAME "/LSTM", "LSTM", 4, "Y");
    file->attributes[0].name = (char *)"hidden_size";
    file->attributes[0].type = RESERVOIR_INT;
    file->attributes[0].has_i = true;
    file->attributes[0].i = (int64_t)H;
    reservoir_node(file, 1, "/" RESERVOIR_NAME "/Squeeze", "Squeeze", 1, "h");
    file->attributes[1].name = (char *)"axes";
    file->attributes[1].type = RESERVOIR_INTS;
    file->attributes[1].n_ints = 1;
    file->attributes[1].ints = file->squeezed;
    file->squeezed[0] = 1; /* directions */
}

static void reservoir_model(struct reservoir *file)
{
    celltap__onnx__graph__init(&file->graph);
    file->graph.name = (char *)RESERVOIR_NAME;
    file->graph.n_node = 2;
    file->graph.node = file->nodes_at;
    file->graph.n_initializer = RESERVOIR_N_WEIGHTS;
    file->graph.initializer = file->weights_at;
    file->graph.n_input = file->graph.n_output = 1;
    file->graph.input = &file->ports_at[0];
    file->graph.output = &file->ports_at[1];
    celltap__onnx__operator_set_id__init(&file->opset);
    file->opset.has_version = true;
    file->opset.version = RESERVOIR_OPSET;
    file->opset.domain = (char *)"";
    file->opset_at[0] = &file->opset;
    celltap__onnx__model__init(&file->model);
    file->model.has_ir_version = true;
    file->model.ir_version = RESERVOIR_IR;
    file->model.graph = &file->graph;
    file->model.n_opset_import = 1;
    file->model.opset_import = file->opset_at;
}

size_t celltap_reservoir_onnx(size_t n_values, size_t n_units, void *ret_bytes, size_t max_bytes)
{
    size_t X = n_values, H = n_units;
    if (X < 1 || X > RESERVOIR_VALUES_MAX || H < 1 || H > RESERVOIR_UNITS_MAX)
        return 0;
    size_t n_weights = RESERVOIR_GATES * H * (X + H + 2);
    struct reservoir *file = alloc_new(1, sizeof *file + n_weights * sizeof(float));
    if (file == NULL)
        return 0;
    reservoir_weights(file, X, H, (unsigned char *)(file + 1));
    reservoir_port(file, 0, "x", X);
    reservoir_port(file, 1, "h", H);
    reservoir_nodes(file, H);
    reservoir_model(file);
    size_t n_bytes = celltap__onnx__model__get_packed_size(&file->model);
    if (n_bytes <= max_bytes)
        celltap__onnx__model__pack(&file->model, ret_bytes);
    alloc_free(file);
    return n_bytes;
}

int celltap_model_reservoir(size_t n_values, size_t n_units, celltap_model **ret_model)
{
    if (ret_model == NULL || n_values < 1 || n_values > RESERVOIR_VALUES_MAX || n_units < 1 ||
        n_units > RESERVOIR_UNITS_MAX)
        return CELLTAP_EINVAL;
    size_t n_bytes = celltap_reservoir_onnx(n_values, n_units, NULL, 0);
    void *bytes = n_bytes == 0 ? NULL : alloc_new(1, n_bytes);
    int err = CELLTAP_ENOMEM;
    if (bytes != NULL && celltap_reservoir_onnx(n_values, n_units, bytes, n_bytes) == n_bytes)
        err = celltap_model_load_bytes(bytes, n_bytes, ret_model, NULL);
    alloc_free(bytes);
    return err;
}
