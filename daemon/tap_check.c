/* tap_check.c - asks every model for every glob; a model's layers and tensors are few. */
#include "daemon/tap_check.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "daemon/log.h"

#define NAMES_BYTES 256

/* The names that there are, each once, as a list for a person. */
struct tap_names {
    char text[NAMES_BYTES];
    size_t n_bytes;
};

static void names_add(struct tap_names *names, const char *name)
{
    char sought[NAMES_BYTES], known[NAMES_BYTES + 8];
    snprintf(sought, sizeof(sought), ", %s,", name);
    snprintf(known, sizeof(known), ", %s,", names->text);
    if (strstr(known, sought) != NULL)
        return;
    int n = snprintf(names->text + names->n_bytes, NAMES_BYTES - names->n_bytes, "%s%s",
                     names->n_bytes > 0 ? ", " : "", name);
    if ((size_t)n < NAMES_BYTES - names->n_bytes)
        names->n_bytes += (size_t)n;
    else { /* the list is full */
        snprintf(names->text + names->n_bytes, NAMES_BYTES - names->n_bytes, ", ...");
        names->n_bytes = NAMES_BYTES - 1;
    }
}

static bool check_layer(const celltap_model *model, size_t layer_ix, const char *glob,
                        struct tap_names *names)
{
    names_add(names, celltap_layer_name(model, layer_ix));
    return fnmatch(glob, celltap_layer_name(model, layer_ix), 0) == 0;
}

/* `output` means all of @output, too. */
static bool check_tensor(const celltap_model *model, size_t layer_ix, const char *glob,
                         struct tap_names *names)
{
    bool found = fnmatch(glob, "output", 0) == 0;
    for (size_t i = 0; !found && i < celltap_layer_n_tensors(model, layer_ix); i++) {
        names_add(names, celltap_tensor_name(model, layer_ix, i));
        found = fnmatch(glob, celltap_tensor_name(model, layer_ix, i), 0) == 0;
    }
    return found;
}

typedef bool check_function(const celltap_model *model, size_t layer_ix, const char *glob,
                            struct tap_names *names);

struct tap_check {
    const char *path; /* of the configuration; NULL: the tap is not of it */
    struct serving *const *servings;
    size_t n_servings;
    void (*warn)(void *arg, const char *text);
    void *arg;
};

static bool check_glob(const struct tap_check *check, const char *glob, check_function *matches,
                       struct tap_names *names)
{
    for (size_t m = 0; m < check->n_servings; m++)
        for (size_t i = 0; i < celltap_model_n_layers(check->servings[m]->model); i++)
            if (matches(check->servings[m]->model, i, glob, names))
                return true;
    return false;
}

static void check_warn(const struct tap_check *check, const struct conf_tap *tap, const char *what,
                       const char *glob, const struct tap_names *names)
{
    char place[512] = "", text[1024];
    if (check->path != NULL)
        snprintf(place, sizeof(place), "%s:%u:1: tap %s: ", check->path, tap->line, tap->name);
    snprintf(text, sizeof(text), "%sno %s of any model is `%s`; there are %s", place, what, glob,
             names->text);
    check->warn(check->arg, text);
}

static void check_layers(const struct tap_check *check, const struct conf_tap *tap)
{
    for (size_t g = 0; g < tap->layers.n; g++) {
        struct tap_names names = {.n_bytes = 0};
        if (!check_glob(check, tap->layers.items[g], check_layer, &names))
            check_warn(check, tap, "layer", tap->layers.items[g], &names);
    }
}

/* One that is there is enough: not every network has an h and a c. */
static void check_tensors(const struct tap_check *check, const struct conf_tap *tap)
{
    struct tap_names names = {.n_bytes = 0};
    for (size_t g = 0; g < tap->tensors.n; g++)
        if (check_glob(check, tap->tensors.items[g], check_tensor, &names))
            return;
    check_warn(check, tap, "tensor", tap->tensors.items[0], &names);
}

static void check_tap(const struct tap_check *check, const struct conf_tap *tap)
{
    if (tap->kind != CONF_KIND_ACTIVATIONS)
        return;
    check_layers(check, tap);
    check_tensors(check, tap);
}

void tap_check(const struct conf *conf, struct serving *const *servings,
               void (*warn)(void *arg, const char *text), void *arg)
{
    struct tap_check check = {conf->path, servings, conf->n_models, warn, arg};
    for (size_t t = 0; t < conf->n_taps; t++)
        check_tap(&check, &conf->taps[t]);
}

void tap_check_one(const struct conf_tap *tap, struct serving *const *servings, size_t n_servings,
                   void (*warn)(void *arg, const char *text), void *arg)
{
    struct tap_check check = {NULL, servings, n_servings, warn, arg};
    check_tap(&check, tap);
}

static void check_log(void *arg, const char *text)
{
    (void)arg;
    log_line(LOG_LEVEL_WARNING, "%s", text);
}

void tap_check_log(const struct conf *conf, struct serving *const *servings)
{
    tap_check(conf, servings, check_log, NULL);
}
