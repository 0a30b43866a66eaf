/* panel.c - many streams of one model stepped together.
 *
 *     activations[width][n_activations]
 *
 *     column 0   | @input | layer | layer | ... | @output |    <- streams[0]'s timestep
 *     column 1   | @input | layer | layer | ... | @output |    <- streams[1]'s
 *
 * A step copies each frame into its column's @input, then runs the model's cells in order over all
 * columns, so that weights are read once; the cells advance the streams' states in place.  What a
 * step computed stays in the panel until the next one.  A watched stream's frame passes through its
 * watch on the way in, and its column on the way out.  What can fail (arguments; memory, while a
 * watched stream warms up) fails before anything is changed. */
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/stream/stream.h"

#define PANEL_WIDTH_MAX 4096 /* streams; celltap.h promises it */

struct celltap_panel {
    struct celltap_model *model; /* ref */
    size_t width;
    struct kernel_panel columns;         /* activations: [width], in the panel's own allocation */
    float **states;                      /* [width] borrowed from the streams, set in each step */
    const struct celltap_score **scores; /* [width] likewise; NULL: not watched */
    float *x;                            /* [model->n_values]: what a watch makes of a frame */
};

int celltap_panel_new(celltap_model *model, size_t width, celltap_panel **ret_panel)
{
    if (model == NULL || ret_panel == NULL || width < 1 || width > PANEL_WIDTH_MAX)
        return CELLTAP_EINVAL;
    size_t pointer_bytes = width * (sizeof(float *) + sizeof(const struct celltap_score *));
    size_t head_bytes = sizeof(struct celltap_panel) + pointer_bytes;
    if (__builtin_add_overflow(head_bytes, model->n_values * sizeof(float), &head_bytes))
        return CELLTAP_ENOMEM;
    head_bytes = (head_bytes + ALLOC_ALIGN - 1) & ~(size_t)(ALLOC_ALIGN - 1);
    size_t n_bytes;
    if (__builtin_mul_overflow(width * sizeof(float), model->n_activations, &n_bytes) ||
        __builtin_add_overflow(n_bytes, head_bytes, &n_bytes))
        return CELLTAP_ENOMEM;
    struct celltap_panel *panel = alloc_new(1, n_bytes);
    if (panel == NULL)
        return CELLTAP_ENOMEM;
    panel->model = celltap_model_ref(model);
    panel->width = width;
    panel->states = (float **)(void *)(panel + 1);
    panel->scores = (const struct celltap_score **)(void *)(panel->states + width);
    panel->x = (float *)(void *)(panel->scores + width);
    panel->columns.activations = (float *)(void *)((unsigned char *)panel + head_bytes);
    panel->columns.stride = model->n_activations;
    panel->columns.states = panel->states;
    *ret_panel = panel;
    return 0;
}

void celltap_panel_free(celltap_panel *panel)
{
    if (panel == NULL)
        return;
    celltap_model_unref(panel->model);
    alloc_free(panel);
}

static void panel_unmark(celltap_stream *const *streams, size_t n_streams)
{
    for (size_t i = 0; i < n_streams; i++)
        streams[i]->taken = false;
}

/* Marks each stream as taken, so that one given twice shows.  0, or 1 if one of them is watched; on
 * failure no mark stays. */
static int panel_mark(const struct celltap_panel *panel, celltap_stream *const *streams,
                      const float *const *x, size_t n_streams, size_t n_values)
{
    int watched = 0, err = CELLTAP_EINVAL;
    size_t i = 0;
    for (; i < n_streams; i++) {
        struct celltap_stream *stream = streams[i];
        if (stream == NULL || stream->model != panel->model || stream->taken || x[i] == NULL)
            goto fail;
        bool is_watched = stream->watch != NULL;
        if ((is_watched ? stream->watch->n_values : panel->model->n_values) != n_values) {
            err = CELLTAP_ELENGTH;
            goto fail;
        }
        stream->taken = true;
        watched |= is_watched;
    }
    return watched;
fail:
    panel_unmark(streams, i);
    return err;
}

/* What may need memory. */
static int panel_prepare(celltap_stream *const *streams, size_t n_streams)
{
    for (size_t i = 0; i < n_streams; i++) {
        const struct stream_watch *watch = streams[i]->watch;
        int err = watch != NULL ? watch->by->prepare(streams[i]) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}

/* memcpy, but for the few floats of a frame, and without a call. */
static inline void panel_copy(float *to, const float *from, size_t n)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        memcpy(to + i, from + i, 16 * sizeof *to);
    for (; i + 4 <= n; i += 4)
        memcpy(to + i, from + i, 4 * sizeof *to);
    for (; i < n; i++)
        to[i] = from[i];
}

