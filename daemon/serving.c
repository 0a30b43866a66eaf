/* serving.c - a model that serves streams: its file read once, hashed and loaded.
 *
 * The file is read here so that hash and weights are of the same bytes, even if somebody replaces
 * it meanwhile: a reload keeps the streams' states only if the bytes are the same.  Weights that
 * the model keeps in files beside it are among them. */
#include "daemon/serving.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/serving_detect.h"

/* Inputs that the detector's clock makes. */
static size_t serving_n_clock(const struct conf_model *conf)
{
    return conf->watch != CONF_WATCH_NO && conf->detector.clock == CONF_CLOCK_DAY ? 2 : 0;
}

static int serving_make_shards(struct serving *serving, size_t n_shards)
{
    serving->shards = calloc(n_shards, sizeof(*serving->shards));
    if (serving->shards == NULL)
        return CELLTAP_ENOMEM;
    while (serving->n_shards < n_shards) {
        struct serving_shard *shard = &serving->shards[serving->n_shards++];
        int code = celltap_panel_new(serving->model, SERVING_PANEL_WIDTH, &shard->panel);
        if (code != 0)
            return code;
    }
    return 0;
}

/* The built-in model's file. */
static int serving_generate(const struct conf_model *conf, size_t n_channels, void **ret_bytes,
                            size_t *ret_n_bytes)
{
    size_t n_values = n_channels + serving_n_clock(conf);
    size_t n_bytes = celltap_reservoir_onnx(n_values, (size_t)conf->n_units, NULL, 0);
    void *bytes = n_bytes == 0 ? NULL : malloc(n_bytes);
    if (bytes == NULL)
        return CELLTAP_ENOMEM;
    *ret_bytes = bytes;
    *ret_n_bytes = celltap_reservoir_onnx(n_values, (size_t)conf->n_units, bytes, n_bytes);
    return 0;
}

/* The first of a chain has one channel: something to look at, and to try the options on. */
static int serving_get_file(struct serving *serving, size_t n_channels,
                            struct celltap_diagnosis *reterr)
{
    void *bytes = NULL;
    const struct conf_model *conf = serving->conf;
    int code = conf_is_builtin(conf)
                   ? serving_generate(conf, n_channels, &bytes, &serving->file_bytes)
                   : celltap_model_read(conf->file, &bytes, &serving->file_bytes, reterr);
    serving->file = bytes;
    return code;
}

/* The diagnosis of the file itself begins with its name. */
static void serving_say(const struct conf_model *conf, int code,
                        const struct celltap_diagnosis *why, char *reterr, size_t reterr_bytes)
{
    if (code == CELLTAP_EFILE && strncmp(why->text, conf->file, strlen(conf->file)) == 0)
        snprintf(reterr, reterr_bytes, "model %s: %s", conf->name, why->text);
    else
        snprintf(reterr, reterr_bytes, "model %s: %s: %s%s%s%s%s", conf->name, conf->file,
                 celltap_strerror(code), why->node[0] != '\0' ? ": node " : "", why->node,
                 why->text[0] != '\0' ? ": " : "", why->text);
}

static int serving_build(struct serving *serving, size_t n_shards, size_t n_channels, char *reterr,
                         size_t reterr_bytes)
{
    struct celltap_diagnosis why = {0};
    const struct conf_model *conf = serving->conf;
    int code = serving_get_file(serving, n_channels, &why);
    if (code == 0)
        code = celltap_model_load_bytes(serving->file, serving->file_bytes, &serving->model, &why);
    if (code == 0)
        code = serving_make_shards(serving, n_shards);
    if (code != 0) {
        serving_say(conf, code, &why, reterr, reterr_bytes);
        return -1;
    }
    serving->n_values = celltap_model_n_values(serving->model);
    serving->file_hash = celltap_model_hash(serving->model);
    if (serving_detect_make(serving, reterr, reterr_bytes) != 0)
        return -1;
    if (conf->channels.n != 0 && conf->channels.n != serving->n_channels) {
        snprintf(
            reterr, reterr_bytes,
            "model %s: %zu channels are named, but the model takes %zu values%s; name all or none",
            conf->name, conf->channels.n, serving->n_channels,
            serving->n_channels < serving->n_values ? " and the clock's two" : "");
        return -1;
    }
    return 0;
}

