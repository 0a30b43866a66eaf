/* watch.c - a detector as part of a stream: called by the panel before and after each timestep.
 *
 *     values --input--> network --judge--> score
 *                                  |
 *                                  +--> frames, until there are `warmup`: then warmup.c, and a score
 *
 * During the warm-up the detector is in phase scale and has no memory for more; warmup.c makes one
 * that has learnt, from the frames alone.  Only prepare can fail. */
#include "lib/detect/watch.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"

#define WATCH_FRAMES    64                /* room to begin with */
#define WATCH_BYTES_MAX ((size_t)1 << 30) /* of a warm-up's frames; celltap.h promises it */

/* ---- frames ------------------------------------------------------------------------------- */

size_t watch_frame_bytes(size_t n_values)
{
    return sizeof(int64_t) + n_values * sizeof(float) + 1;
}

int watch_frames_copy(const struct watch_frames *frames, size_t n_values, size_t n_room,
                      struct watch_frames *ret_copy)
{
    struct watch_frames copy = {.n = frames->n, .n_room = n_room};
    copy.ts_ns = alloc_new(n_room, watch_frame_bytes(n_values));
    if (copy.ts_ns == NULL)
        return CELLTAP_ENOMEM;
    copy.values = (float *)(void *)(copy.ts_ns + n_room);
    copy.resets = (unsigned char *)(copy.values + n_room * n_values);
    if (frames->n > 0) {
        memcpy(copy.ts_ns, frames->ts_ns, frames->n * sizeof *copy.ts_ns);
        memcpy(copy.values, frames->values, frames->n * n_values * sizeof *copy.values);
        memcpy(copy.resets, frames->resets, frames->n);
    }
    *ret_copy = copy;
    return 0;
}

void watch_frames_done(struct watch_frames *frames)
{
    alloc_free(frames->ts_ns);
    *frames = (struct watch_frames){0};
}

void watch_frames_put(struct watch_frames *frames, const float *values, size_t n_values,
                      int64_t ts_ns, bool reset)
{
    frames->ts_ns[frames->n] = ts_ns;
    frames->resets[frames->n] = reset;
    memcpy(frames->values + frames->n * n_values, values, n_values * sizeof *values);
    frames->n++;
}

/* Room for n frames, but not for more than the warm-up has. */
static int watch_make_room(struct watch *watch, size_t n)
{
    struct watch_frames grown, *frames = &watch->frames;
    size_t n_most = watch->detector->options.warmup;
    size_t n_room = frames->n_room > 0 ? 2 * frames->n_room : WATCH_FRAMES;
    n = n < n_most ? n : n_most;
    if (n <= frames->n_room)
        return 0;
    n_room = n_room < n ? n : n_room > n_most ? n_most : n_room;
    int err = watch_frames_copy(frames, watch->head.n_values, n_room, &grown);
    if (err < 0)
        return err;
    watch_frames_done(frames);
    *frames = grown;
    return 0;
}

void watch_learnt(struct watch *watch)
{
    watch_frames_done(&watch->frames);
    watch->is_learnt = true;
}

void watch_begin(struct watch *watch)
{
    watch->frames.n = 0;
    watch->is_learnt = watch->reset_next = false;
    watch->head.score = (struct celltap_score){0};
    detector_begin(watch->detector);
}

/* ---- the panel's calls -------------------------------------------------------------------- */

static int watch_prepare(struct celltap_stream *stream)
{
    struct watch *watch = watch_of(stream);
    if (watch->is_learnt)
        return 0;
    if (watch->frames.n == watch->detector->options.warmup)
        return celltap_stream_warm(stream);
    return watch_make_room(watch, watch->frames.n + 1);
}

static void watch_input(struct stream_watch *head, const float *values, float *ret_x)
{
    struct watch *watch = (struct watch *)head;
    celltap_detector_input(watch->detector, values, head->ts_ns, ret_x);
}

