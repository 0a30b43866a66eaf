/* marks.c - how far each layer of each stream has come. */
#include "cli/marks.h"

#include <stdlib.h>
#include <string.h>

#define MARKS_SLOTS 64 /* to begin with */

static size_t marks_hash(const char *name, size_t name_bytes)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < name_bytes; i++)
        hash = (hash ^ (unsigned char)name[i]) * UINT64_C(0x100000001b3);
    return (size_t)(hash ^ hash >> 32);
}

/* The slot of a name: its stream's, or the free one where it belongs. */
static size_t marks_slot(struct marks_stream *const *slots, size_t n_slots, const char *name,
                         size_t name_bytes)
{
    size_t ix = marks_hash(name, name_bytes) & (n_slots - 1);
    while (slots[ix] && (strlen(slots[ix]->name) != name_bytes ||
                         memcmp(slots[ix]->name, name, name_bytes) != 0))
        ix = (ix + 1) & (n_slots - 1);
    return ix;
}

static int marks_grow(struct marks *marks)
{
    size_t n_slots = marks->n_slots ? 2 * marks->n_slots : MARKS_SLOTS;
    struct marks_stream **slots = calloc(n_slots, sizeof *slots);
    if (!slots)
        return -1;
    for (size_t i = 0; i < marks->n_slots; i++) {
        struct marks_stream *stream = marks->slots[i];
        if (stream)
            slots[marks_slot(slots, n_slots, stream->name, strlen(stream->name))] = stream;
    }
    free(marks->slots);
    marks->slots = slots;
    marks->n_slots = n_slots;
    return 0;
}

struct marks_stream *marks_stream(struct marks *marks, const char *name, size_t name_bytes)
{
    if (2 * marks->n >= marks->n_slots && marks_grow(marks) < 0)
        return NULL;
    size_t ix = marks_slot(marks->slots, marks->n_slots, name, name_bytes);
    if (marks->slots[ix])
        return marks->slots[ix];
    struct marks_stream *stream = calloc(1, sizeof *stream);
    if (!stream || !(stream->name = strndup(name, name_bytes))) {
        free(stream);
        return NULL;
    }
    marks->n++;
    marks->slots[ix] = stream;
    return stream;
}

struct marks_layer *marks_layer(struct marks_stream *stream, const char *name, size_t name_bytes)
{
    for (size_t i = 0; i < stream->n_layers; i++)
        if (strlen(stream->layers[i].name) == name_bytes &&
            memcmp(stream->layers[i].name, name, name_bytes) == 0)
            return &stream->layers[i];
    struct marks_layer *layers = realloc(stream->layers, (stream->n_layers + 1) * sizeof *layers);
    if (!layers)
        return NULL;
    stream->layers = layers;
    struct marks_layer *layer = &layers[stream->n_layers];
    *layer = (struct marks_layer){.name = strndup(name, name_bytes), .last = stream->base};
    stream->n_layers += layer->name != NULL;
    return layer->name ? layer : NULL;
}

uint64_t marks_due(const struct marks_stream *stream, uint64_t every)
{
    uint64_t last = stream->n_layers ? stream->layers[0].last : stream->base;
    for (size_t i = 1; i < stream->n_layers; i++)
        if (stream->layers[i].last < last)
            last = stream->layers[i].last;
    return (last / every + 1) * every;
}

void marks_raise(struct marks_stream *stream, uint64_t seq)
{
    if (seq > stream->base)
        stream->base = seq;
    for (size_t i = 0; i < stream->n_layers; i++)
        if (seq > stream->layers[i].last)
            stream->layers[i].last = seq;
}

void marks_restart(struct marks_stream *stream, uint64_t seq)
{
    stream->base = seq - 1;
    stream->target = 0;
    for (size_t i = 0; i < stream->n_layers; i++) {
        stream->layers[i].last = seq - 1;
        stream->layers[i].live = 0;
    }
}

void marks_done(struct marks *marks)
{
    for (size_t i = 0; i < marks->n_slots; i++) {
        struct marks_stream *stream = marks->slots[i];
        for (size_t j = 0; stream && j < stream->n_layers; j++)
            free(stream->layers[j].name);
        if (stream) {
            free(stream->layers);
            free(stream->name);
        }
        free(stream);
    }
    free(marks->slots);
    *marks = (struct marks){0};
}
