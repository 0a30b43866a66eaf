/* serving.h - a model that serves streams: what the configuration says of it, loaded.
 *
 *     struct conf_model --serving_load--> weights, a panel per shard, the hash of the file's bytes
 *     struct conf       --serving_load_all--> all of them, or a line for each that is at fault
 *
 * The built-in model takes frames of any number of values: it is a chain of servings, one for each
 * number that has come, made when its first frame comes.
 *
 * Knows no loop and no sockets. */
#ifndef DAEMON_SERVING_H
#define DAEMON_SERVING_H

#include "daemon/conf.h"
#include "lib/celltap_journal.h"

#define SERVING_PANEL_WIDTH 64 /* streams stepped together */
#define SERVING_SIZES_MAX   64 /* different numbers of values that one built-in model takes */

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
    size_t n_values;           /* of a step: the model's inputs */
    size_t n_channels;         /* of a frame: without those that a detector's clock adds */
    size_t ix;                 /* its place among all, from 0 */
    size_t conf_ix;            /* its place in the configuration, from 0 */
    bool any_size;             /* the first of a chain that grows */
    struct serving *next_size; /* owned: the same model for another number of channels */
    uint64_t file_hash;
    unsigned char *file; /* [file_bytes] owned: until the journal has it */
    size_t file_bytes;
    celltap_journal_detector *watch; /* owned: how its streams are watched; NULL: they are not */
    const struct celltap_detector_options *detector; /* the options of that; or NULL */
    size_t n_streams;
};

/* Reads the model's file.  On failure reterr (of reterr_bytes) says which model and why. */
int serving_load(const struct conf_model *conf, size_t n_shards, struct serving **ret_serving,
                 char *reterr, size_t reterr_bytes);
/* Gives the file's bytes back: who wanted them has them. */
void serving_forget_file(struct serving *serving);
void serving_free(struct serving *serving); /* NULL is fine */

/* The serving of a chain for frames of n_channels values; NULL: there is none yet. */
struct serving *serving_of_size(struct serving *head, size_t n_channels);

/* Makes it, at the chain's end; ix is its place among all servings.  -1: no memory, too many, or the
 * number is out of the built-in model's range. */
int serving_add_size(struct serving *head, size_t n_channels, size_t ix,
                     struct serving **ret_serving);
/* Takes the last one of the chain away again. */
void serving_drop_size(struct serving *head, struct serving *serving);

/* All servings, chains included: the first (after NULL), then the next; NULL: that was the last. */
struct serving *serving_each(struct serving *const *servings, size_t n_servings,
                             const struct serving *after);
size_t serving_count(struct serving *const *servings, size_t n_servings);

/* The configuration's models, in its order: [conf->n_models] in *ret_servings, or -1 after fault(arg,
 * text) for each that cannot serve: "FILE:LINE:1: model NAME: why; what to do". */
int serving_load_all(const struct conf *conf, void (*fault)(void *arg, const char *text), void *arg,
                     struct serving ***ret_servings);
void serving_free_all(struct serving **servings, size_t n_servings); /* NULL is fine */

#endif
