/* stream.h - the inside of a stream: what the panel that steps it needs to see.
 *
 *     | model | taken | ... | states[n_states] ... |      one allocation, states aligned to 64
 * bytes */
#ifndef LIB_STREAM_STREAM_H
#define LIB_STREAM_STREAM_H

#include <stdbool.h>

#include "lib/base/alloc.h"
#include "lib/model/model.h"

struct celltap_stream {
    struct celltap_model *model; /* ref */
    bool taken; /* true only while a step gathers its streams: finds one given twice */
    _Alignas(ALLOC_ALIGN) float states[]; /* [model->n_states] */
};

/* panel.c: the model whose streams a panel steps. */
const struct celltap_model *panel_model(const celltap_panel *panel);

#endif
