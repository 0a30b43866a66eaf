/* sock_tasks.c - all but one of nng's task threads wait for the end.
 *
 *     threads   | callbacks | held | held | held |      nng 1.5.2: two per CPU, at most 16
 *
 * nng has one queue of callbacks and one lock for it.  A message is two callbacks (its length, its
 * body), each queued with the lock of its connection held: with several threads each of them wakes
 * another one on another CPU, and then both wait for each other's locks.  One thread takes a third
 * of the time and finds the second callback without a wake-up.  There is no option for their number,
 * so the others are given a callback that does not return until sock_tasks_free.
 *
 * A build of nng with fewer threads than that: not all callbacks start, or the last one, which asks
 * whether a thread is left, does not: then none is held. */
#include <nng/nng.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "daemon/sock.h"

#define TASKS_PER_CPU    2
#define TASKS_MAX        16
#define TASKS_DEADLINE_S 1

struct sock_tasks {
    pthread_mutex_t lock; /* guards all below but the aios */
    pthread_cond_t moved;
    size_t n_started;
    bool answered, over;
    nng_aio *question; /* owned */
    size_t n_held;
    nng_aio *held[TASKS_MAX]; /* owned */
};

static void tasks_hold(void *arg)
{
    struct sock_tasks *tasks = arg;
    pthread_mutex_lock(&tasks->lock);
    tasks->n_started++;
    pthread_cond_broadcast(&tasks->moved);
    while (!tasks->over)
        pthread_cond_wait(&tasks->moved, &tasks->lock);
    pthread_mutex_unlock(&tasks->lock);
}

static void tasks_answer(void *arg)
{
    struct sock_tasks *tasks = arg;
    pthread_mutex_lock(&tasks->lock);
    tasks->answered = true;
    pthread_cond_broadcast(&tasks->moved);
    pthread_mutex_unlock(&tasks->lock);
}

/* Queues the aio's callback. */
static void tasks_call(nng_aio *aio)
{
    if (nng_aio_begin(aio))
        nng_aio_finish(aio, 0);
}

static void tasks_release(struct sock_tasks *tasks)
{
    pthread_mutex_lock(&tasks->lock);
    tasks->over = true;
    pthread_cond_broadcast(&tasks->moved);
    pthread_mutex_unlock(&tasks->lock);
}

/* Until so many hold, and the question has been answered if it was asked; false: in vain. */
static bool tasks_wait(struct sock_tasks *tasks, bool asked)
{
    struct timespec until;
    int code = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += TASKS_DEADLINE_S;
    pthread_mutex_lock(&tasks->lock);
    while (code == 0 && (tasks->n_started < tasks->n_held || (asked && !tasks->answered)))
        code = pthread_cond_clockwait(&tasks->moved, &tasks->lock, CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&tasks->lock);
    return code == 0;
}

static bool tasks_start(struct sock_tasks *tasks, size_t n)
{
    if (nng_aio_alloc(&tasks->question, tasks_answer, tasks) != 0)
        return false;
    for (; tasks->n_held < n; tasks->n_held++)
        if (nng_aio_alloc(&tasks->held[tasks->n_held], tasks_hold, tasks) != 0)
            return false;
    for (size_t i = 0; i < n; i++)
        tasks_call(tasks->held[i]);
    if (!tasks_wait(tasks, false))
        return false;
    tasks_call(tasks->question);
    return tasks_wait(tasks, true);
}

struct sock_tasks *sock_tasks_new(void)
{
    struct sock_tasks *tasks = calloc(1, sizeof(*tasks));
    if (tasks == NULL)
        return NULL;
    pthread_mutex_init(&tasks->lock, NULL);
    pthread_cond_init(&tasks->moved, NULL);
    long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = n_cpus > 0 ? TASKS_PER_CPU * (size_t)n_cpus : 1;
    if (!tasks_start(tasks, (n < TASKS_MAX ? n : TASKS_MAX) - 1))
        tasks_release(tasks);
    return tasks;
}

void sock_tasks_free(struct sock_tasks *tasks)
{
    if (tasks == NULL)
        return;
    tasks_release(tasks);
    for (size_t i = 0; i < tasks->n_held; i++)
        nng_aio_free(tasks->held[i]);
    nng_aio_free(tasks->question);
    pthread_cond_destroy(&tasks->moved);
    pthread_mutex_destroy(&tasks->lock);
    free(tasks);
}
