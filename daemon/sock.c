/* sock.c - one nng socket: its connections, and what it receives, replies and publishes.
 *
 *     nng's threads:  pipe events -> peers[]      receive -> on_message -> receive the next
 *     loop's thread:  sock_resume, sock_reply
 *
 * Life of a request (REP): a free place receives (one at a time, so that the order of arrival is
 * kept), on_message gets it with the place, the next free place receives; sock_reply sends and the
 * place is free again.  A client that goes away meanwhile: nng drops the reply.  PULL is the same
 * without places.  When on_message returns false nothing is received until sock_resume: the
 * producers' own queues fill, which is the back-pressure. */
#include "daemon/sock_priv.h"

#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int sock_fail(struct sock_error *reterr, const char *what, const char *which, int nng_code)
{
    snprintf(reterr->text, sizeof(reterr->text), "%s %s: %s", what, which, nng_strerror(nng_code));
    return -1;
}

/* ---- messages ----------------------------------------------------------------------------- */

sock_message *sock_message_new(size_t n_bytes)
{
    nng_msg *message;
    return nng_msg_alloc(&message, n_bytes) == 0 ? message : NULL;
}

void sock_message_free(sock_message *message)
{
    nng_msg_free(message);
}

unsigned char *sock_message_body(sock_message *message)
{
    return nng_msg_body(message);
}

size_t sock_message_bytes(const sock_message *message)
{
    return nng_msg_len(message);
}

void sock_message_cut(sock_message *message, size_t n_bytes)
{
    nng_msg_chop(message, nng_msg_len(message) - n_bytes);
}

/* ---- connections -------------------------------------------------------------------------- */

static size_t sock_peer_ix(const struct sock *sock, uint32_t pipe_id)
{
    size_t ix = 0;
    while (ix < sock->n_entered && sock->peers[ix].pipe_id != pipe_id)
        ix++;
    return ix;
}

static bool sock_peer_enter(struct sock *sock, uint32_t pipe_id)
{
    if (sock->n_entered == SOCK_PEERS_MAX || atomic_load(&sock->refuses))
        return false;
    struct sock_peer *peer = &sock->peers[sock->n_entered++];
    *peer = (struct sock_peer){.pipe_id = pipe_id};
    peer->n_before = atomic_load(&sock->n_published);
    return true;
}

static void sock_peer_leave(struct sock *sock, size_t ix)
{
    if (sock->peers[ix].counted)
        atomic_fetch_sub(&sock->n_peers, 1);
    sock->peers[ix] = sock->peers[--sock->n_entered];
}

static void sock_on_pipe(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    struct sock *sock = arg;
    uint32_t pipe_id = (uint32_t)nng_pipe_id(pipe);
    bool keep = true;
    pthread_mutex_lock(&sock->lock);
    size_t ix = sock_peer_ix(sock, pipe_id);
    if (event == NNG_PIPE_EV_ADD_PRE) {
        keep = sock_peer_enter(sock, pipe_id);
    } else if (event == NNG_PIPE_EV_ADD_POST && ix < sock->n_entered) {
        sock->peers[ix].counted = true;
        atomic_fetch_add(&sock->n_peers, 1);
        atomic_store(&sock->had_peer, true);
    } else if (event == NNG_PIPE_EV_REM_POST && ix < sock->n_entered) {
        sock_peer_leave(sock, ix);
    }
    pthread_mutex_unlock(&sock->lock);
    if (!keep)
        nng_pipe_close(pipe);
}

size_t sock_n_peers(const struct sock *sock)
{
    return atomic_load_explicit(&sock->n_peers, memory_order_relaxed);
}

bool sock_had_peer(const struct sock *sock)
{
    return atomic_load(&sock->had_peer);
}

void sock_refuse(struct sock *sock)
{
    atomic_store(&sock->refuses, true);
}

/* ---- receiving ---------------------------------------------------------------------------- */

/* With the lock held.  nng never calls back from within a receive. */
static void sock_arm(struct sock *sock)
{
    if (sock->deaf || !sock->wants || sock->receiving)
        return;
    if (sock->kind == SOCK_REP) {
        struct sock_reply *reply = sock->free_replies;
        if (reply == NULL)
            return;
        sock->free_replies = reply->next_free;
        reply->state = REPLY_RECEIVING;
        sock->receiving_reply = reply;
        sock->receiving = true;
        nng_ctx_recv(reply->ctx, reply->aio);
    } else {
        sock->receiving = true;
        nng_recv_aio(sock->nng, sock->aio);
    }
}

