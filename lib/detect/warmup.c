/* warmup.c - the end of a warm-up: its frames stepped again, by a detector and states of its own.
 *
 *     frames --scale--> --learn--> --level--> detector, states --end--> the stream's
 *
 * All memory is taken at birth, with a copy of the frames, so that the stream is not looked at while
 * it runs.  What comes out is a function of model, options and frames; so the stream takes it if
 * these are what it has still, and it does not matter what became of it in between. */
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/detect/watch.h"

struct celltap_warmup {
    celltap_detector *detector; /* owned */
    celltap_stream *stream;     /* owned, not watched */
    celltap_panel *panel;       /* owned */
    struct watch_frames frames;
    size_t at; /* the next frame of this pass */
    float *x;  /* owned [celltap_model_n_values] */
};

int celltap_warmup_new(celltap_stream *stream, celltap_warmup **ret_warmup)
{
    if (celltap_stream_warm_left(stream) != 0)
        return CELLTAP_EINVAL;
    const struct watch *watch = watch_of(stream);
    celltap_model *model = stream->model;
    struct celltap_warmup *warmup = alloc_new(1, sizeof *warmup);
    int err = warmup != NULL ? 0 : CELLTAP_ENOMEM;
    if (err == 0)
        err = detector_new(model, &watch->detector->options, false, &warmup->detector, NULL);
    if (err == 0)
        err = celltap_stream_new(model, &warmup->stream);
    if (err == 0)
        err = celltap_panel_new(model, 1, &warmup->panel);
    if (err == 0)
        err = watch_frames_copy(&watch->frames, watch->head.n_values, watch->frames.n,
                                &warmup->frames);
    if (err == 0 && (warmup->x = alloc_new(model->n_values, sizeof *warmup->x)) == NULL)
        err = CELLTAP_ENOMEM;
    if (err < 0) {
        celltap_warmup_free(warmup);
        return err;
    }
    *ret_warmup = warmup;
    return 0;
}

void celltap_warmup_free(celltap_warmup *warmup)
{
    if (warmup == NULL)
        return;
    celltap_detector_free(warmup->detector);
    celltap_stream_free(warmup->stream);
    celltap_panel_free(warmup->panel);
    watch_frames_done(&warmup->frames);
    alloc_free(warmup->x);
    alloc_free(warmup);
}

static void warmup_scale(struct celltap_warmup *warmup)
{
    struct celltap_detector *detector = warmup->detector;
    for (size_t i = 0; i < warmup->frames.n; i++)
        detector_scale(detector, warmup->frames.values + i * detector->n_channels);
    detector_scale_end(detector);
}

static void warmup_step(struct celltap_warmup *warmup)
{
    struct celltap_score score = {0};
    struct celltap_detector *detector = warmup->detector;
    size_t i = warmup->at++, n_values = warmup->stream->model->n_values;
    const float *values = warmup->frames.values + i * detector->n_channels;
    if (i == 0 || warmup->frames.resets[i]) {
        celltap_stream_reset(warmup->stream);
        celltap_detector_resume(detector);
    }
    celltap_detector_input(detector, values, warmup->frames.ts_ns[i], warmup->x);
    celltap_step(warmup->panel, warmup->stream, warmup->x, n_values);
    celltap_detector_step(detector, warmup->panel, 0, values, &score);
    if (warmup->at == warmup->frames.n)
        warmup->at = 0;
}

bool celltap_warmup_run(celltap_warmup *warmup, size_t n_timesteps)
{
    if (warmup->detector->phase == CELLTAP_PHASE_SCALE)
        warmup_scale(warmup);
    for (; n_timesteps > 0 && warmup->detector->phase != CELLTAP_PHASE_SCORE; n_timesteps--)
        warmup_step(warmup);
    return warmup->detector->phase != CELLTAP_PHASE_SCORE;
}

static bool warmup_fits(const struct celltap_warmup *warmup, const celltap_stream *stream)
{
    if (celltap_stream_warm_left(stream) != 0 || warmup->detector->phase != CELLTAP_PHASE_SCORE)
        return false;
    const struct watch *watch = watch_of(stream);
    const struct watch_frames *mine = &warmup->frames, *theirs = &watch->frames;
    return watch_hash(watch->detector) == watch_hash(warmup->detector) && mine->n == theirs->n &&
           memcmp(mine->ts_ns, theirs->ts_ns, mine->n * sizeof *mine->ts_ns) == 0 &&
           memcmp(mine->resets, theirs->resets, mine->n) == 0 &&
           memcmp(mine->values, theirs->values,
                  mine->n * watch->head.n_values * sizeof *mine->values) == 0;
}

int celltap_warmup_end(celltap_warmup *warmup, celltap_stream *stream)
{
    if (!warmup_fits(warmup, stream))
        return CELLTAP_ESTATE;
    struct watch *watch = watch_of(stream);
    celltap_detector *before = watch->detector;
    watch->detector = warmup->detector;
    warmup->detector = before;
    detector_judge_by(watch->detector, &before->options); /* it may have been tuned meanwhile */
    memcpy(stream->states, warmup->stream->states, stream->model->n_states * sizeof(float));
    watch_learnt(watch);
    if (watch->reset_next)
        celltap_stream_reset(stream);
    return 0;
}

int celltap_stream_warm(celltap_stream *stream)
{
    celltap_warmup *warmup;
    if (celltap_stream_warm_left(stream) != 0)
        return 0;
    int err = celltap_warmup_new(stream, &warmup);
    if (err < 0)
        return err;
    celltap_warmup_run(warmup, SIZE_MAX);
    err = celltap_warmup_end(warmup, stream);
    celltap_warmup_free(warmup);
    return err;
}
