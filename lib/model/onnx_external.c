/* onnx_external.c - external data: a tensor whose numbers are part of another file.
 *
 *     model.onnx       | .. | fc.weight: location model.onnx.data, offset 4096, length 2048 | .. |
 *     model.onnx.data  | ...... 4096: | numbers, as raw_data would have them | ... |
 *
 * PyTorch writes this for models of any size.  The model is read, its tensors get their raw_data,
 * and it is written again: what comes out is a model like any other, for the loader, for a hash and
 * for a copy.  All that the model claims is checked against what the files hold before anything is
 * allocated for it. */
#include "lib/model/onnx_external.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/model/file.h"
#include "lib/model/onnx_external.pb-c.h"
#include "lib/model/onnx_priv.h"
#include "lib/model/onnx_tensor.h"

typedef Celltap__External__Tensor ExternalTensor;

/* What a tensor says of its data. */
struct external_part {
    const char *location;
    uint64_t offset;
    size_t n_bytes;
};

struct external {
    struct load *load;  /* borrowed */
    const char *folder; /* borrowed */
    struct file file;   /* owned: the last one used; most models have one */
    const char *location;
    uint64_t n_bytes; /* of all parts so far */
    size_t n_tensors;
    int (*visit)(struct external *external, ExternalTensor *tensor);
};

/* ---- what the model claims ---------------------------------------------------------------- */

static int external_number(struct load *load, const ExternalTensor *tensor, const char *key,
                           const char *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    bool whole = *text != '\0';
    for (const char *at = text; whole && *at != '\0'; at++)
        whole = *at >= '0' && *at <= '9' && !__builtin_mul_overflow(number, 10u, &number) &&
                !__builtin_add_overflow(number, (uint64_t)(*at - '0'), &number);
    if (!whole)
        return load_invalid(load,
                            "tensor '%s' has external data with %s '%.40s', which is not a "
                            "number of bytes",
                            onnx_text(tensor->name), key, text);
    *ret_number = number;
    return 0;
}

/* The file that the tensor's data is in: opened, unless it is still open from the tensor before. */
static int external_open(struct external *external, const ExternalTensor *tensor,
                         const char *location)
{
    if (external->location != NULL && strcmp(external->location, location) == 0)
        return 0;
    file_close(&external->file);
    external->location = NULL;
    const char *why = file_open_beside(external->folder, location, &external->file);
    if (why != NULL)
        return load_unreadable(external->load,
                               "tensor '%s' is stored in '%.200s', which must be beside the "
                               "model: %s",
                               onnx_text(tensor->name), location, why);
    external->location = location;
    return 0;
}

static int external_find(struct external *external, const ExternalTensor *tensor,
                         struct external_part *ret_part)
{
    struct load *load = external->load;
    const char *location = "", *offset = "0", *length = NULL;
    uint64_t first, n_bytes, end;
    size_t n_wanted;
    for (size_t k = 0; k < tensor->n_external_data; k++) {
        const Celltap__External__StringStringEntry *entry = tensor->external_data[k];
        const char *key = entry->key == NULL ? "" : entry->key;
        const char *value = entry->value == NULL ? "" : entry->value;
        location = strcmp(key, "location") == 0 ? value : location;
        offset = strcmp(key, "offset") == 0 ? value : offset;
        length = strcmp(key, "length") == 0 ? value : length;
    }
    struct onnx_tensor_source source = {.name = onnx_text(tensor->name),
                                        .data_type = tensor->data_type,
                                        .n_dims = tensor->n_dims,
                                        .dims = tensor->dims};
    int err = onnx_tensor_n_bytes(load, &source, &n_wanted);
    if (err == 0)
        err = external_number(load, tensor, "offset", offset, &first);
    if (err == 0)
        err = external_open(external, tensor, location);
    if (err < 0)
        return err;
    n_bytes = first < external->file.n_bytes ? external->file.n_bytes - first : 0;
    err = length == NULL ? 0 : external_number(load, tensor, "length", length, &n_bytes);
    if (err == 0 && n_bytes != n_wanted)
        err = load_invalid(load,
                           "tensor '%s' has %" PRIu64 " bytes of '%.200s', but its shape has "
                           "%zu",
                           onnx_text(tensor->name), n_bytes, location, n_wanted);
    if (err == 0 && (__builtin_add_overflow(first, n_bytes, &end) || end > external->file.n_bytes))
        err = load_unreadable(
            load,
            "tensor '%s' is %" PRIu64 " bytes from byte %" PRIu64
            " of '%.200s' on, which has only %" PRIu64 ": it is not whole, or of another model",
            onnx_text(tensor->name), n_bytes, first, location, external->file.n_bytes);
    *ret_part = (struct external_part){location, first, n_wanted};
    return err;
}

