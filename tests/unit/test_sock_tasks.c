/* test_sock_tasks.c - nng's callbacks come on one thread while they are to, and never not at all. */
#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>

#include "daemon/sock.h"
#include "tests/support/suite.h"

#define N_CALLS 64

static pthread_t callers[N_CALLS];
static atomic_size_t n_called;

static void called(void *arg)
{
    callers[(size_t)(uintptr_t)arg] = pthread_self();
    atomic_fetch_add(&n_called, 1);
}

/* All callbacks are queued before any is waited for. */
static void call_all(void)
{
    nng_aio *aios[N_CALLS];
    atomic_store(&n_called, 0);
    for (size_t i = 0; i < N_CALLS; i++) {
        ck_assert_int_eq(nng_aio_alloc(&aios[i], called, (void *)(uintptr_t)i), 0);
        ck_assert(nng_aio_begin(aios[i]));
        nng_aio_finish(aios[i], 0);
    }
    for (size_t i = 0; i < N_CALLS; i++) {
        nng_aio_wait(aios[i]);
        nng_aio_free(aios[i]);
    }
    ck_assert_uint_eq(atomic_load(&n_called), N_CALLS);
}

START_TEST(test_tasks_when_held_then_one_thread_calls_back)
{
    struct sock_tasks *tasks = sock_tasks_new();
    ck_assert_ptr_nonnull(tasks);
    for (int round = 0; round < 20; round++) {
        call_all();
        for (size_t i = 1; i < N_CALLS; i++)
            ck_assert(pthread_equal(callers[i], callers[0]));
    }
    sock_tasks_free(tasks);
    nng_fini(); /* all its threads come to their end */
}
END_TEST

START_TEST(test_tasks_when_held_twice_then_the_second_gives_way)
{
    struct sock_tasks *first = sock_tasks_new();
    struct sock_tasks *second = sock_tasks_new(); /* as with a build that has fewer threads */
    call_all();
    sock_tasks_free(second);
    call_all();
    sock_tasks_free(first);
    call_all();
    nng_fini();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_tasks_when_held_then_one_thread_calls_back,
        test_tasks_when_held_twice_then_the_second_gives_way,
        NULL,
    };
    return suite_run("sock_tasks", tests, 30);
}
