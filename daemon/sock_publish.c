/* sock_publish.c - a PUB socket's messages: sent, and known to be sent.
 *
 *     sock_publish --> nng: one queue per subscriber, the oldest lost --> kernel
 *
 * nng does not say what it has lost, but how many messages it has handed to the kernel for each
 * connection.  A subscriber that was handed as many as were published since it came has lost
 * nothing and waits for nothing; of one that has lost some, it is only known that nothing moves. */
#include <string.h>
#include <time.h>

#include "daemon/sock_priv.h"

sock_sender *sock_sender_new(void)
{
    nng_aio *aio;
    return nng_aio_alloc(&aio, NULL, NULL) == 0 ? aio : NULL;
}

void sock_sender_free(sock_sender *sender)
{
    nng_aio_free(sender);
}

void sock_publish(struct sock *sock, sock_sender *sender, sock_message *message)
{
    nng_aio_set_msg(sender, message);
    nng_send_aio(sock->nng, sender); /* ends before it returns: PUB never waits */
    nng_aio_wait(sender);
    if (nng_aio_result(sender) != 0)
        nng_msg_free(message);
    nng_aio_set_msg(sender, NULL);
    atomic_fetch_add(&sock->n_published, 1); /* after it: a connection entered now missed it */
}

static uint64_t sock_ms_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Messages that nng has handed to the kernel for one connection; false: nng does not know it. */
static bool sock_stat_sent(nng_stat *stats, uint32_t pipe_id, uint64_t *ret_n)
{
    for (nng_stat *stat = nng_stat_child(stats); stat != NULL; stat = nng_stat_next(stat)) {
        if (strcmp(nng_stat_name(stat), "pipe") != 0)
            continue;
        nng_stat *id = nng_stat_find(stat, "id");
        nng_stat *sent = nng_stat_find(stat, "tx_msgs");
        if (id == NULL || sent == NULL || (uint32_t)nng_stat_value(id) != pipe_id)
            continue;
        *ret_n = nng_stat_value(sent);
        return true;
    }
    return false;
}

static bool sock_peer_is_drained(const struct sock *sock, struct sock_peer *peer, nng_stat *stats,
                                 uint64_t now_ms, uint64_t stalled_ms)
{
    uint64_t n_sent;
    if (!peer->counted || !sock_stat_sent(stats, peer->pipe_id, &n_sent))
        return true;
    if (n_sent >= atomic_load(&sock->n_published) - peer->n_before)
        return true;
    if (n_sent != peer->n_sent || peer->sent_since_ms == 0) {
        peer->n_sent = n_sent;
        peer->sent_since_ms = now_ms;
    }
    return now_ms - peer->sent_since_ms >= stalled_ms;
}

bool sock_is_drained(struct sock *sock, uint64_t stalled_ms)
{
    nng_stat *stats;
    if (sock->kind != SOCK_PUB || sock_n_peers(sock) == 0 || nng_stats_get(&stats) != 0)
        return true;
    uint64_t now_ms = sock_ms_now();
    bool drained = true;
    pthread_mutex_lock(&sock->lock);
    for (size_t i = 0; i < sock->n_entered; i++)
        drained &= sock_peer_is_drained(sock, &sock->peers[i], stats, now_ms, stalled_ms);
    pthread_mutex_unlock(&sock->lock);
    nng_stats_free(stats);
    return drained;
}