static void watch_judge(struct stream_watch *head, const celltap_panel *panel, size_t column_ix,
                        const float *values)
{
    struct watch *watch = (struct watch *)head;
    if (watch->is_learnt) {
        celltap_detector_step(watch->detector, panel, column_ix, values, &head->score);
        return;
    }
    detector_scale(watch->detector, values);
    watch_frames_put(&watch->frames, values, head->n_values, head->ts_ns, watch->reset_next);
    watch->reset_next = false;
    head->score = (struct celltap_score){.phase = CELLTAP_PHASE_SCALE};
}

static void watch_reset(struct stream_watch *head)
{
    struct watch *watch = (struct watch *)head;
    watch->reset_next = !watch->is_learnt;
    celltap_detector_resume(watch->detector);
}

static void watch_free(struct stream_watch *head)
{
    struct watch *watch = (struct watch *)head;
    watch_frames_done(&watch->frames);
    celltap_detector_free(watch->detector);
    alloc_free(watch);
}

static const struct stream_watcher watch_by = {
    .prepare = watch_prepare,
    .input = watch_input,
    .judge = watch_judge,
    .reset = watch_reset,
    .free = watch_free,
    .save_bytes = watch_save_bytes,
    .save = watch_save,
    .load = watch_load,
};

struct watch *watch_of(const struct celltap_stream *stream)
{
    return (struct watch *)stream->watch;
}

/* ---- the public face ---------------------------------------------------------------------- */

static int watch_refuse(struct celltap_diagnosis *reterr, int code, const char *text)
{
    if (reterr != NULL) {
        *reterr = (struct celltap_diagnosis){0};
        snprintf(reterr->text, sizeof reterr->text, "%s", text);
    }
    return code;
}

int celltap_stream_watch(celltap_stream *stream, const struct celltap_detector_options *options,
                         struct celltap_diagnosis *reterr)
{
    struct celltap_detector_options defaults;
    celltap_detector *detector;
    if (stream == NULL || stream->watch != NULL || stream->stepped)
        return watch_refuse(reterr, CELLTAP_EINVAL, "only a fresh stream can be given a detector");
    celltap_detector_defaults(stream->model, &defaults);
    int err = detector_new(stream->model, options ? options : &defaults, true, &detector, reterr);
    if (err < 0)
        return err;
    struct watch *watch = alloc_new(1, sizeof *watch);
    if (watch == NULL)
        err = watch_refuse(reterr, CELLTAP_ENOMEM, "out of memory");
    else if (detector->options.warmup > WATCH_BYTES_MAX / watch_frame_bytes(detector->n_channels))
        err = watch_refuse(reterr, CELLTAP_EINVAL, "the warm-up's frames take more than 1 GiB");
    if (err < 0) {
        alloc_free(watch);
        celltap_detector_free(detector);
        return err;
    }
    watch->head.by = &watch_by;
    watch->head.n_values = detector->n_channels;
    watch->detector = detector;
    stream->watch = &watch->head;
    return 0;
}

celltap_detector *celltap_stream_detector(const celltap_stream *stream)
{
    return stream->watch != NULL ? watch_of(stream)->detector : NULL;
}

size_t celltap_stream_warm_left(const celltap_stream *stream)
{
    const struct watch *watch = watch_of(stream);
    if (watch == NULL || watch->is_learnt)
        return SIZE_MAX;
    return watch->detector->options.warmup - watch->frames.n;
}

int celltap_stream_reserve(celltap_stream *stream, size_t n_frames)
{
    struct watch *watch = watch_of(stream);
    if (watch == NULL)
        return 0;
    size_t n = watch->frames.n + n_frames;
    return watch_make_room(watch, n < n_frames ? SIZE_MAX : n);
}

void celltap_stream_rewarm(celltap_stream *stream)
{
    celltap_stream_reset(stream);
    if (stream->watch != NULL)
        watch_begin(watch_of(stream));
}

int celltap_stream_learn(celltap_stream *stream, const void *bytes, size_t n_bytes,
                         struct celltap_diagnosis *reterr)
{
    struct watch *watch = watch_of(stream);
    if (watch == NULL)
        return watch_refuse(reterr, CELLTAP_EINVAL, "the stream is not watched");
    int err = detector_load_learnt(watch->detector, bytes, n_bytes, reterr);
    if (err < 0)
        return err;
    watch_learnt(watch);
    celltap_stream_reset(stream);
    return 0;
}
