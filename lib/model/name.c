/* name.c - module paths out of what exporters write into node names.
 *
 *     node name                                   module path            from
 *     /encoder/lstm/LSTM                          encoder.lstm           torch >= 1.13
 *     /net/net.0/Gemm                             net.0                  (a child repeats its
 * parent)
 *     ['', 'encoder', 'encoder.lstm', 'lstm_1']   encoder.lstm           torch >= 2, metadata
 *     StatefulPartitionedCall/sequential/lstm/..  sequential.lstm        tf2onnx, Keras
 *     LSTM_23, ""                                 of its weights' name   older exporters
 *     anything else                               itself
 *
 * Then, within one module: recurrent layers are numbered when there are several (encoder.l0, ..),
 * of the others the last has the module's path and the rest add their operator (gelu.erf). */
#include "lib/model/name.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES 200 /* the longest name: it becomes a directory's */

struct name_item {
    const struct plan_step *step;
    char path[NAME_BYTES]; /* module path; "": the root */
    char op[32];           /* lower case */
    bool recurrent;
    bool known; /* the module is known: layers of the same belong together */
};

static bool name_is_recurrent(const struct plan_step *step)
{
    return step->kind == PLAN_LSTM || step->kind == PLAN_GRU || step->kind == PLAN_RNN;
}

static void name_copy(char *to, size_t room, const char *from, size_t n)
{
    n = n < room - 1 ? n : room - 1;
    memcpy(to, from, n);
    to[n] = '\0';
}

static void name_lower(char *to, size_t room, const char *from)
{
    size_t k = 0;
    for (; from[k] != '\0' && k < room - 1; k++)
        to[k] = (char)tolower((unsigned char)from[k]);
    to[k] = '\0';
}

/* "LSTM_23", "Gemm__7", "LSTM": what exporters call a node for want of a name. */
static bool name_is_op(const char *name, const char *op)
{
    size_t n = strlen(op);
    if (*name == '\0')
        return true;
    if (strncmp(name, op, n) != 0)
        return false;
    name += n;
    name += strspn(name, "_");
    return name[strspn(name, "0123456789")] == '\0';
}

/* ---- paths -------------------------------------------------------------------------------- */

/* Adds a component; one that starts with the one before and "." takes its place. */
static void name_join(char *path, size_t *last_at, const char *part, size_t n)
{
    size_t at = strlen(path), last = at - *last_at;
    if (at > 0 && n > last && memcmp(path + *last_at, part, last) == 0 && part[last] == '.')
        at = *last_at;
    else if (at > 0 && at < NAME_BYTES - 1)
        path[at++] = '.';
    *last_at = at;
    name_copy(path + at, NAME_BYTES - at, part, n);
}

/* "/a/a.0/Op": everything but the last component. */
static void name_from_torch(const char *name, char *path)
{
    size_t last_at = 0;
    for (const char *at = name + 1, *end; (end = strchr(at, '/')) != NULL; at = end + 1)
        if (end > at)
            name_join(path, &last_at, at, (size_t)(end - at));
}

/* The element before the last of "['', 'a', 'a.b', 'node']". */
static bool name_from_scopes(const char *scopes, char *path)
{
    const char *before = NULL, *last = NULL;
    size_t n_before = 0, n_last = 0;
    for (const char *at = strpbrk(scopes, "'\""); at != NULL; at = strpbrk(at, "'\"")) {
        const char *end = strchr(at + 1, *at);
        if (end == NULL)
            break;
        before = last;
        n_before = n_last;
        last = at + 1;
        n_last = (size_t)(end - last);
        at = end + 1;
    }
    if (before != NULL)
        name_copy(path, NAME_BYTES, before, n_before);
    return before != NULL;
}

static bool name_in(const char *part, size_t n, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strlen(*list) == n && memcmp(*list, part, n) == 0)
            return true;
    return false;
}

/* "wrapper/a/b/op": without TensorFlow's wrappers, and without what names operators only. */
static void name_from_keras(const char *name, char *path)
{
    static const char *const wrappers[] = {"StatefulPartitionedCall", "PartitionedCall", NULL};
    static const char *const inner[] = {"StatefulPartitionedCall",
                                        "PartitionedCall",
                                        "while",
                                        "Tensordot",
                                        "lstm_cell",
                                        "gru_cell",
                                        "simple_rnn_cell",
                                        NULL};
    const char *end = strrchr(name, '/');
    for (const char *slash = end; slash != NULL && slash > name;) {
        const char *part = slash;
        while (part > name && part[-1] != '/')
            part--;
        if (!name_in(part, (size_t)(slash - part), inner))
            break;
        end = slash = part > name ? part - 1 : name;
    }
    size_t last_at = 0;
    for (const char *at = name; at < end;) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        size_t n = (size_t)((slash == NULL ? end : slash) - at);
        if (n > 0 && !(*path == '\0' && name_in(at, n, wrappers)))
            name_join(path, &last_at, at, n);
        at += n + 1;
    }
}

