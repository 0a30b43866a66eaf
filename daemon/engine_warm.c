/* engine_warm.c - streams whose detector has frames enough to learn: their frames wait meanwhile.
 *
 *     frames ... the last of the warm-up | frames that come now
 *         |                  |           |        |
 *       stepped          DUE: listed   late: in the stream's backlog, in order
 *                            |                    |
 *              engine_due: RUNNING elsewhere      |
 *                            |                    |
 *              engine_warmed: READY ------> pending, a part each turn --> none left: NONE
 *
 * A frame is late from the moment on when those accepted before it complete a warm-up, so that no
 * step of a running daemon ever meets a warm-up that is due.  A backlog may end in another warm-up
 * (a rewarm among its frames): the stream is then due again, and the rest stays.
 *
 * All on the loop's thread. */
#include <string.h>

#include "daemon/engine_priv.h"

/* Share of a turn that late frames take, so that other streams go on. */
#define WARM_TURN_SHARE 2

/* ---- lists -------------------------------------------------------------------------------- */

static void warm_list(struct engine_warm_list *list, struct stream *stream,
                      enum backlog_stage stage)
{
    stream->backlog->stage = stage;
    stream->backlog->next = NULL;
    if (list->last != NULL)
        list->last->backlog->next = stream;
    else
        list->first = stream;
    list->last = stream;
}

static struct stream *warm_unlist(struct engine_warm_list *list, enum backlog_stage stage)
{
    struct stream *stream = list->first;
    if (stream == NULL)
        return NULL;
    list->first = stream->backlog->next;
    if (list->first == NULL)
        list->last = NULL;
    stream->backlog->stage = stage;
    return stream;
}

struct stream *engine_due(struct engine *engine)
{
    return warm_unlist(&engine->due, BACKLOG_RUNNING);
}

void engine_postpone(struct engine *engine, struct stream *stream)
{
    warm_list(&engine->due, stream, BACKLOG_DUE);
}

void engine_warmed(struct engine *engine, struct stream *stream)
{
    stream->backlog->n_left = celltap_stream_warm_left(stream->state);
    stream->backlog->stage = BACKLOG_NONE;
    if (stream->backlog->n > 0)
        warm_list(&engine->ready, stream, BACKLOG_READY);
}

void engine_warm_relist(struct engine *engine)
{
    engine->due = engine->ready = (struct engine_warm_list){0};
    engine->n_late = engine->n_late_bytes = 0;
    for (size_t i = 0; i < engine->streams.n; i++) {
        struct stream *stream = engine->streams.list[i];
        const struct backlog *backlog = stream->backlog;
        if (backlog == NULL)
            continue;
        for (const struct backlog_frame *late = backlog->first; late != NULL; late = late->next)
            engine->n_late_bytes += backlog_frame_bytes(late);
        engine->n_late += backlog->n;
        if (backlog->stage == BACKLOG_DUE)
            warm_list(&engine->due, stream, BACKLOG_DUE);
        else if (backlog->stage == BACKLOG_READY)
            warm_list(&engine->ready, stream, BACKLOG_READY);
    }
}

/* ---- frames that come --------------------------------------------------------------------- */

int engine_reserve(struct stream *stream, bool rewarm, struct backlog_frame **ret_late)
{
    const struct backlog *backlog = stream->backlog;
    *ret_late = NULL;
    if (backlog == NULL)
        return 0;
    if (backlog->n > 0 || backlog->n_left == 0) {
        *ret_late = backlog_frame_new(stream->serving->n_channels);
        return *ret_late != NULL ? 0 : -1;
    }
    if (backlog->n_left == SIZE_MAX && !rewarm)
        return 0;
    return celltap_stream_reserve(stream->state, (size_t)stream->n_pending + 1);
}

void engine_put(struct engine *engine, struct stream *stream, const struct pending *pending)
{
    struct backlog *backlog = stream->backlog;
    if (backlog != NULL && pending->rewarm)
        backlog->n_left = stream->serving->detector->warmup;
    if (backlog != NULL && backlog->n_left != SIZE_MAX && --backlog->n_left == 0)
        warm_list(&engine->due, stream, BACKLOG_DUE);
    engine_enqueue(engine, stream, pending);
}

