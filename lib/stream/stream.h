/* stream.h - the inside of a stream: what the panel that steps it needs to see.
 *
 *     | model | watch | taken | ... | states[n_states] ... |    one allocation, states aligned to 64
 *                 |
 *                 +--> lib/detect/watch.c, which this room does not know: it is called by a table
 */
#ifndef LIB_STREAM_STREAM_H
#define LIB_STREAM_STREAM_H

#include <stdbool.h>

#include "lib/base/alloc.h"
#include "lib/model/model.h"

struct stream_watcher;

/* The head of what watches a stream. */
struct stream_watch {
    const struct stream_watcher *by;
    size_t n_values;            /* of a frame */
    int64_t ts_ns;              /* of the next frame */
    struct celltap_score score; /* of the last one */
};

struct celltap_stream {
    struct celltap_model *model; /* ref */
    struct stream_watch *watch;  /* owned; NULL: not watched */
    bool taken;   /* true only while a step gathers its streams: finds one given twice */
    bool stepped; /* since its birth */
    _Alignas(ALLOC_ALIGN) float states[]; /* [model->n_states] */
};

/* What a watch does, by its stream's ways. */
struct stream_watcher {
    /* Before a step: all that can fail, with a celltap error. */
    int (*prepare)(struct celltap_stream *stream);
    /* values [n_values] --> what the network gets, [model->n_values]. */
    void (*input)(struct stream_watch *watch, const float *values, float *ret_x);
    /* After it: fills the score. */
    void (*judge)(struct stream_watch *watch, const celltap_panel *panel, size_t column_ix,
                  const float *values);
    void (*reset)(struct stream_watch *watch);
    void (*free)(struct stream_watch *watch);
    size_t (*save_bytes)(const struct stream_watch *watch);
    void (*save)(const struct stream_watch *watch, unsigned char *ret_bytes);
    int (*load)(struct stream_watch *watch, const unsigned char *bytes, size_t n_bytes);
};

/* panel.c: all that the last step has left in a column [model->n_activations]; NULL: the panel is of
 * another model, or there is no such column. */
const float *panel_column(const celltap_panel *panel, const struct celltap_model *model,
                          size_t column_ix);

#endif
