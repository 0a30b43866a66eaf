/* doors.h - the sockets that take something in: ingest (PULL, REP) and control (REP).
 *
 *     doors.ingest[]  --> intake of frames           doors.control --> intake of requests
 *
 * The loop's thread only. */
#ifndef DAEMON_DOORS_H
#define DAEMON_DOORS_H

#include "daemon/conf.h"
#include "daemon/intake.h"
#include "daemon/sock.h"

#define DOORS_REQUEST_BYTES ((size_t)64 * 1024) /* a control request has at most */
#define DOORS_NUMBER_BYTES  4                   /* before it: nng counts the request number too */
#define DOORS_INGEST_MAX    (INTAKE_SOCKS - 1)

struct doors {
    struct sock **ingest; /* [n_ingest] owned, in the configuration's order */
    size_t n_ingest;
    struct sock *control; /* owned */
};

struct sock_options doors_ingest_options(const struct conf *conf, const struct conf_ingest *ingest,
                                         struct intake *frames);
struct sock_options doors_control_options(struct intake *requests);

/* Opens a socket and binds its URLs, uncommitted. */
int doors_open_sock(const struct sock_options *options, const struct conf_texts *listen,
                    struct sock **ret_sock, struct sock_error *reterr);

/* Opens, binds, commits and starts all of them; on failure nothing is open. */
int doors_open(struct doors *doors, const struct conf *conf, struct intake *frames,
               struct intake *requests, struct sock_error *reterr);
void doors_close(struct doors *doors);

/* Calls visit for each socket that is open. */
void doors_each(const struct doors *doors, void (*visit)(struct sock *sock, void *arg), void *arg);

#endif
