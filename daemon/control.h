/* control.h - requests to the running daemon: one msgpack map in, one map out.
 *
 *     request   {"cmd": "...", ...}          an unknown key is ignored
 *     reply     {...}                        or {"error": "what is wrong; what to do"}
 *
 * cmd         reads                                     replies
 * status      -                                         version, pid, uptime_ms, kernel, threads,
 *                 config, accepted, duplicate, gaps, rejected (frames since the start), per_second (frames
 *                 per second, float), rejects {reason: n, ...}, queue_messages, queue_bytes (waiting
 *                 to be stepped), streams, max_streams, turns, listeners_reopened, memory_bytes,
 *                 journal {directory, sync, fault ("": none), position, synced, epoch, snapshot
 *                 (positions), snapshots, syncs, faults (since the start), waiting (replies)} or
 *                 nil, models [{name, file, values, streams}],
 *                 taps [{name, urls [..], dynamic, subscribers, records, messages, bytes}]
 * streams     limit (1..1000; 100), cursor (0),         streams [{stream, model, seq, ts, frames,
 *             match (glob; "*")                             duplicate, gaps}], total, cursor (of the
 *                                                           next page; nil: that was the last)
 * model       model (name; may be left out if there     name, file, values, channels [..],
 *             is only one)                                  layers [{name, kind, inputs, parameters,
 *                                                           macs, tensors [{name, size}]}]
 * tap.open    streams [..] ["*"], layers [..] ["*"],    name, url, warning (text or nil)
 *             tensors [..] ["output"], every (1), group ("layer"), encoding ("bin"), dtype ("<f4")
 * tap.close   name                                      ok true
 * reset       stream                                    ok true
 * reload      -                                         ok true, changes [text, ..]
 * snapshot    -                                         ok true
 * replay      stream, from (1), to (2^64-1), layers     records (bin: as in a tap's message), cursor
 *             [..] ["*"], tensors [..] ["*"], cursor        (of the next slice; nil: that was the last)
 *
 * A tap opened here ends by tap.close, when its last subscriber has been gone for 5 s, or when
 * nobody has come within 30 s; there are at most 16.  The loop's thread only. */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include "daemon/sock.h"

struct loop;

/* Answers one request; *ret_reply is new and the caller's.  0, CONTROL_TAKEN: `reply` was taken and
 * will be answered later; or -1 when there is no memory. */
#define CONTROL_TAKEN 1
int control_answer(struct loop *loop, const unsigned char *request, size_t n_bytes,
                   struct sock_reply *reply, sock_message **ret_reply);

#endif
