/* select.c - which tensors of a model are meant by globs of layers and of tensors. */
#include "cli/select.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SELECT_GLOB_MAX 256 /* bytes; names are shorter */

/* Takes the next glob of a list; false at its end. */
static bool select_next(const char **globs, char *ret_glob)
{
    if (!*globs)
        return false;
    size_t n_bytes = strcspn(*globs, ",");
    snprintf(ret_glob, SELECT_GLOB_MAX, "%.*s", (int)n_bytes, *globs);
    *globs = (*globs)[n_bytes] ? *globs + n_bytes + 1 : NULL;
    return true;
}

bool select_match(const char *globs, const char *text)
{
    char glob[SELECT_GLOB_MAX];
    while (select_next(&globs, glob))
        if (fnmatch(glob, text, 0) == 0)
            return true;
    return false;
}

/* True if the tensor is meant, its layer being one of those selected. */
static bool select_tensor_match(const struct select_tensor *tensor, const char *tensors)
{
    return select_match(tensors, tensor->tensor) ||
           (strcmp(tensor->layer, "@output") == 0 && select_match(tensors, "output"));
}

/* Adds a name to a list that is read by people; a name that is there already is not added. */
static void select_list(char *list, size_t size, const char *name)
{
    size_t used = strlen(list), n_bytes = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at += n_bytes)
        if ((at == list || at[-1] == ' ') && (at[n_bytes] == ',' || at[n_bytes] == '\0'))
            return;
    if (used + n_bytes + 8 < size)
        snprintf(list + used, size - used, "%s%s", used ? ", " : "", name);
    else if (used + 6 < size && strcmp(list + used - 3, "...") != 0)
        snprintf(list + used, size - used, ", ...");
}

static int select_check_layers(const struct select_tensor *all, size_t n_all, const char *layers,
                               char *ret_error)
{
    char glob[SELECT_GLOB_MAX], names[SELECT_ERROR_MAX / 2] = "";
    while (select_next(&layers, glob)) {
        bool found = false;
        for (size_t i = 0; i < n_all; i++) {
            found |= fnmatch(glob, all[i].layer, 0) == 0;
            select_list(names, sizeof names, all[i].layer);
        }
        if (found)
            continue;
        snprintf(ret_error, SELECT_ERROR_MAX, "no layer \"%s\"; the model has: %s", glob, names);
        return -1;
    }
    return 0;
}

static int select_check_tensors(const struct select_tensor *all, size_t n_all, const char *layers,
                                const char *tensors, char *ret_error)
{
    char glob[SELECT_GLOB_MAX], names[SELECT_ERROR_MAX / 2] = "";
    while (select_next(&tensors, glob)) {
        bool found = false;
        for (size_t i = 0; i < n_all; i++) {
            if (!select_match(layers, all[i].layer))
                continue;
            found |= select_tensor_match(&all[i], glob);
            select_list(names, sizeof names, all[i].tensor);
        }
        if (found)
            continue;
        snprintf(ret_error, SELECT_ERROR_MAX,
                 "no tensor \"%s\" in the layers selected; they have: %s", glob, names);
        return -1;
    }
    return 0;
}

int select_among(const struct select_tensor *all, size_t n_all, const char *layers,
                 const char *tensors, struct select_tensor **ret_tensors, size_t *ret_n,
                 char *ret_error)
{
    size_t n = 0;
    layers = layers ? layers : "*";
    tensors = tensors ? tensors : "*";
    if (select_check_layers(all, n_all, layers, ret_error) < 0 ||
        select_check_tensors(all, n_all, layers, tensors, ret_error) < 0)
        return -1;
    struct select_tensor *selected = calloc(n_all + 1, sizeof *selected);
    if (!selected) {
        snprintf(ret_error, SELECT_ERROR_MAX, "out of memory");
        return -1;
    }
    for (size_t i = 0; i < n_all; i++)
        if (select_match(layers, all[i].layer) && select_tensor_match(&all[i], tensors))
            selected[n++] = all[i];
    *ret_tensors = selected;
    *ret_n = n;
    return 0;
}

int select_tensors(const celltap_model *model, const char *layers, const char *tensors,
                   struct select_tensor **ret_tensors, size_t *ret_n, char *ret_error)
{
    size_t n = 0, n_all = 0;
    for (size_t i = 0; i < celltap_model_n_layers(model); i++)
        n_all += celltap_layer_n_tensors(model, i);
    struct select_tensor *all = calloc(n_all + 1, sizeof *all);
    if (!all) {
        snprintf(ret_error, SELECT_ERROR_MAX, "out of memory");
        return -1;
    }
    for (size_t i = 0; i < celltap_model_n_layers(model); i++)
        for (size_t j = 0; j < celltap_layer_n_tensors(model, i); j++)
            all[n++] = (struct select_tensor){i, j, celltap_layer_name(model, i),
                                              celltap_tensor_name(model, i, j),
                                              celltap_tensor_size(model, i, j)};
    int code = select_among(all, n_all, layers, tensors, ret_tensors, ret_n, ret_error);
    free(all);
    return code;
}