static void sock_reply_put(struct sock_reply *reply)
{
    reply->state = REPLY_FREE;
    reply->next_free = reply->sock->free_replies;
    reply->sock->free_replies = reply;
}

/* A receive has ended: `reply` is its place, NULL for PULL. */
static void sock_received(struct sock *sock, nng_aio *aio, struct sock_reply *reply)
{
    bool good = nng_aio_result(aio) == 0;
    bool go_on = false;
    if (good) {
        nng_msg *message = nng_aio_get_msg(aio);
        nng_aio_set_msg(aio, NULL);
        pthread_mutex_lock(&sock->lock);
        /* Before on_message: a sock_resume that comes while it runs must not be lost. */
        sock->wants = false;
        if (reply != NULL)
            reply->state = REPLY_HELD;
        pthread_mutex_unlock(&sock->lock);
        go_on = sock->on_message(sock->arg, sock, message, reply);
    }
    pthread_mutex_lock(&sock->lock);
    sock->receiving = false;
    sock->receiving_reply = NULL;
    if (!good && reply != NULL)
        sock_reply_put(reply);
    if (go_on)
        sock->wants = true;
    if (good)
        sock_arm(sock); /* after an error the next sock_resume does */
    pthread_mutex_unlock(&sock->lock);
}

static void sock_on_pull(void *arg)
{
    struct sock *sock = arg;
    sock_received(sock, sock->aio, NULL);
}

static void sock_replied(struct sock_reply *reply)
{
    struct sock *sock = reply->sock;
    if (nng_aio_result(reply->aio) != 0)
        nng_msg_free(nng_aio_get_msg(reply->aio));
    nng_aio_set_msg(reply->aio, NULL);
    pthread_mutex_lock(&sock->lock);
    sock->n_sending--;
    sock_reply_put(reply);
    sock_arm(sock);
    pthread_mutex_unlock(&sock->lock);
}

static void sock_on_reply(void *arg)
{
    struct sock_reply *reply = arg;
    pthread_mutex_lock(&reply->sock->lock);
    enum sock_reply_state state = reply->state;
    pthread_mutex_unlock(&reply->sock->lock);
    if (state == REPLY_RECEIVING)
        sock_received(reply->sock, reply->aio, reply);
    else
        sock_replied(reply);
}

void sock_resume(struct sock *sock)
{
    pthread_mutex_lock(&sock->lock);
    sock->wants = true;
    sock_arm(sock);
    pthread_mutex_unlock(&sock->lock);
}

void sock_deafen(struct sock *sock)
{
    if (sock->kind == SOCK_PUB)
        return;
    pthread_mutex_lock(&sock->lock);
    sock->deaf = true;
    struct sock_reply *reply = sock->receiving_reply;
    nng_aio *aio = reply != NULL ? reply->aio : sock->aio;
    pthread_mutex_unlock(&sock->lock);
    if (aio != NULL) {
        nng_aio_cancel(aio);
        nng_aio_wait(aio);
    }
}

/* ---- replying ----------------------------------------------------------------------------- */

void sock_reply(struct sock_reply *reply, sock_message *message)
{
    struct sock *sock = reply->sock;
    pthread_mutex_lock(&sock->lock);
    reply->state = REPLY_SENDING;
    sock->n_sending++;
    pthread_mutex_unlock(&sock->lock);
    nng_aio_set_msg(reply->aio, message);
    nng_ctx_send(reply->ctx, reply->aio);
}

bool sock_reply_is_of(const struct sock_reply *reply, const struct sock *sock)
{
    return reply->sock == sock;
}

void sock_give_up(struct sock_reply *reply)
{
    pthread_mutex_lock(&reply->sock->lock);
    sock_reply_put(reply);
    sock_arm(reply->sock);
    pthread_mutex_unlock(&reply->sock->lock);
}

size_t sock_n_unsent_replies(struct sock *sock)
{
    pthread_mutex_lock(&sock->lock);
    size_t n = sock->n_sending;
    pthread_mutex_unlock(&sock->lock);
    return n;
}