static int serving_make(const struct conf_model *conf, size_t n_shards, size_t n_channels,
                        struct serving **ret_serving, char *reterr, size_t reterr_bytes)
{
    struct serving *serving = calloc(1, sizeof(*serving));
    if (serving == NULL) {
        snprintf(reterr, reterr_bytes, "model %s: out of memory", conf->name);
        return -1;
    }
    serving->conf = conf;
    if (serving_build(serving, n_shards, n_channels, reterr, reterr_bytes) != 0) {
        serving_free(serving);
        return -1;
    }
    *ret_serving = serving;
    return 0;
}

int serving_load(const struct conf_model *conf, size_t n_shards, struct serving **ret_serving,
                 char *reterr, size_t reterr_bytes)
{
    size_t n_channels = conf->channels.n > 0 ? conf->channels.n : 1;
    if (serving_make(conf, n_shards, n_channels, ret_serving, reterr, reterr_bytes) != 0)
        return -1;
    (*ret_serving)->any_size = conf_is_builtin(conf) && conf->channels.n == 0;
    return 0;
}

void serving_forget_file(struct serving *serving)
{
    free(serving->file);
    serving->file = NULL;
    serving->file_bytes = 0;
}

void serving_free(struct serving *serving)
{
    if (serving == NULL)
        return;
    serving_free(serving->next_size);
    free(serving->file);
    for (size_t i = 0; i < serving->n_shards; i++)
        celltap_panel_free(serving->shards[i].panel);
    free(serving->shards);
    serving_detect_done(serving);
    celltap_model_unref(serving->model);
    free(serving);
}

/* ---- sizes -------------------------------------------------------------------------------- */

struct serving *serving_of_size(struct serving *head, size_t n_channels)
{
    while (head != NULL && head->n_channels != n_channels)
        head = head->next_size;
    return head;
}

int serving_add_size(struct serving *head, size_t n_channels, size_t ix,
                     struct serving **ret_serving)
{
    char unused[64];
    struct serving *last = head, *serving;
    size_t n_sizes = 1;
    for (; last->next_size != NULL; last = last->next_size)
        n_sizes++;
    if (n_sizes == SERVING_SIZES_MAX || n_channels == 0 ||
        serving_make(head->conf, head->n_shards, n_channels, &serving, unused, sizeof(unused)) != 0)
        return -1;
    serving->ix = ix;
    serving->conf_ix = head->conf_ix;
    last->next_size = *ret_serving = serving;
    return 0;
}

void serving_drop_size(struct serving *head, struct serving *serving)
{
    while (head->next_size != serving)
        head = head->next_size;
    head->next_size = NULL;
    serving_free(serving);
}

/* ---- all of them -------------------------------------------------------------------------- */

struct serving *serving_each(struct serving *const *servings, size_t n_servings,
                             const struct serving *after)
{
    if (after != NULL && after->next_size != NULL)
        return after->next_size;
    size_t ix = after != NULL ? after->conf_ix + 1 : 0;
    return ix < n_servings ? servings[ix] : NULL;
}

size_t serving_count(struct serving *const *servings, size_t n_servings)
{
    size_t n = 0;
    for (struct serving *serving = NULL;
         (serving = serving_each(servings, n_servings, serving)) != NULL;)
        n++;
    return n;
}

void serving_free_all(struct serving **servings, size_t n_servings)
{
    for (size_t i = 0; servings != NULL && i < n_servings; i++)
        serving_free(servings[i]);
    free(servings);
}

int serving_load_all(const struct conf *conf, void (*fault)(void *arg, const char *text), void *arg,
                     struct serving ***ret_servings)
{
    char why[1024], text[2048];
    struct serving **servings = calloc(conf->n_models + 1, sizeof(struct serving *));
    if (servings == NULL) {
        fault(arg, "out of memory");
        return -1;
    }
    int code = 0;
    for (size_t i = 0; i < conf->n_models; i++) {
        const struct conf_model *model = &conf->models[i];
        if (serving_load(model, (size_t)conf->threads, &servings[i], why, sizeof(why)) == 0) {
            servings[i]->ix = servings[i]->conf_ix = i;
            continue;
        }
        snprintf(text, sizeof(text), "%s:%u:1: %s; `celltap inspect` tells more of it", conf->path,
                 model->line, why);
        fault(arg, text);
        code = -1;
    }
    if (code == 0)
        *ret_servings = servings;
    else
        serving_free_all(servings, conf->n_models);
    return code;
}
