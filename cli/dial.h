/* dial.h - the door to nng: connections to the daemon.
 *
 *     DIAL_REQUEST    dial_ask      request -> reply, one at a time     control, acknowledged
 * frames DIAL_PUSH       dial_push     messages that nobody answers        frames DIAL_SUBSCRIBE
 * dial_take     messages of a topic                 records
 *
 * Nobody else includes nng.h; its error numbers are translated to text here.  Waiting ends when a
 * signal asks to stop.  One thread. */
#ifndef CLI_DIAL_H
#define CLI_DIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIAL_ERROR_MAX 1024 /* bytes */

enum dial_kind { DIAL_REQUEST, DIAL_PUSH, DIAL_SUBSCRIBE };

struct dial;

/* Connects.  While nobody listens there it tries again, up to wait_ms; `on_wait` (may be NULL) is
 * called once when it turns out that it has to.  Subscribing is to everything.  0, or -1 with what
 * is wrong in ret_error [DIAL_ERROR_MAX]. */
int dial_open(enum dial_kind kind, const char *url, unsigned wait_ms,
              void (*on_wait)(const char *url), struct dial **ret_dial, char *ret_error);
void dial_close(struct dial *dial); /* NULL is fine */

/* Sends a request and waits for the reply; sent again when the connection is lost meanwhile.  The
 * reply is borrowed until the next call. */
int dial_ask(struct dial *dial, const unsigned char *bytes, size_t n_bytes, unsigned wait_ms,
             const unsigned char **ret_reply, size_t *ret_n_bytes, char *ret_error);

/* The same in two: in between something else can be done.  A request gives up the one before it. */
int dial_request(struct dial *dial, const unsigned char *bytes, size_t n_bytes, unsigned wait_ms,
                 char *ret_error);
int dial_reply(struct dial *dial, unsigned wait_ms, const unsigned char **ret_reply,
               size_t *ret_n_bytes, char *ret_error);

/* Hands a message over, waiting while the daemon has no room.  wait_ms: without a connection. */
int dial_push(struct dial *dial, const unsigned char *bytes, size_t n_bytes, unsigned wait_ms,
              char *ret_error);

/* Waits until the last message pushed has left this process.  */
int dial_drain(struct dial *dial, unsigned wait_ms, char *ret_error);

/* A message, if one is there: 1, 0, -1.  Borrowed until the next call. */
int dial_take(struct dial *dial, const unsigned char **ret_message, size_t *ret_n_bytes,
              char *ret_error);
int dial_fd(struct dial *dial); /* readable when dial_take has something */

bool dial_is_connected(const struct dial *dial);
unsigned dial_n_lost(const struct dial *dial); /* connections that have ended */

#endif
