/* model.c - the public face: loads a model, and says what is in it.
 *
 *     files --> bytes --onnx_read--> graph --lower_graph--> plan --pack_model--> model
 *                                      |        ^
 *                                      +--------+  one attempt per guess of what the axes are
 *
 * The first guess that lowers whole is taken; if none does, the diagnosis is that of the attempt
 * that got farthest, of those that no recurrent layer contradicts.  Where the length of the sequence or the batch is open, the winner is lowered
 * again with other lengths: whatever differs then would depend on them. */
#include "lib/model/model.h"

#include <string.h>

#include "lib/base/alloc.h"
#include "lib/model/file.h"
#include "lib/model/lower.h"
#include "lib/model/onnx.h"
#include "lib/model/onnx_external.h"
#include "lib/model/pack.h"
#include "lib/model/remark.h"

/* What the axes of inputs with 1, 2 and 3 or more axes may be: Time, Batch, Features. */
static const struct lower_guess model_guesses[] = {
    {{"F", "BF", "BTF"}}, {{"F", "BF", "TBF"}}, {{"T", "TF", "BTF"}},
    {{"T", "TF", "TBF"}}, {{"T", "BT", "BTF"}}, {{"T", "TB", "TBF"}},
    {{"B", "BF", "BFF"}}, {{"B", "BF", "BFT"}}, {{"F", "FF", "FFF"}},
};

/* Lengths that no dimension of a real model is a multiple of by accident. */
static const int64_t model_primes[] = {1009, 1013, 1019, 1021, 1031, 1033, 1039, 1049,
                                       1051, 1061, 1063, 1069, 1087, 1091, 1093, 1097};

#define MODEL_BUDGET_MIN ((size_t)64 << 20)

/* Memory that loading n_bytes may take, in each of reading, lowering and lowering again. */
static size_t model_budget(size_t n_bytes)
{
    return MODEL_BUDGET_MIN + 32 * n_bytes;
}

/* ---- one attempt -------------------------------------------------------------------------- */

struct model_source {
    const struct graph *graph;
    const unsigned char *leads;
    size_t budget_bytes;
    int64_t primes[4]; /* for the first lowering, and for the second */
};

static bool model_divides(int64_t prime, size_t n, const int64_t *numbers)
{
    for (size_t k = 0; k < n; k++)
        if (numbers[k] != 0 && numbers[k] % prime == 0)
            return true;
    return false;
}

static bool model_prime_fits(const struct graph *graph, int64_t prime)
{
    for (size_t v = 0; v < graph->n_values; v++) {
        const struct graph_tensor *tensor = graph->values[v].tensor;
        if (tensor != NULL && model_divides(prime, tensor->n_dims, tensor->dims))
            return false;
        if (tensor != NULL && tensor->type != GRAPH_FLOAT && tensor->n <= 64 &&
            model_divides(prime, tensor->n, tensor->items))
            return false;
    }
    for (size_t k = 0; k < graph->n_inputs; k++)
        if (model_divides(prime, graph->inputs[k].n_dims, graph->inputs[k].dims))
            return false;
    return true;
}

static void model_find_primes(struct model_source *source)
{
    size_t n = 0, n_primes = sizeof model_primes / sizeof *model_primes;
    for (size_t k = 0; n < 4 && k < n_primes; k++)
        if (model_prime_fits(source->graph, model_primes[k]) || n_primes - k <= 4 - n)
            source->primes[n++] = model_primes[k];
}

static int model_attempt(const struct model_source *source, const struct lower_guess *guess,
                         const int64_t *primes, struct lower *lower,
                         struct celltap_diagnosis *reterr)
{
    *lower = (struct lower){.graph = source->graph, .leads = source->leads, .guess = guess};
    lower->primes[0] = primes[0];
    lower->primes[1] = primes[1];
    load_init(&lower->load, source->budget_bytes, reterr);
    return lower_graph(lower);
}

/* The plan must be the same for another length of the sequence and another batch. */
static int model_verify(const struct model_source *source, struct lower *lower)
{
    struct lower again;
    const struct graph_node *node = NULL;
    if (!lower->any_unknown)
        return 0;
    int err = model_attempt(source, lower->guess, source->primes + 2, &again, lower->load.reterr);
    if (err == 0 && !plan_same(&lower->plan, &again.plan, &node)) {
        lower->load.node = node == NULL ? NULL : *node->name != '\0' ? node->name : node->op;
        err = load_refuse(&lower->load, "computes with the length of the sequence or the size of "
                                        "the batch, which a stream does not have");
    }
    load_done(&again.load);
    return err;
}