void engine_put_late(struct engine *engine, struct stream *stream, struct backlog_frame *late,
                     const struct pending *pending, const float *values)
{
    struct backlog *backlog = stream->backlog;
    if (backlog->n == 0) {
        backlog->seq = stream->seq;
        backlog->ts_ns = stream->ts_ns;
        backlog->n_gaps = stream->n_gaps;
        backlog->position = UINT64_MAX;
    }
    late->seq = pending->seq;
    late->ts_ns = pending->ts_ns;
    late->reset = pending->reset;
    late->born = pending->born;
    late->rewarm = pending->rewarm;
    memcpy(late->values, values, late->n_values * sizeof(float));
    backlog_put(backlog, late);
    engine->n_late++;
    engine->n_late_bytes += backlog_frame_bytes(late);
}

/* ---- frames that go on -------------------------------------------------------------------- */

/* The oldest late frame into the turn.  False: no memory. */
static bool warm_release_one(struct engine *engine, struct stream *stream)
{
    struct backlog *backlog = stream->backlog;
    if ((backlog->n_left != SIZE_MAX || backlog->first->rewarm) &&
        celltap_stream_reserve(stream->state, (size_t)stream->n_pending + 1) != 0)
        return false;
    struct backlog_frame *frame = backlog_take(backlog);
    struct pending pending = {
        .seq = frame->seq,
        .ts_ns = frame->ts_ns,
        .values_at = (uint32_t)engine->n_values,
        .next = ENGINE_NO_PENDING,
        .reset = frame->reset,
        .born = frame->born,
        .rewarm = frame->rewarm,
    };
    memcpy(engine->values + engine->n_values, frame->values, frame->n_values * sizeof(float));
    backlog->n_gaps += frame->seq - backlog->seq > 1;
    backlog->seq = frame->seq;
    backlog->ts_ns = frame->ts_ns;
    engine->n_late--;
    engine->n_late_bytes -= backlog_frame_bytes(frame);
    backlog_frame_free(frame);
    engine_put(engine, stream, &pending);
    return true;
}

/* True: none is left, or the stream is due again. */
static bool warm_release_stream(struct engine *engine, struct stream *stream)
{
    while (stream->backlog->n > 0 && stream->backlog->stage != BACKLOG_DUE)
        if (engine->n_pending >= ENGINE_TURN_FRAMES / WARM_TURN_SHARE ||
            !engine_has_room(engine, stream->serving->n_channels) ||
            !warm_release_one(engine, stream))
            return false;
    return true;
}

bool engine_release(struct engine *engine)
{
    struct stream *stream;
    bool all = true;
    while (all && (stream = warm_unlist(&engine->ready, BACKLOG_NONE)) != NULL) {
        all = warm_release_stream(engine, stream);
        if (!all)
            warm_list(&engine->ready, stream, BACKLOG_READY);
    }
    return engine->n_pending > 0;
}

int engine_settle(struct engine *engine)
{
    for (size_t i = 0; i < engine->streams.n; i++) {
        struct stream *stream = engine->streams.list[i];
        struct backlog *backlog = stream->backlog;
        if (backlog == NULL || (backlog->stage != BACKLOG_DUE && backlog->stage != BACKLOG_RUNNING))
            continue;
        if (celltap_stream_warm(stream->state) != 0)
            return -1;
        backlog->n_left = celltap_stream_warm_left(stream->state);
        backlog->stage = backlog->n > 0 ? BACKLOG_READY : BACKLOG_NONE;
    }
    engine_warm_relist(engine);
    return 0;
}

/* ---- looking ------------------------------------------------------------------------------ */

bool engine_is_behind(const struct engine *engine)
{
    return engine->n_late_bytes >= ENGINE_LATE_BYTES;
}

size_t engine_n_late(const struct engine *engine)
{
    return engine->n_late;
}

uint64_t engine_late_position(const struct engine *engine)
{
    uint64_t position = UINT64_MAX;
    for (size_t i = 0; engine->n_late > 0 && i < engine->streams.n; i++) {
        const struct backlog *backlog = engine->streams.list[i]->backlog;
        if (backlog != NULL && backlog->n > 0 && backlog->position < position)
            position = backlog->position;
    }
    return position;
}