/* What the network gets of a stream's frame into its column. */
static inline void panel_put(struct celltap_panel *panel, size_t column_ix,
                             struct celltap_stream *stream, const float *x,
                             const struct celltap_score *score)
{
    const struct celltap_model *model = panel->model;
    float *column = panel->columns.activations + column_ix * panel->columns.stride;
    for (size_t i = 0; i < model->n_inputs; i++) {
        panel_copy(column + model->inputs[i].at, x, model->inputs[i].n);
        x += model->inputs[i].n;
    }
    panel->states[column_ix] = stream->states;
    panel->scores[column_ix] = score;
    stream->stepped = true;
}

/* The same of any stream; takes its mark off. */
static inline void panel_take(struct celltap_panel *panel, size_t column_ix,
                              struct celltap_stream *stream, const float *x)
{
    struct stream_watch *watch = stream->watch;
    if (watch != NULL) {
        watch->by->input(watch, x, panel->x);
        x = panel->x;
    }
    panel_put(panel, column_ix, stream, x, watch != NULL ? &watch->score : NULL);
    stream->taken = false;
}

static inline void panel_run(struct celltap_panel *panel, size_t n_columns)
{
    const struct celltap_model *model = panel->model;
    panel->columns.n_columns = n_columns;
    panel->columns.backwards ^= true;
    for (size_t i = 0; i < model->n_cells; i++)
        cell_step(model->cells[i], &panel->columns);
}

static void panel_judge(celltap_panel *panel, celltap_stream *const *streams, const float *const *x,
                        size_t n_streams)
{
    for (size_t i = 0; i < n_streams; i++)
        if (panel->scores[i] != NULL)
            streams[i]->watch->by->judge(streams[i]->watch, panel, i, x[i]);
}

static __attribute__((noinline)) int
panel_step_watched(celltap_panel *panel, celltap_stream *stream, const float *x, size_t n_values)
{
    struct stream_watch *watch = stream->watch;
    if (n_values != watch->n_values)
        return CELLTAP_ELENGTH;
    int err = watch->by->prepare(stream);
    if (err < 0)
        return err;
    panel_take(panel, 0, stream, x);
    panel_run(panel, 1);
    watch->by->judge(watch, panel, 0, x);
    return 0;
}

/* Without the marks and loops of many: of a small model's timestep they would be a third. */
int celltap_step(celltap_panel *panel, celltap_stream *stream, const float *x, size_t n_values)
{
    if (stream == NULL || x == NULL || stream->model != panel->model)
        return CELLTAP_EINVAL;
    if (stream->watch != NULL)
        return panel_step_watched(panel, stream, x, n_values);
    if (n_values != panel->model->n_values)
        return CELLTAP_ELENGTH;
    panel_put(panel, 0, stream, x, NULL);
    panel_run(panel, 1);
    return 0;
}

int celltap_step_many(celltap_panel *panel, celltap_stream *const *streams, const float *const *x,
                      size_t n_streams, size_t n_values)
{
    if (n_streams == 1)
        return celltap_step(panel, streams[0], x[0], n_values);
    if (n_streams > panel->width)
        return CELLTAP_EINVAL;
    int watched = panel_mark(panel, streams, x, n_streams, n_values);
    if (watched < 0)
        return watched;
    int err = watched != 0 ? panel_prepare(streams, n_streams) : 0;
    if (err < 0) {
        panel_unmark(streams, n_streams);
        return err;
    }
    for (size_t i = 0; i < n_streams; i++)
        panel_take(panel, i, streams[i], x[i]);
    if (n_streams > 0)
        panel_run(panel, n_streams);
    if (watched != 0)
        panel_judge(panel, streams, x, n_streams);
    return 0;
}

const float *celltap_panel_tensor(const celltap_panel *panel, size_t column_ix, size_t layer_ix,
                                  size_t tensor_ix)
{
    const struct celltap_model *model = panel->model;
    if (column_ix >= panel->width || layer_ix >= model->n_layers ||
        tensor_ix >= model->layers[layer_ix].n_tensors)
        return NULL;
    const struct model_tensor *tensor = &model->layers[layer_ix].tensors[tensor_ix];
    return panel->columns.activations + column_ix * panel->columns.stride + tensor->at;
}

const float *panel_column(const celltap_panel *panel, const struct celltap_model *model,
                          size_t column_ix)
{
    if (panel->model != model || column_ix >= panel->width)
        return NULL;
    return panel->columns.activations + column_ix * panel->columns.stride;
}

const struct celltap_score *celltap_panel_score(const celltap_panel *panel, size_t column_ix)
{
    return column_ix < panel->width ? panel->scores[column_ix] : NULL;
}