static int model_make(const struct model_source *source, struct lower *lower,
                      struct celltap_model **ret_model)
{
    struct celltap_model *model;
    int err = pack_model(source->graph, &lower->plan, &model);
    if (err < 0)
        return err;
    err = remark_model(lower, model);
    if (err < 0)
        pack_free(model);
    else
        *ret_model = model;
    return err;
}

static int model_try(const struct model_source *source, const struct lower_guess *guess,
                     struct celltap_diagnosis *said, size_t *ret_done,
                     struct celltap_model **ret_model)
{
    struct lower lower;
    int err = model_attempt(source, guess, source->primes, &lower, said);
    *ret_done = lower.contradicted ? 0 : lower.n_done + 1;
    if (err == 0)
        err = model_verify(source, &lower);
    if (err == 0)
        err = model_make(source, &lower, ret_model);
    load_done(&lower.load);
    return err;
}

/* True when a guess reads the inputs as an earlier one did. */
static bool model_guessed(const struct graph *graph, size_t ix)
{
    bool used[3] = {false, false, false};
    for (size_t k = 0; k < graph->n_inputs; k++)
        if (graph->inputs[k].n_dims > 0)
            used[graph->inputs[k].n_dims > 3 ? 2 : graph->inputs[k].n_dims - 1] = true;
    for (size_t before = 0; before < ix; before++) {
        bool same = true;
        for (size_t rank = 0; rank < 3; rank++)
            same &= !used[rank] ||
                    strcmp(model_guesses[before].axes[rank], model_guesses[ix].axes[rank]) == 0;
        if (same)
            return true;
    }
    return false;
}

static int model_guess(const struct model_source *source, struct celltap_diagnosis *reterr,
                       struct celltap_model **ret_model)
{
    int best_err = CELLTAP_EREFUSED;
    size_t best_done = 0;
    bool any = false;
    for (size_t k = 0; k < sizeof model_guesses / sizeof *model_guesses; k++) {
        struct celltap_diagnosis said = {0};
        size_t done;
        if (model_guessed(source->graph, k))
            continue;
        int err = model_try(source, &model_guesses[k], &said, &done, ret_model);
        if (err == 0)
            return 0;
        if (!any || done > best_done || err == CELLTAP_ENOMEM) {
            *reterr = said;
            best_done = done;
            best_err = err;
        }
        any = true;
        if (err == CELLTAP_ENOMEM)
            break;
    }
    return best_err;
}

/* ---- loading ------------------------------------------------------------------------------ */

