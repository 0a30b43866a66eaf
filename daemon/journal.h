/* journal.h - a turn's frames on disk before they are acknowledged, and the states now and then.
 *
 *     turn --commit--> one write --sync, beside the loop--> replies that waited are sent
 *     streams --slices--> snapshot --beside the loop--> DIR/<position>.snap, old segments go
 *
 * Where a journal is taken NULL means that there is none: everything is acknowledged at once.  The
 * loop's thread only; what runs beside it touches files alone. */
#ifndef DAEMON_JOURNAL_H
#define DAEMON_JOURNAL_H

#include <uv.h>

#include "daemon/engine.h"
#include "daemon/sock.h"

struct journal;

/* Opens state_dir's journal and brings the engine to where it was: the newest whole snapshot, then
 * every record behind it.  *ret_journal is NULL with `journal: off`.  -1: it has been logged. */
int journal_open(const struct conf *conf, struct engine *engine, struct journal **ret_journal);

/* From now on it syncs and saves on the loop; resumed(arg) is called when a fault has gone. */
int journal_start(struct journal *journal, uv_loop_t *uv, void (*resumed)(void *arg), void *arg);

/* Nothing is begun any more, and replies that wait are given up. */
void journal_stop(struct journal *journal);

/* The loop's handles must be closed; NULL is fine. */
void journal_close(struct journal *journal);

/* A reload's options. */
void journal_tune(struct journal *journal, const struct conf *conf);

/* Keeps a model's file, which the serving still has in memory, and its detector.  -1: reterr says why. */
int journal_keep(struct journal *journal, const struct serving *serving, char *reterr,
                 size_t reterr_bytes);

/* Streams have got other models: a new segment, and a snapshot being made is given up. */
void journal_change(struct journal *journal);

/* Writes what the engine has accepted since the last call. */
void journal_commit(struct journal *journal);

/* True while no frames may be taken: the disk does not take what there is already. */
bool journal_is_blocked(const struct journal *journal);

/* Sends a reply (taken) once what was committed so far is as safe as `sync` asks for. */
void journal_reply(struct journal *journal, struct sock_reply *reply, sock_message *message);

/* Gives up the replies that wait for a socket that is about to be closed. */
void journal_give_up(struct journal *journal, const struct sock *sock);

/* The next frame of this stream starts afresh, rewarm: its detector too: notes it. */
void journal_put_reset(struct journal *journal, struct stream *stream, bool rewarm);

/* A part of the snapshot that is being made; true: there is more to do at once. */
bool journal_work(struct journal *journal);

/* Every 250 ms: tries again what has failed. */
void journal_tick(struct journal *journal);

/* Makes a snapshot now, or after the one being made. */
void journal_save(struct journal *journal);

/* Begins the end: the last sync and snapshot.  is_done: they are made, or cannot be. */
void journal_finish(struct journal *journal);
bool journal_is_done(const struct journal *journal);

struct journal_look {
    const char *directory;
    const char *sync;  /* as in the configuration */
    const char *fault; /* "": none */
    uint64_t position, synced, epoch;
    uint64_t snapshot; /* position of the newest */
    uint64_t n_snapshots, n_syncs, n_faults;
    size_t n_waiting; /* replies */
};
struct journal_look journal_look(const struct journal *journal);

/* Where a replay finds its files. */
const char *journal_directory(const struct journal *journal);

#endif
