/* control_priv.h - what the commands share: a request to read, a reply to write.
 *
 *     control.c         the table of commands, replies of any size
 *     control_look.c    status, streams, model          they only look
 *     control_act.c     tap.open, tap.close, reset, rewarm, reload, ...
 *
 * A reply is written into memory that grows: a command's `write` may be called again with more
 * room, so it only writes; what a command does it does once, in `act`. */
#ifndef DAEMON_CONTROL_PRIV_H
#define DAEMON_CONTROL_PRIV_H

#include "daemon/control.h"
#include "daemon/loop_state.h"
#include "lib/celltap_wire.h"

struct control_request {
    struct loop *loop;
    const unsigned char *map, *end; /* the request */
    struct sock_reply *reply;       /* for an act that answers later, with CONTROL_TAKEN */
    char error[1024];               /* for reply {"error": ...} if act fails */
    const void *result;             /* from act to write */
    char name[CELLTAP_STREAM_NAME_MAX + 1];
    uint64_t limit, cursor, n_streams;
    void *owned; /* freed after the reply */
};

/* One line that says what is wrong; returns -1. */
int control_fail(struct control_request *request, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A key's value: 1 if it is there, 0 if not (ret stays), -1 if it is of another type (failed). */
int control_get_text(struct control_request *request, const char *key, char *ret_text,
                     size_t text_bytes);
int control_get_uint(struct control_request *request, const char *key, uint64_t *ret_value,
                     uint64_t min, uint64_t max);
int control_get_int(struct control_request *request, const char *key, int64_t *ret_value);
int control_get_bool(struct control_request *request, const char *key, bool *ret_value);
/* A text or an array of texts.  *ret_texts is new (control_texts_done). */
int control_get_texts(struct control_request *request, const char *key,
                      struct conf_texts *ret_texts);
void control_texts_done(struct conf_texts *texts);

/* Key and value. */
void control_put_text(struct celltap_writer *writer, const char *key, const char *text);
void control_put_uint(struct celltap_writer *writer, const char *key, uint64_t value);

int control_status(struct control_request *request);
void control_status_write(struct control_request *request, struct celltap_writer *writer);
int control_streams(struct control_request *request);
void control_streams_write(struct control_request *request, struct celltap_writer *writer);
int control_model(struct control_request *request);
void control_model_write(struct control_request *request, struct celltap_writer *writer);
int control_tap_open(struct control_request *request);
void control_tap_open_write(struct control_request *request, struct celltap_writer *writer);
int control_tap_close(struct control_request *request);
int control_reset(struct control_request *request);
int control_rewarm(struct control_request *request);
void control_rewarm_write(struct control_request *request, struct celltap_writer *writer);
int control_reload(struct control_request *request);
void control_reload_write(struct control_request *request, struct celltap_writer *writer);
int control_snapshot(struct control_request *request);
int control_replay(struct control_request *request);
void control_ok_write(struct control_request *request, struct celltap_writer *writer);

#endif
