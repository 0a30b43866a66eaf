/* intake.c - messages on their way from nng's threads to the loop: a bounded ring.
 *
 *     ring[n_slots]:  . . | oldest ... newest | . .        n_slots = max_messages + INTAKE_SOCKS
 *
 * A socket delivers one message at a time and stops when intake_push says that it is full, so
 * beyond the limits at most one message of each socket can come: the ring has room for those. */
#include "daemon/intake.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct intake {
    pthread_mutex_t lock; /* guards the ring and its counts */
    size_t n_slots, first, n;
    size_t n_bytes;
    uint64_t n_arrived;
    bool paused; /* some socket was told to wait */
    size_t max_messages, max_bytes;
    void (*wake)(void *arg);
    void *arg;
    struct sock *socks[INTAKE_SOCKS]; /* borrowed; the loop's thread only */
    size_t n_socks;
    struct intake_message ring[];
};

struct intake *intake_new(size_t max_messages, size_t max_bytes, void (*wake)(void *arg), void *arg)
{
    size_t n_slots = max_messages + INTAKE_SOCKS;
    struct intake *intake = calloc(1, sizeof(*intake) + n_slots * sizeof(intake->ring[0]));
    if (intake == NULL)
        return NULL;
    pthread_mutex_init(&intake->lock, NULL);
    intake->n_slots = n_slots;
    intake->max_messages = max_messages;
    intake->max_bytes = max_bytes;
    intake->wake = wake;
    intake->arg = arg;
    return intake;
}

void intake_free(struct intake *intake)
{
    struct intake_message left;
    if (intake == NULL)
        return;
    while (intake_take(intake, &left))
        sock_message_free(left.message);
    pthread_mutex_destroy(&intake->lock);
    free(intake);
}

static bool intake_is_full(const struct intake *intake)
{
    return intake->n >= intake->max_messages || intake->n_bytes >= intake->max_bytes;
}

bool intake_push(void *arg, struct sock *sock, sock_message *message, struct sock_reply *reply)
{
    struct intake *intake = arg;
    struct timespec now;
    (void)sock;
    clock_gettime(CLOCK_REALTIME, &now);
    pthread_mutex_lock(&intake->lock);
    struct intake_message *slot = &intake->ring[(intake->first + intake->n) % intake->n_slots];
    *slot = (struct intake_message){
        .message = message,
        .reply = reply,
        .arrived_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
    };
    intake->n++;
    intake->n_arrived++;
    intake->n_bytes += sock_message_bytes(message);
    bool room = !intake_is_full(intake);
    if (!room)
        intake->paused = true;
    bool first = intake->n == 1;
    pthread_mutex_unlock(&intake->lock);
    if (first)
        intake->wake(intake->arg); /* the loop takes until it is empty */
    return room;
}

bool intake_take(struct intake *intake, struct intake_message *ret_message)
{
    pthread_mutex_lock(&intake->lock);
    bool some = intake->n > 0;
    bool resume = false;
    if (some) {
        *ret_message = intake->ring[intake->first];
        intake->first = (intake->first + 1) % intake->n_slots;
        intake->n--;
        intake->n_bytes -= sock_message_bytes(ret_message->message);
        resume = intake->paused && intake->n <= intake->max_messages / 2 &&
                 intake->n_bytes <= intake->max_bytes / 2;
        if (resume)
            intake->paused = false;
    }
    pthread_mutex_unlock(&intake->lock);
    if (resume)
        for (size_t i = 0; i < intake->n_socks; i++)
            sock_resume(intake->socks[i]);
    return some;
}

int intake_add(struct intake *intake, struct sock *sock)
{
    if (intake->n_socks == INTAKE_SOCKS)
        return -1;
    intake->socks[intake->n_socks++] = sock;
    return 0;
}

void intake_remove(struct intake *intake, struct sock *sock)
{
    for (size_t i = 0; i < intake->n_socks; i++)
        if (intake->socks[i] == sock)
            intake->socks[i--] = intake->socks[--intake->n_socks];
}

struct intake_level intake_level(struct intake *intake)
{
    pthread_mutex_lock(&intake->lock);
    struct intake_level level = {intake->n, intake->n_bytes, intake->n_arrived};
    pthread_mutex_unlock(&intake->lock);
    return level;
}

void intake_resume(struct intake *intake)
{
    pthread_mutex_lock(&intake->lock);
    bool full = intake_is_full(intake);
    pthread_mutex_unlock(&intake->lock);
    for (size_t i = 0; !full && i < intake->n_socks; i++)
        sock_resume(intake->socks[i]);
}
