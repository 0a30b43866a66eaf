/* engine_size.c - the built-in model for frames of as many values as come.
 *
 *     first frame of n values --> serving for n, at its chain's end --born--> journal, taps
 *
 * Between two steps, so the turn's values may move. */
#include <stdlib.h>

#include "daemon/engine_priv.h"

static int size_make_room(struct engine *engine)
{
    size_t n_room = engine_values_room(engine->servings, engine->n_servings);
    if (n_room <= engine->n_values_room)
        return 0;
    float *values = realloc(engine->values, n_room * sizeof(float));
    if (values == NULL)
        return -1;
    engine->values = values;
    float *filled = realloc(engine->filled, n_room * sizeof(float));
    if (filled == NULL)
        return -1;
    engine->filled = filled;
    engine->n_values_room = n_room;
    return 0;
}

struct serving *engine_size(struct engine *engine, struct serving *head, size_t n_channels,
                            enum engine_reject *ret_reject)
{
    struct serving *serving = serving_of_size(head, n_channels);
    if (serving != NULL)
        return serving;
    *ret_reject = ENGINE_REJECT_SIZES;
    size_t ix = serving_count(engine->servings, engine->n_servings);
    if (serving_add_size(head, n_channels, ix, &serving) != 0)
        return NULL;
    if (size_make_room(engine) == 0 &&
        (engine->births.born == NULL || engine->births.born(engine->births.arg, serving) == 0))
        return serving;
    serving_drop_size(head, serving);
    *ret_reject = ENGINE_REJECT_MEMORY;
    return NULL;
}

void engine_set_births(struct engine *engine, const struct engine_births *births)
{
    engine->births = *births;
}

int engine_prepare(const struct engine *engine, struct serving **servings, size_t n_servings)
{
    for (size_t i = 0; i < engine->streams.n; i++) {
        const struct stream *stream = engine->streams.list[i];
        size_t n_channels = stream->serving->n_channels;
        struct serving *head = engine_match(servings, n_servings, stream->name), *unused;
        if (head == NULL || !head->any_size || serving_of_size(head, n_channels) != NULL)
            continue;
        if (serving_add_size(head, n_channels, serving_count(servings, n_servings), &unused) != 0)
            return -1;
    }
    return 0;
}
