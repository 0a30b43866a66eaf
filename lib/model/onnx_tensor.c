/* onnx_tensor.c - TensorProto's numbers as float or int64.
 *
 * One row per data type says which list holds it and how one item is read, raw or from a list. */
#include "lib/model/onnx_tensor.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ONNX's raw_data is little-endian");

enum onnx_list { LIST_NONE, LIST_FLOAT, LIST_INT32, LIST_INT64, LIST_DOUBLE, LIST_UINT64 };

struct onnx_type {
    enum graph_type type;
    enum onnx_list list;
    size_t raw_bytes; /* of one item */
    /* Reads one item of raw_bytes bytes into a float or an int64_t. */
    void (*read)(const void *from, void *ret_item);
};

static float onnx_half(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits >> 15) << 31;
    int exponent = (bits >> 10) & 31;
    uint32_t fraction = bits & 1023u;
    float magnitude;
    uint32_t word;
    if (exponent == 0) { /* fraction * 2^-24, exact in float */
        magnitude = (float)fraction * 0x1p-24f;
        memcpy(&word, &magnitude, sizeof word);
    } else {
        word = (exponent == 31 ? 255u : (uint32_t)(exponent + 112)) << 23 | fraction << 13;
    }
    word |= sign;
    memcpy(&magnitude, &word, sizeof word);
    return magnitude;
}

#define ONNX_READ(name, stored, item, value)                                                       \
    static void onnx_read_##name(const void *from, void *ret_item)                                 \
    {                                                                                              \
        stored x;                                                                                  \
        memcpy(&x, from, sizeof x);                                                                \
        item y = value;                                                                            \
        memcpy(ret_item, &y, sizeof y);                                                            \
    }

