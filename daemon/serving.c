/* serving.c - a model that serves streams: its file read once, hashed and loaded.
 *
 * The file is read here so that hash and weights are of the same bytes, even if somebody replaces
 * it meanwhile: a reload keeps the streams' states only if the bytes are the same. */
#include "daemon/serving.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVING_FILE_MAX ((size_t)2 << 30) /* bytes: protobuf's own limit */

/* Fills bytes from the file; returns how many there were, or -1 with errno. */
static ssize_t serving_fill(int fd, unsigned char *bytes, size_t n_bytes)
{
    size_t n = 0;
    while (n < n_bytes) {
        ssize_t got = read(fd, bytes + n, n_bytes - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

static int serving_read(const char *path, unsigned char **ret_bytes, size_t *ret_n_bytes)
{
    struct stat status;
    unsigned char *bytes = NULL;
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) != 0)
        goto done;
    if (!S_ISREG(status.st_mode) || (size_t)status.st_size > SERVING_FILE_MAX) {
        errno = S_ISREG(status.st_mode) ? EFBIG : EINVAL;
        goto done;
    }
    bytes = malloc((size_t)status.st_size + 1);
    if (bytes != NULL)
        n = serving_fill(fd, bytes, (size_t)status.st_size);
done:
    close(fd);
    if (n < 0) {
        free(bytes);
        return -1;
    }
    *ret_bytes = bytes;
    *ret_n_bytes = (size_t)n;
    return 0;
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

static int serving_build(struct serving *serving, size_t n_shards, const unsigned char *bytes,
                         size_t n_bytes, char *reterr, size_t reterr_bytes)
{
    struct celltap_diagnosis why = {0};
    const struct conf_model *conf = serving->conf;
    int code = celltap_model_load_bytes(bytes, n_bytes, &serving->model, &why);
    if (code == 0)
        code = serving_make_shards(serving, n_shards);
    if (code != 0) {
        snprintf(reterr, reterr_bytes, "model %s: %s: %s%s%s%s%s", conf->name, conf->file,
                 celltap_strerror(code), why.node[0] != '\0' ? ": node " : "", why.node,
                 why.text[0] != '\0' ? ": " : "", why.text);
        return -1;
    }
    serving->n_values = celltap_model_n_values(serving->model);
    serving->n_channels = serving->n_values;
    serving->file_hash = celltap_model_hash(serving->model);
    if (conf->channels.n != 0 && conf->channels.n != serving->n_values) {
        snprintf(
            reterr, reterr_bytes,
            "model %s: %zu channels are named, but the model takes %zu values; name all or none",
            conf->name, conf->channels.n, serving->n_values);
        return -1;
    }
    return 0;
}

int serving_load(const struct conf_model *conf, size_t n_shards, struct serving **ret_serving,
                 char *reterr, size_t reterr_bytes)
{
    unsigned char *bytes;
    size_t n_bytes;
    if (serving_read(conf->file, &bytes, &n_bytes) != 0) {
        snprintf(reterr, reterr_bytes, "model %s: %s: %s", conf->name, conf->file, strerror(errno));
        return -1;
    }
    struct serving *serving = calloc(1, sizeof(*serving));
    if (serving == NULL) {
        snprintf(reterr, reterr_bytes, "model %s: out of memory", conf->name);
        free(bytes);
        return -1;
    }
    serving->conf = conf;
    serving->file = bytes;
    serving->file_bytes = n_bytes;
    if (serving_build(serving, n_shards, bytes, n_bytes, reterr, reterr_bytes) != 0) {
        serving_free(serving);
        return -1;
    }
    *ret_serving = serving;
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
    free(serving->file);
    for (size_t i = 0; i < serving->n_shards; i++)
        celltap_panel_free(serving->shards[i].panel);
    free(serving->shards);
    celltap_model_unref(serving->model);
    free(serving);
}

/* ---- all of them -------------------------------------------------------------------------- */

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
            servings[i]->ix = i;
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
