/* serving.h - a model that serves streams: what the configuration says of it, loaded.
 *
 *     struct conf_model --serving_load--> weights, a panel per shard, the hash of the file's bytes
 *     struct conf       --serving_load_all--> all of them, or a line for each that is at fault
 *
 * Knows no loop and no sockets. */
#ifndef DAEMON_SERVING_H
#define DAEMON_SERVING_H

#include "daemon/conf.h"
#include "lib/celltap.h"

#define SERVING_PANEL_WIDTH 64 /* streams stepped together */

struct stream;

/* What a thread needs to step its share of the streams. */
struct serving_shard {
    celltap_panel *panel;                      /* owned; [SERVING_PANEL_WIDTH] */
    struct stream *first_active, *last_active; /* streams with frames to be stepped this turn */
};

struct serving {
    const struct conf_model *conf; /* borrowed from the configuration in use */
    celltap_model *model;          /* ref */
    struct serving_shard *shards;  /* [n_shards] owned */
    size_t n_shards;
    size_t n_values;   /* of a step: the model's inputs */
    size_t n_channels; /* of a frame: without those that a detector's clock adds */
    const struct celltap_detector_options *detector; /* of all its streams; NULL: none */
    size_t ix;                                       /* its place in the configuration, from 0 */
    uint64_t file_hash;
    unsigned char *file; /* [file_bytes] owned: until the journal has it */
    size_t file_bytes;
    size_t n_streams;
};

/* Reads the model's file.  On failure reterr (of reterr_bytes) says which model and why. */
int serving_load(const struct conf_model *conf, size_t n_shards, struct serving **ret_serving,
                 char *reterr, size_t reterr_bytes);
/* Gives the file's bytes back: who wanted them has them. */
void serving_forget_file(struct serving *serving);
void serving_free(struct serving *serving); /* NULL is fine */

/* The configuration's models, in its order: [conf->n_models] in *ret_servings, or -1 after fault(arg,
 * text) for each that cannot serve: "FILE:LINE:1: model NAME: why; what to do". */
int serving_load_all(const struct conf *conf, void (*fault)(void *arg, const char *text), void *arg,
                     struct serving ***ret_servings);
void serving_free_all(struct serving **servings, size_t n_servings); /* NULL is fine */

#endif
