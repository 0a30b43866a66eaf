/* intake.h - messages on their way from nng's threads to the loop: a bounded queue.
 *
 *     sockets --on_message--> | message | message | ... |  --intake_take--> the loop
 *                                 full: the sockets pause; half empty: they go on
 *
 * intake_push and what it calls run on nng's threads, the rest on the loop's. */
#ifndef DAEMON_INTAKE_H
#define DAEMON_INTAKE_H

#include "daemon/sock.h"

struct intake;

struct intake_message {
    sock_message *message;    /* owned by whoever has taken it */
    struct sock_reply *reply; /* NULL: none is wanted */
    int64_t arrived_ns;       /* since 1970 */
};

/* Holds at most max_messages, and pauses its sockets beyond max_bytes (each may add the message that
 * it is about to deliver).  wake(arg) is called on nng's threads when there is something to take. */
struct intake *intake_new(size_t max_messages, size_t max_bytes, void (*wake)(void *arg),
                          void *arg);
void intake_free(struct intake *intake); /* after its sockets are closed; NULL is fine */

/* A socket's on_message, with the intake as its arg. */
bool intake_push(void *intake, struct sock *sock, sock_message *message, struct sock_reply *reply);

/* The sockets that feed it and are to be resumed; at most INTAKE_SOCKS. */
#define INTAKE_SOCKS 64
int intake_add(struct intake *intake, struct sock *sock);
void intake_remove(struct intake *intake, struct sock *sock);

/* The oldest message; false: none. */
bool intake_take(struct intake *intake, struct intake_message *ret_message);

struct intake_level {
    size_t n_messages, n_bytes;
    uint64_t n_arrived; /* since the start */
};
struct intake_level intake_level(struct intake *intake);

/* Lets the sockets go on if they wait without need; harmless at any time. */
void intake_resume(struct intake *intake);

#endif
