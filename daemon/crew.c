/* crew.c - threads that share one piece of work at a time with the thread that asks for it.
 *
 *     crew_run   n_runs + 1, n_busy = n - 1 --begin--> members: their shares; n_busy - 1 each
 *                the first share                       the last: --end--> crew_run returns
 *
 * One lock and two conditions: a turn that is worth sharing takes so much longer than waking that
 * nobody spins.  crew_new fails: the members that run are told to leave, and joined. */
#include "daemon/crew.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct crew_member {
    struct crew *crew; /* borrowed */
    size_t share_ix;
    pthread_t thread;
};

struct crew {
    pthread_mutex_t lock; /* guards all below but the members */
    pthread_cond_t begin, end;
    uint64_t n_runs;
    size_t n_busy;
    bool leaving;
    void (*work)(void *arg, size_t share_ix);
    void *arg;
    size_t n_members;
    struct crew_member members[];
};

static void *crew_live(void *arg)
{
    struct crew_member *member = arg;
    struct crew *crew = member->crew;
    uint64_t n_runs = 0;
    pthread_mutex_lock(&crew->lock);
    for (;;) {
        while (crew->n_runs == n_runs && !crew->leaving)
            pthread_cond_wait(&crew->begin, &crew->lock);
        if (crew->leaving)
            break;
        n_runs = crew->n_runs;
        pthread_mutex_unlock(&crew->lock);
        crew->work(crew->arg, member->share_ix);
        pthread_mutex_lock(&crew->lock);
        if (--crew->n_busy == 0)
            pthread_cond_signal(&crew->end);
    }
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

struct crew *crew_new(size_t n_shares)
{
    sigset_t all, before;
    struct crew *crew = calloc(1, sizeof(*crew) + n_shares * sizeof(crew->members[0]));
    if (crew == NULL)
        return NULL;
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->begin, NULL);
    pthread_cond_init(&crew->end, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* a new thread has its maker's */
    int code = 0;
    while (code == 0 && crew->n_members + 1 < n_shares) {
        struct crew_member *member = &crew->members[crew->n_members];
        *member = (struct crew_member){.crew = crew, .share_ix = crew->n_members + 1};
        code = pthread_create(&member->thread, NULL, crew_live, member);
        crew->n_members += code == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code == 0)
        return crew;
    crew_free(crew);
    return NULL;
}

void crew_free(struct crew *crew)
{
    if (crew == NULL)
        return;
    pthread_mutex_lock(&crew->lock);
    crew->leaving = true;
    pthread_cond_broadcast(&crew->begin);
    pthread_mutex_unlock(&crew->lock);
    for (size_t i = 0; i < crew->n_members; i++)
        pthread_join(crew->members[i].thread, NULL);
    pthread_cond_destroy(&crew->begin);
    pthread_cond_destroy(&crew->end);
    pthread_mutex_destroy(&crew->lock);
    free(crew);
}

void crew_run(struct crew *crew, void (*work)(void *arg, size_t share_ix), void *arg)
{
    pthread_mutex_lock(&crew->lock);
    crew->work = work;
    crew->arg = arg;
    crew->n_busy = crew->n_members;
    crew->n_runs++;
    pthread_cond_broadcast(&crew->begin);
    pthread_mutex_unlock(&crew->lock);
    work(arg, 0);
    pthread_mutex_lock(&crew->lock);
    while (crew->n_busy > 0)
        pthread_cond_wait(&crew->end, &crew->lock);
    pthread_mutex_unlock(&crew->lock);
}