static float onnx_bfloat(uint16_t bits)
{
    uint32_t word = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

ONNX_READ(float, float, float, x)
ONNX_READ(double, double, float, (float)x)
ONNX_READ(half, uint16_t, float, onnx_half(x))
ONNX_READ(bfloat, uint16_t, float, onnx_bfloat(x))
ONNX_READ(int8, int8_t, int64_t, x)
ONNX_READ(uint8, uint8_t, int64_t, x)
ONNX_READ(int16, int16_t, int64_t, x)
ONNX_READ(uint16, uint16_t, int64_t, x)
ONNX_READ(int32, int32_t, int64_t, x)
ONNX_READ(uint32, uint32_t, int64_t, x)
ONNX_READ(int64, int64_t, int64_t, x)
ONNX_READ(uint64, uint64_t, int64_t, (int64_t)x)
ONNX_READ(bool, uint8_t, int64_t, x != 0)

/* Indexed by TensorProto.DataType. */
static const struct onnx_type onnx_types[] = {
    [1] = {GRAPH_FLOAT, LIST_FLOAT, 4, onnx_read_float},
    [2] = {GRAPH_INT, LIST_INT32, 1, onnx_read_uint8},
    [3] = {GRAPH_INT, LIST_INT32, 1, onnx_read_int8},
    [4] = {GRAPH_INT, LIST_INT32, 2, onnx_read_uint16},
    [5] = {GRAPH_INT, LIST_INT32, 2, onnx_read_int16},
    [6] = {GRAPH_INT, LIST_INT32, 4, onnx_read_int32},
    [7] = {GRAPH_INT, LIST_INT64, 8, onnx_read_int64},
    [8] = {GRAPH_OTHER, LIST_NONE, 0, NULL}, /* string */
    [9] = {GRAPH_BOOL, LIST_INT32, 1, onnx_read_bool},
    [10] = {GRAPH_FLOAT, LIST_INT32, 2, onnx_read_half},
    [11] = {GRAPH_FLOAT, LIST_DOUBLE, 8, onnx_read_double},
    [12] = {GRAPH_INT, LIST_UINT64, 4, onnx_read_uint32},
    [13] = {GRAPH_INT, LIST_UINT64, 8, onnx_read_uint64},
    [14] = {GRAPH_OTHER, LIST_NONE, 0, NULL}, /* complex */
    [15] = {GRAPH_OTHER, LIST_NONE, 0, NULL},
    [16] = {GRAPH_FLOAT, LIST_INT32, 2, onnx_read_bfloat},
};

static const struct onnx_type *onnx_type(int data_type)
{
    static const struct onnx_type unknown = {GRAPH_OTHER, LIST_NONE, 0, NULL};
    size_t n = sizeof onnx_types / sizeof *onnx_types;
    return data_type < 1 || (size_t)data_type >= n ? &unknown : &onnx_types[data_type];
}

enum graph_type onnx_tensor_type(int data_type)
{
    return onnx_type(data_type)->list == LIST_NONE ? GRAPH_OTHER : onnx_type(data_type)->type;
}

/* Where the items stand, how many there are, and how far apart.  The low bytes of an int32 or
 * uint64 are the smaller types' (little-endian). */
static const uint8_t *onnx_source(const struct onnx_tensor_source *source, enum onnx_list list,
                                  size_t *ret_n, size_t *ret_stride)
{
    switch (list) {
    case LIST_FLOAT:
        *ret_n = source->n_floats;
        *ret_stride = sizeof *source->floats;
        return (const uint8_t *)source->floats;
    case LIST_INT32:
        *ret_n = source->n_int32s;
        *ret_stride = sizeof *source->int32s;
        return (const uint8_t *)source->int32s;
    case LIST_INT64:
        *ret_n = source->n_int64s;
        *ret_stride = sizeof *source->int64s;
        return (const uint8_t *)source->int64s;
    case LIST_DOUBLE:
        *ret_n = source->n_doubles;
        *ret_stride = sizeof *source->doubles;
        return (const uint8_t *)source->doubles;
    default:
        *ret_n = source->n_uint64s;
        *ret_stride = sizeof *source->uint64s;
        return (const uint8_t *)source->uint64s;
    }
}

static int onnx_shape(struct load *load, const struct onnx_tensor_source *source,
                      struct graph_tensor *tensor)
{
    if (source->n_dims > GRAPH_DIMS_MAX)
        return load_refuse(load, "tensor '%s' has %zu dimensions, more than %d", source->name,
                           source->n_dims, GRAPH_DIMS_MAX);
    tensor->n_dims = source->n_dims;
    tensor->n = 1;
    for (size_t k = 0; k < source->n_dims; k++) {
        tensor->dims[k] = source->dims[k];
        if (source->dims[k] < 0 ||
            __builtin_mul_overflow(tensor->n, (size_t)source->dims[k], &tensor->n))
            return load_invalid(load, "tensor '%s' has an impossible shape", source->name);
    }
    return 0;
}

static int onnx_check_type(struct load *load, const struct onnx_tensor_source *source)
{
    if (onnx_type(source->data_type)->list != LIST_NONE)
        return 0;
    return load_refuse(load, "tensor '%s' holds data of ONNX type %d: only numbers are known",
                       source->name, source->data_type);
}

int onnx_tensor_n_bytes(struct load *load, const struct onnx_tensor_source *source,
                        size_t *ret_n_bytes)
{
    struct graph_tensor tensor;
    int err = onnx_check_type(load, source);
    if (err == 0)
        err = onnx_shape(load, source, &tensor);
    if (err == 0 &&
        __builtin_mul_overflow(tensor.n, onnx_type(source->data_type)->raw_bytes, ret_n_bytes))
        err = load_invalid(load, "tensor '%s' has an impossible shape", source->name);
    return err;
}

int onnx_tensor_decode(struct load *load, const struct onnx_tensor_source *source,
                       const struct graph_tensor **ret_tensor)
{
    const struct onnx_type *type = onnx_type(source->data_type);
    struct graph_tensor *tensor;
    int err = onnx_check_type(load, source);
    if (err == 0)
        err = load_take(load, 1, sizeof *tensor, &tensor);
    if (err == 0)
        err = onnx_shape(load, source, tensor);
    if (err < 0)
        return err;
    size_t n_held, stride;
    const uint8_t *from = source->raw;
    if (from != NULL) {
        stride = type->raw_bytes;
        n_held = source->n_raw % stride == 0 ? source->n_raw / stride : SIZE_MAX;
    } else {
        from = onnx_source(source, type->list, &n_held, &stride);
    }
    if (n_held != tensor->n)
        return load_invalid(load, "tensor '%s' does not hold the %zu numbers of its shape",
                            source->name, tensor->n);
    size_t item_bytes = type->type == GRAPH_FLOAT ? sizeof(float) : sizeof(int64_t);
    uint8_t *items;
    err = load_take(load, tensor->n, item_bytes, &items);
    if (err < 0)
        return err;
    for (size_t k = 0; k < tensor->n; k++)
        type->read(from + k * stride, items + k * item_bytes);
    tensor->type = type->type;
    tensor->items = items;
    *ret_tensor = tensor;
    return 0;
}