/* "encoder.weight_ih_l0" -> "encoder"; false when the weights' name says nothing. */
static bool name_from_weights(const char *origin, char *path)
{
    const char *dot = origin == NULL ? NULL : strrchr(origin, '.');
    if (origin != NULL && strncmp(origin, "weight_ih_l", 11) == 0)
        return true; /* a bare nn.LSTM: the root */
    if (dot == NULL || dot == origin || strstr(origin, "::") != NULL)
        return false;
    name_copy(path, NAME_BYTES, origin, (size_t)(dot - origin));
    return true;
}

static void name_find_path(const struct plan_step *step, struct name_item *item)
{
    const struct graph_node *node = step->node;
    item->known = true;
    if (node->scopes != NULL && name_from_scopes(node->scopes, item->path))
        return;
    if (node->name[0] == '/' && strrchr(node->name, '/') != NULL)
        name_from_torch(node->name, item->path);
    else if (strchr(node->name, '/') != NULL)
        name_from_keras(node->name, item->path);
    else if (name_is_op(node->name, node->op))
        item->known = name_from_weights(step->origin, item->path);
    else {
        name_copy(item->path, NAME_BYTES, node->name, strlen(node->name));
        item->known = false; /* a name, not a module's */
    }
}

/* ---- within a module ---------------------------------------------------------------------- */

static bool name_same_module(const struct name_item *a, const struct name_item *b)
{
    return a->known && b->known && strcmp(a->path, b->path) == 0 &&
           (*a->path != '\0' || strcmp(a->op, b->op) == 0);
}

/* The item's name before it is made unique. */
static void name_within(const struct name_item *items, size_t n, size_t ix, char *name, size_t room)
{
    const struct name_item *item = &items[ix];
    const char *base = *item->path == '\0' ? item->op : item->path;
    size_t n_recurrent = 0, before = 0;
    bool later = false;
    for (size_t k = 0; k < n; k++) {
        if (!name_same_module(&items[k], item))
            continue;
        n_recurrent += items[k].recurrent;
        before += items[k].recurrent && k < ix;
        later |= k > ix;
    }
    if (item->recurrent && n_recurrent > 1)
        snprintf(name, room, "%s.l%zu", base, before);
    else if (!item->recurrent && *item->path != '\0' && item->known && (later || n_recurrent > 0))
        snprintf(name, room, "%s.%s", base, item->op);
    else
        snprintf(name, room, "%s", base);
}

/* ---- uniqueness --------------------------------------------------------------------------- */

static bool name_taken(const char *name, const char *const *before, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (strcmp(before[k], name) == 0)
            return true;
    return false;
}

const char *name_unique(struct arena *arena, const char *name, const char *const *before, size_t n)
{
    char safe[NAME_BYTES + 1], tried[NAME_BYTES + 32];
    size_t k = 0;
    for (; name[k] != '\0' && k < NAME_BYTES; k++)
        safe[k] =
            isalnum((unsigned char)name[k]) || strchr("._:-", name[k]) != NULL ? name[k] : '_';
    safe[k] = '\0';
    if (safe[strspn(safe, ".")] == '\0') /* "", ".", "..": no file names */
        strcpy(safe, "_");
    snprintf(tried, sizeof tried, "%s", safe);
    for (size_t number = 1; name_taken(tried, before, n); number++)
        snprintf(tried, sizeof tried, "%s_%zu", safe, number);
    return arena_text(arena, tried, strlen(tried));
}

int name_layers(struct arena *arena, const struct plan *plan, size_t n_layers,
                const char **ret_names)
{
    struct name_item *items;
    size_t n = 0;
    int err = load_take(plan->load, n_layers, sizeof *items, &items);
    if (err < 0)
        return err;
    for (size_t k = 0; k < plan->n_steps; k++) {
        const struct plan_step *step = &plan->steps[k];
        if (step->gone || !step->layer)
            continue;
        items[n].step = step;
        items[n].recurrent = name_is_recurrent(step);
        name_lower(items[n].op, sizeof items[n].op,
                   step->kind == PLAN_DENSE ? step->node->op : step->op);
        name_find_path(step, &items[n++]);
    }
    for (size_t k = 0; k < n; k++) {
        char name[2 * NAME_BYTES];
        name_within(items, n, k, name, sizeof name);
        ret_names[k] = name_unique(arena, name, ret_names, k);
        if (ret_names[k] == NULL)
            return load_no_memory(plan->load);
    }
    return 0;
}
