/* test_stream.c - a stream's states: where they start, what they cost, who holds the model. */
#include "lib/base/alloc.h"
#include "lib/stream/stream.h"
#include "tests/support/suite.h"
#include "tests/support/toy.h"

START_TEST(test_stream_when_new_then_has_initial_states)
{
    struct toy toy;
    toy_init(&toy);
    celltap_stream *stream = NULL;
    ck_assert_int_eq(celltap_stream_new(&toy.model, &stream), 0);
    ck_assert(stream->states[0] == TOY_INITIAL);
    ck_assert(stream->states[1] == 0);
    ck_assert_uint_eq((uintptr_t)stream->states % ALLOC_ALIGN, 0);
    celltap_stream_free(stream);
}
END_TEST

START_TEST(test_stream_when_reset_then_is_like_new)
{
    struct toy toy;
    toy_init(&toy);
    celltap_stream *stream = NULL;
    celltap_stream_new(&toy.model, &stream);
    for (size_t i = 0; i < toy.model.n_states; i++)
        stream->states[i] = 7;
    celltap_stream_reset(stream);
    ck_assert_mem_eq(stream->states, toy.initial, sizeof toy.initial);
    celltap_stream_free(stream);
}
END_TEST

START_TEST(test_stream_when_alive_then_holds_one_reference)
{
    struct toy toy;
    toy_init(&toy);
    celltap_stream *stream = NULL;
    celltap_stream_new(&toy.model, &stream);
    ck_assert_uint_eq(toy.model.n_refs, 2);
    celltap_stream_free(stream);
    ck_assert_uint_eq(toy.model.n_refs, 1);
    celltap_stream_free(NULL);
}
END_TEST

START_TEST(test_stream_when_memory_is_out_then_nothing_is_kept)
{
    struct toy toy;
    toy_init(&toy);
    celltap_stream *stream = NULL;
    long alive = alloc_n_alive();
    alloc_fail_after(0);
    int err = celltap_stream_new(&toy.model, &stream);
    alloc_fail_after(-1);
    ck_assert_int_eq(err, CELLTAP_ENOMEM);
    ck_assert_ptr_null(stream);
    ck_assert_uint_eq(toy.model.n_refs, 1);
    ck_assert_int_eq(alloc_n_alive(), alive);
}
END_TEST

START_TEST(test_stream_when_model_is_too_large_then_is_refused)
{
    struct toy toy;
    toy_init(&toy);
    toy.model.n_states = SIZE_MAX / 2;
    celltap_stream *stream = NULL;
    ck_assert_int_eq(celltap_stream_new(&toy.model, &stream), CELLTAP_ENOMEM);
    ck_assert_int_eq(celltap_stream_new(NULL, &stream), CELLTAP_EINVAL);
}
END_TEST

START_TEST(test_stream_when_model_keeps_nothing_then_still_works)
{
    struct toy toy;
    toy_init(&toy);
    toy.model.n_states = 0;
    toy.model.initial = NULL;
    celltap_stream *stream = NULL;
    ck_assert_int_eq(celltap_stream_new(&toy.model, &stream), 0);
    celltap_stream_reset(stream);
    celltap_stream_free(stream);
}
END_TEST

/* 100,000 idle streams of 16 -> LSTM 64 -> LSTM 64 -> 4 (256 floats each) fit in 200 MiB. */
START_TEST(test_stream_when_idle_then_costs_states_and_a_cache_line)
{
    struct toy toy;
    toy_init(&toy);
    static const float initial[256];
    toy.model.n_states = 256;
    toy.model.initial = initial;
    ck_assert_uint_eq(sizeof(struct celltap_stream), ALLOC_ALIGN);
    long alive = alloc_n_alive();
    celltap_stream *stream = NULL;
    celltap_stream_new(&toy.model, &stream);
    ck_assert_int_eq(alloc_n_alive(), alive + 1);
    celltap_stream_free(stream);
    ck_assert_int_eq(alloc_n_alive(), alive);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_stream_when_new_then_has_initial_states,
        test_stream_when_reset_then_is_like_new,
        test_stream_when_alive_then_holds_one_reference,
        test_stream_when_memory_is_out_then_nothing_is_kept,
        test_stream_when_model_is_too_large_then_is_refused,
        test_stream_when_model_keeps_nothing_then_still_works,
        test_stream_when_idle_then_costs_states_and_a_cache_line,
        NULL,
    };
    return suite_run("stream", tests, 4);
}
