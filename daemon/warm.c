/* warm.c - the end of a stream's warm-up, beside the loop.
 *
 *     jobs[2]   | stream's name, celltap_warmup, work | ...
 *
 * Happy path: a stream is due; its frames are copied (celltap_warmup_new) and stepped twice more on
 * one of libuv's threads; back on the loop the stream takes what was learnt, and its late frames go
 * on.  Few at a time, so that many streams that are due at once do not take all threads from the
 * journal.  No memory: said once, tried again with the next turn or tick.  The stream has changed or
 * gone meanwhile (a reload): what was learnt does not fit it any more, and is dropped.  The daemon
 * ends: what runs is broken off, and the next start does it again. */
#include "daemon/warm.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"

#define WARM_JOBS  2
#define WARM_SLICE 256 /* timesteps between two looks at whether the daemon ends */

struct warm_job {
    struct warm *warm; /* borrowed */
    uv_work_t work;
    celltap_warmup *warmup; /* owned; NULL: the job is free */
    size_t name_bytes;
    char name[256]; /* of the stream */
};

struct warm {
    struct engine *engine; /* borrowed */
    uv_loop_t *uv;
    void (*wake)(void *arg);
    void *arg;
    atomic_bool stopping;
    bool no_memory; /* has been said */
    struct warm_job jobs[WARM_JOBS];
};

struct warm *warm_new(struct engine *engine, uv_loop_t *uv, void (*wake)(void *arg), void *arg)
{
    struct warm *warm = calloc(1, sizeof(*warm));
    if (warm == NULL)
        return NULL;
    warm->engine = engine;
    warm->uv = uv;
    warm->wake = wake;
    warm->arg = arg;
    for (size_t i = 0; i < WARM_JOBS; i++) {
        warm->jobs[i].warm = warm;
        warm->jobs[i].work.data = &warm->jobs[i];
    }
    return warm;
}

void warm_stop(struct warm *warm)
{
    if (warm != NULL)
        atomic_store(&warm->stopping, true);
}

void warm_free(struct warm *warm)
{
    free(warm);
}

/* ---- a job -------------------------------------------------------------------------------- */

/* On libuv's threads. */
static void warm_work(uv_work_t *work)
{
    struct warm_job *job = work->data;
    while (!atomic_load(&job->warm->stopping) && celltap_warmup_run(job->warmup, WARM_SLICE))
        ;
}

static void warm_after(uv_work_t *work, int status)
{
    struct warm_job *job = work->data;
    struct warm *warm = job->warm;
    if (status == 0 && !atomic_load(&warm->stopping)) {
        struct stream *stream =
            streams_find(engine_streams(warm->engine), job->name, job->name_bytes);
        /* A reload may have given it another backlog meanwhile. */
        bool waits =
            stream != NULL && stream->backlog != NULL && stream->backlog->stage == BACKLOG_RUNNING;
        if (waits && celltap_warmup_end(job->warmup, stream->state) == 0)
            engine_warmed(warm->engine, stream);
        warm->wake(warm->arg);
    }
    celltap_warmup_free(job->warmup);
    job->warmup = NULL;
}

/* -1: no memory. */
static int warm_begin(struct warm *warm, struct warm_job *job, struct stream *stream)
{
    if (celltap_warmup_new(stream->state, &job->warmup) != 0)
        return -1;
    job->name_bytes = stream->name_bytes;
    memcpy(job->name, stream->name, stream->name_bytes);
    if (uv_queue_work(warm->uv, &job->work, warm_work, warm_after) == 0)
        return 0;
    celltap_warmup_free(job->warmup);
    job->warmup = NULL;
    return -1;
}

void warm_run(struct warm *warm)
{
    if (atomic_load(&warm->stopping))
        return;
    for (size_t i = 0; i < WARM_JOBS; i++) {
        struct warm_job *job = &warm->jobs[i];
        struct stream *stream = job->warmup == NULL ? engine_due(warm->engine) : NULL;
        if (stream == NULL)
            continue;
        bool failed = warm_begin(warm, job, stream) != 0;
        if (failed)
            engine_postpone(warm->engine, stream);
        if (failed && !warm->no_memory)
            log_line(LOG_LEVEL_WARNING,
                     "out of memory: the frames of %s wait until its detector can learn",
                     stream->name);
        warm->no_memory = failed;
        if (failed)
            return;
    }
}
