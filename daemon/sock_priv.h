/* sock_priv.h - what sock.c and sock_listen.c share: the inside of a struct sock.
 *
 * A connection (nng: pipe) is entered before nng starts it and counted once it runs, because nng
 * may report its end before its beginning, and reports the end of those it has rejected too. */
#ifndef DAEMON_SOCK_PRIV_H
#define DAEMON_SOCK_PRIV_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "daemon/sock.h"

#define SOCK_PEERS_MAX 1024 /* connections of one socket; more are closed at once */
#define SOCK_REPLIES   128  /* requests of one REP socket that wait for their reply */

struct sock_peer {
    uint32_t pipe_id;
    bool counted;           /* runs: is part of n_peers */
    uint64_t n_before;      /* PUB: messages published before it came */
    uint64_t n_sent;        /* PUB: messages sent, when last looked at, ... */
    uint64_t sent_since_ms; /* ... and since when there were so many */
};

enum sock_reply_state { REPLY_FREE, REPLY_RECEIVING, REPLY_HELD, REPLY_SENDING };

struct sock_reply {
    struct sock *sock; /* borrowed */
    nng_ctx ctx;
    nng_aio *aio; /* owned; receives, then sends */
    enum sock_reply_state state;
    struct sock_reply *next_free;
};

struct sock_listener {
    struct sock_listener *next;
    char *url;    /* owned */
    char *path;   /* owned; of ipc://, else NULL */
    char *beside; /* owned; where nng has bound it, until it is renamed to path */
    bool committed;
    bool open; /* nng has it */
    nng_listener nng;
    dev_t device; /* of the socket at path, once committed */
    ino_t inode;
    int probe_fd; /* -1: none under way */
    bool probe_asked;
    unsigned probe_looks;
};

struct sock {
    enum sock_kind kind;
    nng_socket nng;
    sock_on_message on_message;
    void *arg;
    struct sock_listener *listeners; /* owned; the loop's thread only */
    atomic_size_t n_peers;
    atomic_bool had_peer; /* ever */
    atomic_bool refuses;
    pthread_mutex_t lock; /* guards all below */
    size_t n_entered;
    struct sock_peer *peers; /* [SOCK_PEERS_MAX] owned */
    bool wants, receiving, deaf;
    nng_aio *aio;               /* owned; PULL: receives */
    struct sock_reply *replies; /* [SOCK_REPLIES] owned; REP */
    struct sock_reply *free_replies;
    struct sock_reply *receiving_reply;
    size_t n_sending;
    atomic_uint_fast64_t n_published;
};

int sock_fail(struct sock_error *reterr, const char *what, const char *which, int nng_code);
void sock_listeners_close(struct sock *sock);

#endif