/* ---- opening and closing ------------------------------------------------------------------ */

static int sock_open_replies(struct sock *sock)
{
    int code = 0;
    sock->replies = calloc(SOCK_REPLIES, sizeof(*sock->replies));
    if (sock->replies == NULL)
        return NNG_ENOMEM;
    for (size_t i = 0; i < SOCK_REPLIES; i++) {
        struct sock_reply *reply = &sock->replies[i];
        reply->sock = sock;
        if ((code = nng_aio_alloc(&reply->aio, sock_on_reply, reply)) != 0 ||
            (code = nng_ctx_open(&reply->ctx, sock->nng)) != 0)
            return code;
        sock_reply_put(reply);
    }
    return 0;
}

static int sock_open_kind(struct sock *sock, size_t queue)
{
    int code = 0;
    switch (sock->kind) {
    case SOCK_PULL:
        if ((code = nng_pull0_open(&sock->nng)) != 0)
            return code;
        return nng_aio_alloc(&sock->aio, sock_on_pull, sock);
    case SOCK_REP:
        if ((code = nng_rep0_open(&sock->nng)) != 0)
            return code;
        return sock_open_replies(sock);
    case SOCK_PUB:
        if ((code = nng_pub0_open(&sock->nng)) != 0)
            return code;
        return nng_socket_set_int(sock->nng, NNG_OPT_SENDBUF, (int)queue);
    }
    return NNG_EINVAL;
}

static int sock_set_options(struct sock *sock, size_t recv_max_bytes)
{
    int code;
    if ((code = nng_socket_set_size(sock->nng, NNG_OPT_RECVMAXSZ, recv_max_bytes)) != 0 ||
        (code = nng_socket_set_bool(sock->nng, NNG_OPT_TCP_KEEPALIVE, true)) != 0)
        return code;
    for (int event = NNG_PIPE_EV_ADD_PRE; event < NNG_PIPE_EV_NUM; event++) {
        code = nng_pipe_notify(sock->nng, (nng_pipe_ev)event, sock_on_pipe, sock);
        if (code != 0)
            return code;
    }
    return 0;
}

int sock_set_recv_max(struct sock *sock, size_t recv_max_bytes, struct sock_error *reterr)
{
    int code = nng_socket_set_size(sock->nng, NNG_OPT_RECVMAXSZ, recv_max_bytes);
    return code == 0 ? 0 : sock_fail(reterr, "cannot change", "a socket's limit", code);
}

int sock_open(const struct sock_options *options, struct sock **ret_sock, struct sock_error *reterr)
{
    struct sock *sock = calloc(1, sizeof(*sock));
    if (sock == NULL)
        return sock_fail(reterr, "cannot open", "a socket", NNG_ENOMEM);
    pthread_mutex_init(&sock->lock, NULL);
    sock->kind = options->kind;
    sock->on_message = options->on_message;
    sock->arg = options->arg;
    sock->peers = calloc(SOCK_PEERS_MAX, sizeof(*sock->peers));
    int code = sock->peers != NULL ? sock_open_kind(sock, options->queue) : NNG_ENOMEM;
    if (code == 0)
        code = sock_set_options(sock, options->recv_max_bytes);
    if (code != 0) {
        sock_close(sock);
        return sock_fail(reterr, "cannot open", "a socket", code);
    }
    *ret_sock = sock;
    return 0;
}

void sock_close(struct sock *sock)
{
    if (sock == NULL)
        return;
    sock_deafen(sock);
    sock_listeners_close(sock);
    for (size_t i = 0; sock->replies != NULL && i < SOCK_REPLIES; i++)
        nng_aio_stop(sock->replies[i].aio);
    nng_aio_stop(sock->aio);
    if (nng_socket_id(sock->nng) > 0)
        nng_close(sock->nng);
    for (size_t i = 0; sock->replies != NULL && i < SOCK_REPLIES; i++) {
        if (sock->replies[i].aio != NULL)
            nng_msg_free(nng_aio_get_msg(sock->replies[i].aio));
        nng_aio_free(sock->replies[i].aio);
    }
    nng_aio_free(sock->aio);
    free(sock->replies);
    free(sock->peers);
    pthread_mutex_destroy(&sock->lock);
    free(sock);
}
