/* sock.h - the door to nng: sockets that receive, reply and publish.
 *
 *     PULL, REP  --callback on nng's threads-->  on_message(arg, message, reply place)
 *     PUB        <--sock_publish-- the threads that step streams, each with its sender
 *     listeners  bound beside their path and renamed into place, re-opened when they are deaf
 *
 * Nobody else includes nng.h (sock*.c do).  nng's error numbers are translated to text here.  All
 * functions are the loop's thread's, except where stated. */
#ifndef DAEMON_SOCK_H
#define DAEMON_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- nng's threads ------------------------------------------------------------------------ */

/* While it lives nng makes its callbacks on one thread.  Before the first socket; NULL: no memory,
 * and they come on several. */
struct sock_tasks;
struct sock_tasks *sock_tasks_new(void);
void sock_tasks_free(struct sock_tasks *tasks); /* NULL is fine */

/* ---- messages: bytes that nng sends or has received --------------------------------------- */

typedef struct nng_msg sock_message;

sock_message *sock_message_new(size_t n_bytes); /* NULL: no memory */
void sock_message_free(sock_message *message);  /* NULL is fine */
unsigned char *sock_message_body(sock_message *message);
size_t sock_message_bytes(const sock_message *message);
void sock_message_cut(sock_message *message, size_t n_bytes); /* keeps the first n_bytes */

/* ---- sockets ------------------------------------------------------------------------------ */

struct sock;
struct sock_reply; /* where the reply to one request goes; NULL for PULL */

enum sock_kind { SOCK_PULL, SOCK_REP, SOCK_PUB };

/* Why something failed: one line. */
struct sock_error {
    char text[512];
};

/* Called on nng's threads, for one message at a time and in the order of arrival.  Takes the
 * message.  False: there is no room for more, wait for sock_resume before the next one. */
typedef bool (*sock_on_message)(void *arg, struct sock *sock, sock_message *message,
                                struct sock_reply *reply);

struct sock_options {
    enum sock_kind kind;
    size_t recv_max_bytes; /* nng drops the connection that sends a longer message */
    size_t queue;          /* PUB: messages kept per subscriber before the oldest is lost */
    sock_on_message on_message;
    void *arg;
};

int sock_open(const struct sock_options *options, struct sock **ret_sock,
              struct sock_error *reterr);
void sock_close(struct sock *sock); /* NULL is fine; afterwards no callback runs any more */

/* Another limit for a socket that lives on.  (There is none for `queue`: nng 1.5.2 writes beyond a
 * full queue when it changes its size.) */
int sock_set_recv_max(struct sock *sock, size_t recv_max_bytes, struct sock_error *reterr);

/* Starts receiving; again after on_message returned false. */
void sock_resume(struct sock *sock);

/* Receives no more: afterwards no on_message runs, and what nng still holds is given up. */
void sock_deafen(struct sock *sock);

/* Sends a reply (taken) and frees its place; a client that is gone is nobody's error. */
void sock_reply(struct sock_reply *reply, sock_message *message);
bool sock_reply_is_of(const struct sock_reply *reply, const struct sock *sock);
void sock_give_up(struct sock_reply *reply); /* frees the place without a reply */
size_t sock_n_unsent_replies(struct sock *sock);

/* Sends a message (taken) to every subscriber; never blocks.  Any thread, with a sender that no
 * other uses at the time; it may be used for any socket. */
typedef struct nng_aio sock_sender;
sock_sender *sock_sender_new(void);         /* NULL: no memory */
void sock_sender_free(sock_sender *sender); /* NULL is fine */
void sock_publish(struct sock *sock, sock_sender *sender, sock_message *message);

/* True when every subscriber has been sent all that was published, or has lost part of it and has
 * not taken anything for `stalled_ms`. */
bool sock_is_drained(struct sock *sock, uint64_t stalled_ms);

/* Peers that are connected now.  Any thread. */
size_t sock_n_peers(const struct sock *sock);
bool sock_had_peer(const struct sock *sock); /* ever, however briefly */

/* ---- listeners ---------------------------------------------------------------------------- */

/* Binds url; of ipc:// a name beside the final one.  Until sock_listen_commit it can be taken back,
 * and an older socket of this process keeps the path. */
int sock_listen(struct sock *sock, const char *url, struct sock_error *reterr);
int sock_listen_commit(struct sock *sock, struct sock_error *reterr);
void sock_listen_rollback(struct sock *sock);

/* Closes one listener, and the connections that came through it. */
void sock_unlisten(struct sock *sock, const char *url);

/* Accepts no more connections; those that are there live on. */
void sock_refuse(struct sock *sock);

/* Looks whether the listeners still answer and re-opens those that do not.  To be called every
 * SOCK_PROBE_MS; returns the number of listeners re-opened. */
#define SOCK_PROBE_MS 250
size_t sock_probe(struct sock *sock);

#endif