/* ---- two visits of every tensor ----------------------------------------------------------- */

static int external_check(struct external *external, ExternalTensor *tensor)
{
    struct external_part part;
    int err = external_find(external, tensor, &part);
    if (err < 0)
        return err;
    external->n_bytes += part.n_bytes;
    external->n_tensors++;
    return external->n_bytes < FILE_BYTES_MAX
               ? 0
               : load_refuse(external->load, "the model and its data are larger than 2 GiB");
}

static int external_take(struct external *external, ExternalTensor *tensor)
{
    struct external_part part;
    uint8_t *bytes;
    int err = external_find(external, tensor, &part);
    if (err == 0)
        err = load_take(external->load, part.n_bytes, 1, &bytes);
    if (err < 0)
        return err;
    const char *why = file_read(&external->file, part.offset, bytes, part.n_bytes);
    if (why != NULL)
        return load_unreadable(external->load, "'%.200s', which is beside the model: %s",
                               part.location, why);
    tensor->n_external_data = 0;
    tensor->has_data_location = 0;
    tensor->has_raw_data = 1;
    tensor->raw_data = (ProtobufCBinaryData){.len = part.n_bytes, .data = bytes};
    return 0;
}

static int external_visit(struct external *external, ExternalTensor *tensor)
{
    bool is_external = tensor->n_external_data > 0 || tensor->data_location == 1;
    return is_external ? external->visit(external, tensor) : 0;
}

static int external_nodes(struct external *external, Celltap__External__Node *const *nodes,
                          size_t n)
{
    int err = 0;
    for (size_t k = 0; err == 0 && k < n; k++)
        for (size_t a = 0; err == 0 && a < nodes[k]->n_attribute; a++)
            if (nodes[k]->attribute[a]->t != NULL)
                err = external_visit(external, nodes[k]->attribute[a]->t);
    return err;
}

static int external_each(struct external *external, const Celltap__External__Model *model)
{
    const Celltap__External__Graph *graph = model->graph;
    int err = 0;
    for (size_t k = 0; err == 0 && k < graph->n_initializer; k++)
        err = external_visit(external, graph->initializer[k]);
    if (err == 0)
        err = external_nodes(external, graph->node, graph->n_node);
    for (size_t k = 0; err == 0 && k < model->n_functions; k++)
        err = external_nodes(external, model->functions[k]->node, model->functions[k]->n_node);
    return err;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static int external_pack(struct load *load, const Celltap__External__Model *model, void **ret_bytes,
                         size_t *ret_n_bytes)
{
    size_t n_bytes = celltap__external__model__get_packed_size(model);
    if (n_bytes > FILE_BYTES_MAX)
        return load_refuse(load, "the model and its data are larger than 2 GiB");
    void *bytes = alloc_new(n_bytes, 1);
    if (bytes == NULL)
        return load_no_memory(load);
    *ret_n_bytes = celltap__external__model__pack(model, bytes);
    *ret_bytes = bytes;
    return 0;
}

int onnx_external_read(struct load *load, const char *folder, const void *data, size_t n_bytes,
                       void **ret_bytes, size_t *ret_n_bytes)
{
    struct external external = {
        .load = load, .folder = folder, .file = {.fd = -1}, .visit = external_check};
    ProtobufCAllocator allocator = onnx_allocator(load);
    *ret_bytes = NULL;
    load->reterr->text[0] = '\0';
    Celltap__External__Model *model = celltap__external__model__unpack(&allocator, n_bytes, data);
    int err = model == NULL ? onnx_unpack_error(load) : 0;
    if (err == CELLTAP_EMODEL || (err == 0 && model->graph == NULL))
        return 0;
    if (err == 0)
        err = external_each(&external, model);
    if (err == 0 && external.n_tensors > 0) {
        load->budget_bytes += (size_t)external.n_bytes;
        external.visit = external_take;
        err = external_each(&external, model);
        if (err == 0)
            err = external_pack(load, model, ret_bytes, ret_n_bytes);
    }
    file_close(&external.file);
    return err;
}
