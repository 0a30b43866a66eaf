/* replays.c - past timesteps computed again while the daemon runs, on a thread of low priority.
 *
 *     loop   --asked[]-->  thread: past_slice  --done[]-->  loop: reply
 *
 * Happy path: the loop puts a job in the ring of those asked for and posts the semaphore; the thread
 * makes its slice, puts the job in the ring of those done and writes to the descriptor that the loop
 * polls; the loop sends the reply.
 * Idle for a while, the thread closes what it kept open for next slices.  At the end of the daemon it
 * stops within a slice, and jobs that are left get no reply.
 *
 * The thread runs only where nobody else wants a processor (SCHED_IDLE), so it may be stopped
 * anywhere for long, and may hold nothing that others wait for: the rings have no lock, messages are
 * allocated by the loop (the heap has one), and uv_async_send, for whose end the loop spins, is not
 * called. */
#include "daemon/replays.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define REPLAYS_MOST   64 /* jobs at a time */
#define REPLAYS_NICE   19
#define REPLAYS_IDLE_S 5

struct replays_job {
    struct past_wish wish; /* its texts are owned */
    struct sock_reply *reply;
    sock_message *message; /* owned */
};

/* One thread puts, another takes; there are never more than fit. */
struct replays_ring {
    atomic_size_t n_put, n_taken;
    struct replays_job *jobs[REPLAYS_MOST];
};

struct replays {
    char *directory; /* owned */
    int fd;          /* owned; an eventfd */
    size_t n_jobs;   /* asked for and not answered */
    pthread_t thread;
    bool running;
    sem_t some; /* one for each job asked for, and one for the end */
    struct replays_ring asked, done;
    atomic_bool stopping;
    struct past *past; /* owned; the thread's */
};

static void ring_put(struct replays_ring *ring, struct replays_job *job)
{
    size_t n = atomic_load_explicit(&ring->n_put, memory_order_relaxed);
    ring->jobs[n % REPLAYS_MOST] = job;
    atomic_store_explicit(&ring->n_put, n + 1, memory_order_release);
}

static struct replays_job *ring_take(struct replays_ring *ring)
{
    size_t n = atomic_load_explicit(&ring->n_taken, memory_order_relaxed);
    if (n == atomic_load_explicit(&ring->n_put, memory_order_acquire))
        return NULL;
    struct replays_job *job = ring->jobs[n % REPLAYS_MOST];
    atomic_store_explicit(&ring->n_taken, n + 1, memory_order_release);
    return job;
}

static void job_free(struct replays_job *job)
{
    for (size_t i = 0; i < job->wish.layers.n; i++)
        free(job->wish.layers.items[i]);
    for (size_t i = 0; i < job->wish.tensors.n; i++)
        free(job->wish.tensors.items[i]);
    free(job->wish.layers.items);
    free(job->wish.tensors.items);
    sock_message_free(job->message);
    free(job);
}

/* ---- the thread ---------------------------------------------------------------------------- */

static void replays_lower_priority(void)
{
    struct sched_param none = {0};
    if (pthread_setschedparam(pthread_self(), SCHED_IDLE, &none) != 0)
        setpriority(PRIO_PROCESS, (id_t)gettid(), REPLAYS_NICE);
}

static void *replays_run(void *arg)
{
    struct replays *replays = arg;
    replays_lower_priority();
    while (!atomic_load(&replays->stopping)) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += REPLAYS_IDLE_S;
        if (sem_clockwait(&replays->some, CLOCK_MONOTONIC, &until) != 0)
            past_forget(replays->past);
        struct replays_job *job = ring_take(&replays->asked);
        if (job == NULL)
            continue;
        past_slice(replays->past, &job->wish, job->message);
        ring_put(&replays->done, job);
        eventfd_write(replays->fd, 1);
    }
    return NULL;
}

/* ---- the loop's ---------------------------------------------------------------------------- */

struct replays *replays_new(const char *directory)
{
    struct replays *replays = calloc(1, sizeof(*replays));
    if (replays == NULL)
        return NULL;
    sem_init(&replays->some, 0, 0);
    replays->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    replays->directory = strdup(directory);
    if (replays->directory != NULL)
        replays->past = past_new(replays->directory, &replays->stopping);
    replays->running = replays->past != NULL && replays->fd >= 0 &&
                       pthread_create(&replays->thread, NULL, replays_run, replays) == 0;
    if (replays->running)
        return replays;
    replays_free(replays);
    return NULL;
}

void replays_stop(struct replays *replays)
{
    struct replays_job *job;
    if (replays == NULL || !replays->running)
        return;
    atomic_store(&replays->stopping, true);
    sem_post(&replays->some);
    pthread_join(replays->thread, NULL);
    replays->running = false;
    while ((job = ring_take(&replays->asked)) != NULL ||
           (job = ring_take(&replays->done)) != NULL) {
        sock_give_up(job->reply);
        job_free(job);
    }
}

void replays_free(struct replays *replays)
{
    if (replays == NULL)
        return;
    replays_stop(replays);
    past_free(replays->past);
    sem_destroy(&replays->some);
    if (replays->fd >= 0)
        close(replays->fd);
    free(replays->directory);
    free(replays);
}

int replays_fd(const struct replays *replays)
{
    return replays->fd;
}

int replays_ask(struct replays *replays, const struct past_wish *wish, struct sock_reply *reply)
{
    struct replays_job *job;
    if (!replays->running || replays->n_jobs == REPLAYS_MOST ||
        (job = calloc(1, sizeof(*job))) == NULL)
        return -1;
    job->message = sock_message_new(PAST_MESSAGE_BYTES);
    if (job->message == NULL) {
        free(job);
        return -1;
    }
    job->wish = *wish;
    job->reply = reply;
    replays->n_jobs++;
    ring_put(&replays->asked, job);
    sem_post(&replays->some);
    return 0;
}

void replays_answer(struct replays *replays)
{
    struct replays_job *job;
    eventfd_t ignored;
    eventfd_read(replays->fd, &ignored);
    while ((job = ring_take(&replays->done)) != NULL) {
        sock_reply(job->reply, job->message);
        job->message = NULL;
        job_free(job);
        replays->n_jobs--;
    }
}
