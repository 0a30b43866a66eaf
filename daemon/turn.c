/* turn.c - one turn of the loop: what has arrived is taken, stepped, published, acknowledged.
 *
 * Happy path of a message: taken from the intake, its frames taken by the engine, written to the
 * journal, stepped and published with those of the turn's other messages, then its reply is sent
 * and it is freed.  A message that does not fit in the turn is carried over to the next.  A reply for
 * which there is no memory is left out: the client asks again, and its frames are duplicates then.
 *
 * Frames that have waited for a warm-up come first; they were committed when they were taken. */
#include "daemon/turn.h"

#include <stdio.h>
#include <string.h>

#include "daemon/log.h"
#include "lib/celltap_wire.h"

/* Frames that other threads would take off this one.  Waking them takes about 20 us, a small model's
 * frame 1 to 5. */
#define TURN_SHARED_FRAMES 16

#define TURN_ERROR_BYTES 160 /* a reply's entry: index, key, sentence */

static void turn_start_job(struct turn_job *job, struct engine *engine, size_t max_message_bytes)
{
    const unsigned char *body = sock_message_body(job->in.message);
    size_t n_bytes = sock_message_bytes(job->in.message);
    job->batch = (struct engine_batch){
        .cursor = body, .end = body + n_bytes, .arrived_ns = job->in.arrived_ns};
    if (n_bytes > max_message_bytes)
        engine_refuse(engine, &job->batch, ENGINE_REJECT_TOO_LARGE);
}

/* ---- replies ------------------------------------------------------------------------------ */

static void turn_put_error(struct celltap_writer *writer, const struct engine_error *error)
{
    char text[TURN_ERROR_BYTES];
    snprintf(text, sizeof(text), "%s%s%s", error->key, error->key[0] != '\0' ? ": " : "",
             engine_reject_sentences[error->reject]);
    celltap_put_map(writer, 2);
    celltap_put_str(writer, "index");
    celltap_put_uint(writer, error->index);
    celltap_put_str(writer, "error");
    celltap_put_str(writer, text);
}

static sock_message *turn_make_reply(const struct engine_batch *batch)
{
    sock_message *reply = sock_message_new(128 + batch->n_errors * (TURN_ERROR_BYTES + 32));
    if (reply == NULL)
        return NULL;
    unsigned char *body = sock_message_body(reply);
    struct celltap_writer writer = {.at = body, .end = body + sock_message_bytes(reply)};
    celltap_put_map(&writer, 4);
    celltap_put_str(&writer, "accepted");
    celltap_put_uint(&writer, batch->n_accepted);
    celltap_put_str(&writer, "duplicate");
    celltap_put_uint(&writer, batch->n_duplicates);
    celltap_put_str(&writer, "rejected");
    celltap_put_uint(&writer, batch->n_rejected);
    celltap_put_str(&writer, "errors");
    celltap_put_array(&writer, batch->n_errors);
    for (size_t i = 0; i < batch->n_errors; i++)
        turn_put_error(&writer, &batch->errors[i]);
    sock_message_cut(reply, (size_t)(writer.at - body));
    return reply;
}

static void turn_finish_job(struct turn *turn, struct turn_job *job)
{
    if (job->in.reply != NULL) {
        sock_message *reply = turn_make_reply(&job->batch);
        if (reply != NULL)
            journal_reply(turn->journal, job->in.reply, reply);
        else
            sock_give_up(job->in.reply);
    }
    sock_message_free(job->in.message);
    engine_batch_done(&job->batch);
    turn->n_messages++;
}

/* ---- stepping and publishing -------------------------------------------------------------- */

struct turn_step {
    struct engine *engine;
    struct taps *taps;
    struct engine_sink sink;
};

/* On the shard's thread. */
static void turn_step_shard(void *arg, size_t shard_ix)
{
    struct turn_step *step = arg;
    engine_step_shard(step->engine, shard_ix, &step->sink);
    taps_turn_end(step->taps, shard_ix);
}

/* Few frames are done before another thread is awake. */
static void turn_step(struct turn *turn, struct engine *engine, struct taps *taps)
{
    struct turn_step step = {engine, taps, taps_sink(taps)};
    if (turn->crew != NULL && engine_spread(engine).n_others >= TURN_SHARED_FRAMES)
        crew_run(turn->crew, turn_step_shard, &step);
    else
        for (size_t i = 0; i < engine_n_shards(engine); i++)
            turn_step_shard(&step, i);
    engine_step_end(engine);
}

/* ---- the turn ----------------------------------------------------------------------------- */

/* Fills the turn; returns how many jobs are finished, the one after them is carried over. */
static size_t turn_take(struct turn *turn, struct intake *intake, struct engine *engine,
                        size_t max_message_bytes)
{
    size_t n = 0;
    while (n < TURN_MESSAGES) {
        struct turn_job *job = &turn->jobs[n];
        if (!turn->carried) {
            if (!intake_take(intake, &job->in))
                break;
            turn_start_job(job, engine, max_message_bytes);
        }
        turn->carried = !engine_take(engine, &job->batch);
        if (turn->carried)
            break;
        n++;
    }
    return n;
}

bool turn_run(struct turn *turn, struct intake *intake, struct engine *engine, struct taps *taps,
              size_t max_message_bytes)
{
    bool released = engine_release(engine);
    size_t n = turn_take(turn, intake, engine, max_message_bytes);
    if (n == 0 && !released && (!turn->carried || engine_is_behind(engine)))
        return false;
    journal_commit(turn->journal);
    turn_step(turn, engine, taps);
    for (size_t i = 0; i < n; i++)
        turn_finish_job(turn, &turn->jobs[i]);
    if (turn->carried && n > 0)
        turn->jobs[0] = turn->jobs[n];
    turn->n_turns++;
    /* Otherwise the intake was empty, and wakes the loop with its next message; or too many frames wait
     * for a warm-up, the end of which wakes it. */
    return released || (turn->carried && !engine_is_behind(engine)) || n == TURN_MESSAGES;
}

void turn_done(struct turn *turn)
{
    if (!turn->carried)
        return;
    sock_message_free(turn->jobs[0].in.message);
    engine_batch_done(&turn->jobs[0].batch);
    turn->carried = false;
}
