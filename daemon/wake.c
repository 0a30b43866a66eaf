/* wake.c - other threads wake the loop: one event descriptor, written only while the loop sleeps.
 *
 *     pending   false ----------- sleeps -----------> true: written, wakes up
 *               true  --- work --- false --- work ---> sleeps, or writes it itself: more to do
 *
 * While the loop works `pending` stays true, so that senders write nothing.  What they have left
 * before it became false is found by the second look, what they leave after it wakes the loop. */
#include "daemon/wake.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

void wake_send(struct wake *wake)
{
    static const uint64_t one = 1;
    if (!atomic_exchange(&wake->pending, true) && write(wake->fd, &one, sizeof(one)) < 0)
        atomic_store(&wake->pending, false); /* cannot be: the counter holds 2^64 - 2 */
}

static void wake_on_poll(uv_poll_t *poll, int status, int events)
{
    struct wake *wake = poll->data;
    uint64_t n;
    (void)status;
    (void)events;
    if (read(wake->fd, &n, sizeof(n)) < 0)
        return;
    bool more = wake->work(wake->arg);
    atomic_store(&wake->pending, false);
    more |= wake->work(wake->arg);
    if (more)
        wake_send(wake);
}

int wake_open(struct wake *wake, uv_loop_t *uv, bool (*work)(void *arg), void *arg)
{
    wake->work = work;
    wake->arg = arg;
    wake->poll.data = wake;
    wake->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake->fd < 0)
        return -1;
    uv_poll_init(uv, &wake->poll, wake->fd);
    return uv_poll_start(&wake->poll, UV_READABLE, wake_on_poll);
}

void wake_close(struct wake *wake)
{
    if (wake->fd > 0)
        close(wake->fd);
    wake->fd = 0;
}
