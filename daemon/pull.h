/* pull.h - a PULL socket of the Scalability Protocols that the loop reads itself.
 *
 *     producers --connections--> bytes --> messages --on_message--> the intake
 *
 * In place of nng's: there each message passes from nng's poller to its callbacks and then to the
 * loop, which is two wake-ups and two thirds of the time that a single frame takes.  The protocol is
 * the one of nng's PUSH (SP over IPC and TCP, version 1); producers see no difference.
 *
 * The loop's thread only. */
#ifndef DAEMON_PULL_H
#define DAEMON_PULL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <uv.h>

#include "daemon/sock.h"

struct pull;
struct pull_door; /* one address that it listens on, with the connections that came through it */

/* on_message takes the message; false: there is no room for more, wait for pull_resume.  Longer
 * messages than recv_max_bytes end their connection.  Receives nothing before pull_resume.
 * NULL: no memory. */
struct pull *pull_new(uv_loop_t *uv, size_t recv_max_bytes,
                      bool (*on_message)(void *arg, sock_message *message), void *arg);
void pull_free(struct pull *pull); /* with its doors; NULL is fine */

void pull_set_recv_max(struct pull *pull, size_t recv_max_bytes);
void pull_resume(struct pull *pull);
void pull_deafen(struct pull *pull); /* for ever: what is read but not delivered is given up */
void pull_refuse(struct pull *pull); /* closes new connections at once */
void pull_tick(struct pull *pull);   /* now and then: ends connections that do not say hello */

/* Binds "ipc:///path" or "tcp://host:port" and accepts; *reterr_why says what failed. */
int pull_listen(struct pull *pull, const char *url, struct pull_door **ret_door,
                const char **reterr_why);
void pull_unlisten(struct pull_door *door); /* and its connections; removes the path it has bound */
int pull_address(const struct pull_door *door, struct sockaddr_storage *ret_address,
                 socklen_t *ret_n_bytes);

#endif
