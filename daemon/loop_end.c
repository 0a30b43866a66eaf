/* loop_end.c - an orderly end: nothing that was accepted is lost, nobody is waited for too long.
 *
 *     SIGTERM --> LOOP_DRAINING --quiet--> LOOP_FLUSHING --taken, saved--> LOOP_ENDED
 *
 * Draining: no new connections, turns until nothing has come for a while.  Flushing: sockets are
 * deaf, the rest is stepped and acknowledged, the journal saves, subscribers get what was produced.
 * Producers that never pause, subscribers that never read, a slow disk: each has a deadline, and the
 * log says what was given up. */
#include "daemon/journal.h"
#include "daemon/log.h"
#include "daemon/loop_state.h"

#define DRAIN_QUIET_MS    100
#define DRAIN_DEADLINE_MS 1000
#define DRAIN_TICK_MS     10
#define WARM_DEADLINE_MS  10000 /* for warm-ups that frames wait for */
#define FLUSH_STALLED_MS  1000  /* a subscriber that has lost records and takes none any more */
#define FLUSH_DEADLINE_MS 5000
#define SAVE_DEADLINE_MS  30000 /* for the journal's last sync and snapshot */

static void end_refuse(struct sock *sock, void *arg)
{
    (void)arg;
    sock_refuse(sock);
}

static void end_deafen(struct sock *sock, void *arg)
{
    (void)arg;
    sock_deafen(sock);
}

static void end_look_flushed(struct sock *sock, void *arg)
{
    bool *flushed = arg;
    *flushed &= sock_n_unsent_replies(sock) == 0 && sock_is_drained(sock, FLUSH_STALLED_MS);
}

static void end_enter(struct loop *loop, enum loop_phase phase)
{
    loop->phase = phase;
    loop->phase_since_ms = loop_now_ms(loop);
}

void loop_end_now(struct loop *loop)
{
    end_enter(loop, LOOP_ENDED);
    uv_stop(&loop->uv);
}

static void end_flush(struct loop *loop)
{
    loop_each_sock(loop, end_deafen, NULL);
    while (turn_run(loop->turn, loop->frames, loop->engine, &loop->taps,
                    loop->conf->max_message_bytes))
        ;
    while (loop_answer(loop))
        ;
    if (engine_n_late(loop->engine) > 0)
        log_line(LOG_LEVEL_WARNING, "%zu frames wait for a detector that learns; %s",
                 engine_n_late(loop->engine),
                 loop->journal != NULL ? "the next start steps them"
                                       : "without a journal they are lost");
    journal_finish(loop->journal);
    end_enter(loop, LOOP_FLUSHING);
}

static void end_tick_draining(struct loop *loop)
{
    uint64_t now_ms = loop_now_ms(loop);
    struct intake_level level = intake_level(loop->frames);
    bool late = engine_n_late(loop->engine) > 0;
    uint64_t deadline_ms = late ? WARM_DEADLINE_MS : DRAIN_DEADLINE_MS;
    if (late || level.n_messages > 0 || loop->turn->carried || level.n_arrived != loop->n_arrived) {
        loop->n_arrived = level.n_arrived;
        loop->quiet_since_ms = now_ms;
    }
    if (now_ms - loop->quiet_since_ms >= DRAIN_QUIET_MS ||
        now_ms - loop->phase_since_ms >= deadline_ms)
        end_flush(loop);
}

static void end_tick_flushing(struct loop *loop)
{
    bool flushed = true, saved = journal_is_done(loop->journal);
    uint64_t since_ms = loop_now_ms(loop) - loop->phase_since_ms;
    loop_each_sock(loop, end_look_flushed, &flushed);
    if ((!flushed && since_ms < FLUSH_DEADLINE_MS) || (!saved && since_ms < SAVE_DEADLINE_MS))
        return;
    if (!saved)
        log_line(LOG_LEVEL_WARNING, "the disk is too slow; ending without a last snapshot");
    if (!flushed)
        log_line(LOG_LEVEL_WARNING, "some subscribers do not read; ending without them");
    loop_end_now(loop);
}

void loop_end_start(struct loop *loop)
{
    sd_stopping(&loop->sd);
    log_line(LOG_LEVEL_NOTICE, "ending: publishing what has arrived");
    loop_each_sock(loop, end_refuse, NULL);
    end_enter(loop, LOOP_DRAINING);
    loop->quiet_since_ms = loop->phase_since_ms;
    uv_timer_set_repeat(&loop->tick, DRAIN_TICK_MS);
    uv_timer_again(&loop->tick);
}

void loop_end_tick(struct loop *loop)
{
    if (loop->phase == LOOP_DRAINING)
        end_tick_draining(loop);
    else if (loop->phase == LOOP_FLUSHING)
        end_tick_flushing(loop);
}