/* FNV-1a: an identity, no protection against somebody who wants two models to have the same. */
static uint64_t model_hash(const unsigned char *bytes, size_t n_bytes)
{
    uint64_t hash = 0xcbf29ce484222325u ^ n_bytes;
    for (size_t i = 0; i < n_bytes; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

int celltap_model_load_bytes(const void *data, size_t n_bytes, celltap_model **ret_model,
                             struct celltap_diagnosis *reterr)
{
    struct celltap_diagnosis said = {0};
    struct graph graph;
    struct load load;
    unsigned char *leads;
    load_init(&load, model_budget(n_bytes), &said);
    int err = data == NULL || n_bytes == 0 ? load_invalid(&load, "the file is empty")
                                           : onnx_read(&load, data, n_bytes, &graph);
    if (err == 0)
        err = graph_leads(&load, &graph, &leads);
    if (err == 0) {
        struct model_source source = {
            .graph = &graph, .leads = leads, .budget_bytes = model_budget(n_bytes)};
        model_find_primes(&source);
        err = model_guess(&source, &said, ret_model);
    }
    if (err == 0)
        (*ret_model)->hash = model_hash(data, n_bytes);
    load_done(&load);
    if (err < 0 && reterr != NULL)
        *reterr = said;
    return err;
}

/* The file as it is; alloc_free(*ret_bytes). */
static int model_read_file(struct load *load, const char *path, void **ret_bytes,
                           size_t *ret_n_bytes)
{
    struct file file = {.fd = -1};
    void *bytes = NULL;
    int err = 0;
    const char *why = file_open(path, &file);
    if (why == NULL && file.n_bytes > FILE_BYTES_MAX)
        why = "larger than 2 GiB";
    if (why == NULL && (bytes = alloc_new((size_t)file.n_bytes, 1)) == NULL)
        err = load_no_memory(load);
    if (why == NULL && err == 0)
        why = file_read(&file, 0, bytes, (size_t)file.n_bytes);
    if (why != NULL)
        err = load_unreadable(load, "%.300s: %s", path, why);
    file_close(&file);
    if (err < 0) {
        alloc_free(bytes);
        return err;
    }
    *ret_bytes = bytes;
    *ret_n_bytes = (size_t)file.n_bytes;
    return 0;
}

/* The file with what belongs to it; alloc_free(*ret_bytes). */
static int model_read(const char *path, void **ret_bytes, size_t *ret_n_bytes,
                      struct celltap_diagnosis *reterr)
{
    struct load load;
    void *own = NULL, *whole = NULL;
    size_t n_own, n_whole;
    const char *slash = strrchr(path, '/');
    size_t n_folder = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    char *folder;
    load_init(&load, MODEL_BUDGET_MIN, reterr);
    int err = model_read_file(&load, path, &own, &n_own);
    if (err == 0) {
        load.budget_bytes = model_budget(n_own);
        err = load_take(&load, n_folder + 2, 1, &folder);
    }
    if (err == 0) {
        memcpy(folder, slash == NULL ? "." : path, slash == NULL ? 1 : n_folder);
        err = onnx_external_read(&load, folder, own, n_own, &whole, &n_whole);
    }
    load_done(&load);
    if (err < 0 || whole != NULL)
        alloc_free(own);
    if (err < 0)
        return err;
    *ret_bytes = whole != NULL ? whole : own;
    *ret_n_bytes = whole != NULL ? n_whole : n_own;
    return 0;
}

int celltap_model_read(const char *path, void **ret_bytes, size_t *ret_n_bytes,
                       struct celltap_diagnosis *reterr)
{
    struct celltap_diagnosis said = {0};
    void *bytes = NULL;
    int err = model_read(path, &bytes, ret_n_bytes, &said);
    if (err == 0)
        *ret_bytes = alloc_give(bytes);
    else if (reterr != NULL)
        *reterr = said;
    return err;
}

int celltap_model_load(const char *path, celltap_model **ret_model,
                       struct celltap_diagnosis *reterr)
{
    struct celltap_diagnosis said = {0};
    void *bytes = NULL;
    size_t n_bytes;
    int err = model_read(path, &bytes, &n_bytes, &said);
    if (err == 0)
        err = celltap_model_load_bytes(bytes, n_bytes, ret_model, &said);
    if (err < 0 && reterr != NULL)
        *reterr = said;
    alloc_free(bytes);
    return err;
}

celltap_model *celltap_model_ref(celltap_model *model)
{
    atomic_fetch_add(&model->n_refs, 1);
    return model;
}

void celltap_model_unref(celltap_model *model)
{
    if (model != NULL && atomic_fetch_sub(&model->n_refs, 1) == 1)
        pack_free(model);
}

/* ---- what is in it ------------------------------------------------------------------------ */

uint64_t celltap_model_hash(const celltap_model *model)
{
    return model->hash;
}

const char *celltap_model_remark(const celltap_model *model, size_t remark_ix)
{
    return remark_ix < model->n_remarks ? model->remarks[remark_ix] : NULL;
}

size_t celltap_model_n_values(const celltap_model *model)
{
    return model->n_values;
}

size_t celltap_model_n_layers(const celltap_model *model)
{
    return model->n_layers;
}

size_t celltap_model_state_bytes(const celltap_model *model)
{
    return model->n_states * sizeof(float);
}

const char *celltap_layer_name(const celltap_model *model, size_t layer_ix)
{
    return model->layers[layer_ix].name;
}

const char *celltap_layer_kind(const celltap_model *model, size_t layer_ix)
{
    return model->layers[layer_ix].kind;
}

size_t celltap_layer_n_inputs(const celltap_model *model, size_t layer_ix)
{
    return model->layers[layer_ix].n_inputs;
}

size_t celltap_layer_n_parameters(const celltap_model *model, size_t layer_ix)
{
    return model->layers[layer_ix].n_parameters;
}

size_t celltap_layer_n_macs(const celltap_model *model, size_t layer_ix)
{
    return model->layers[layer_ix].n_macs;
}

size_t celltap_layer_n_tensors(const celltap_model *model, size_t layer_ix)
{
    return model->layers[layer_ix].n_tensors;
}

const char *celltap_tensor_name(const celltap_model *model, size_t layer_ix, size_t tensor_ix)
{
    return model->layers[layer_ix].tensors[tensor_ix].name;
}

size_t celltap_tensor_size(const celltap_model *model, size_t layer_ix, size_t tensor_ix)
{
    return model->layers[layer_ix].tensors[tensor_ix].n;
}
