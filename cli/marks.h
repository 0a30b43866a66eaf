/* marks.h - how far each layer of each stream has come.
 *
 *     slots[]  stream | base: layers not seen yet have come so far
 *                     | layers[]  last: given out   live: come from the tap
 */
#ifndef CLI_MARKS_H
#define CLI_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct marks_layer {
    char *name;          /* owned */
    uint64_t last, live; /* seq */
};

struct marks_stream {
    char *name; /* owned */
    uint64_t base;
    uint64_t target;            /* the daemon had come so far when it was asked; 0: not asked */
    bool leaps;                 /* its producer leaves out seqs */
    bool is_mute;               /* nothing of it is selected */
    struct marks_layer *layers; /* owned, [n_layers] */
    size_t n_layers;
};

struct marks {
    struct marks_stream **slots; /* owned, [n_slots], each owned; NULL: free */
    size_t n, n_slots;           /* a power of two */
};

/* Both make what is not there yet: a stream with base 0, a layer that has come as far as base.
 * NULL: no memory. */
struct marks_stream *marks_stream(struct marks *marks, const char *name, size_t name_bytes);
struct marks_layer *marks_layer(struct marks_stream *stream, const char *name, size_t name_bytes);

/* The first multiple of `every` that a layer has not given out. */
uint64_t marks_due(const struct marks_stream *stream, uint64_t every);

/* All layers have come so far now. */
void marks_raise(struct marks_stream *stream, uint64_t seq);

/* The stream has begun again: before this seq nothing is missing. */
void marks_restart(struct marks_stream *stream, uint64_t seq);

void marks_done(struct marks *marks);

#endif
