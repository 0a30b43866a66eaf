/* test_wake.c - no wake-up is lost, whenever it comes; few are written. */
#include "daemon/wake.h"

#include <pthread.h>

#include "tests/support/suite.h"

#define N_SENT 200000

struct counts {
    struct wake wake;
    atomic_uint sent;
    unsigned seen, n_calls, n_more;
};

static bool look(void *arg)
{
    struct counts *counts = arg;
    counts->n_calls++;
    counts->seen = atomic_load(&counts->sent);
    if (counts->seen == N_SENT)
        uv_stop(counts->wake.poll.loop);
    return counts->n_more > 0 && counts->n_more-- > 0;
}

static void *send_all(void *arg)
{
    struct counts *counts = arg;
    for (unsigned i = 0; i < N_SENT; i++) {
        atomic_fetch_add(&counts->sent, 1);
        wake_send(&counts->wake);
    }
    return NULL;
}

static void open_both(struct counts *counts, uv_loop_t *uv)
{
    *counts = (struct counts){.seen = 0};
    ck_assert_int_eq(uv_loop_init(uv), 0);
    ck_assert_int_eq(wake_open(&counts->wake, uv, look, counts), 0);
}

static void close_both(struct counts *counts, uv_loop_t *uv)
{
    uv_close((uv_handle_t *)&counts->wake.poll, NULL);
    uv_run(uv, UV_RUN_DEFAULT);
    wake_close(&counts->wake);
    ck_assert_int_eq(uv_loop_close(uv), 0);
}

/* One that were lost would leave the loop waiting: the test's deadline. */
START_TEST(test_wake_when_sent_at_any_time_then_seen)
{
    struct counts counts;
    uv_loop_t uv;
    pthread_t sender;
    open_both(&counts, &uv);
    ck_assert_int_eq(pthread_create(&sender, NULL, send_all, &counts), 0);
    uv_run(&uv, UV_RUN_DEFAULT);
    pthread_join(sender, NULL);
    ck_assert_uint_eq(counts.seen, N_SENT);
    close_both(&counts, &uv);
}
END_TEST

START_TEST(test_wake_when_there_is_more_to_do_then_called_again)
{
    struct counts counts;
    uv_loop_t uv;
    open_both(&counts, &uv);
    counts.n_more = 5;
    wake_send(&counts.wake);
    while (counts.n_more > 0)
        uv_run(&uv, UV_RUN_ONCE);
    ck_assert_uint_ge(counts.n_calls, 5);
    close_both(&counts, &uv);
}
END_TEST

START_TEST(test_wake_when_not_sent_then_not_called)
{
    struct counts counts;
    uv_loop_t uv;
    open_both(&counts, &uv);
    uv_run(&uv, UV_RUN_NOWAIT);
    ck_assert_uint_eq(counts.n_calls, 0);
    close_both(&counts, &uv);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_wake_when_sent_at_any_time_then_seen,
        test_wake_when_there_is_more_to_do_then_called_again,
        test_wake_when_not_sent_then_not_called,
        NULL,
    };
    return suite_run("wake", tests, 30);
}
