/* test_panel.c - stepping: what lands where, what is refused, and that nothing is allocated. */
#include "lib/base/alloc.h"
#include "lib/stream/stream.h"
#include "tests/support/suite.h"
#include "tests/support/toy.h"

#define PANEL_STREAMS 4

/* A toy, its panel and a few streams. */
struct bench {
    struct toy toy;
    celltap_panel *panel;
    celltap_stream *streams[PANEL_STREAMS];
};

static void bench_init(struct bench *bench, size_t width)
{
    toy_init(&bench->toy);
    ck_assert_int_eq(celltap_panel_new(&bench->toy.model, width, &bench->panel), 0);
    for (size_t i = 0; i < PANEL_STREAMS; i++)
        ck_assert_int_eq(celltap_stream_new(&bench->toy.model, &bench->streams[i]), 0);
}

static void bench_done(struct bench *bench)
{
    for (size_t i = 0; i < PANEL_STREAMS; i++)
        celltap_stream_free(bench->streams[i]);
    celltap_panel_free(bench->panel);
    ck_assert_uint_eq(bench->toy.model.n_refs, 1);
}

START_TEST(test_step_when_called_then_panel_shows_the_timestep)
{
    struct bench bench;
    bench_init(&bench, 1);
    const float x[] = {1, 2, 3};
    ck_assert_int_eq(celltap_step(bench.panel, bench.streams[0], x, 3), 0);
    ck_assert_int_eq(celltap_step(bench.panel, bench.streams[0], x, 3), 0);
    const float *a = celltap_panel_tensor(bench.panel, 0, TOY_LAYER_INPUT, TOY_INPUT_A);
    const float *b = celltap_panel_tensor(bench.panel, 0, TOY_LAYER_INPUT, TOY_INPUT_B);
    const float *h = celltap_panel_tensor(bench.panel, 0, TOY_LAYER_SUM, TOY_SUM_H);
    const float *y = celltap_panel_tensor(bench.panel, 0, TOY_LAYER_SUM, TOY_SUM_OUTPUT);
    ck_assert(a[0] == 1 && a[1] == 2 && b[0] == 3);
    ck_assert(h[0] == TOY_INITIAL + 2 && h[1] == 4 && h[2] == 6);
    ck_assert(y[0] == TOY_INITIAL + 12);
    ck_assert_uint_eq((uintptr_t)h % ALLOC_ALIGN, 0);
    bench_done(&bench);
}
END_TEST

START_TEST(test_step_many_when_called_then_column_i_is_stream_i)
{
    struct bench bench;
    bench_init(&bench, PANEL_STREAMS + 1);
    float frames[PANEL_STREAMS][TOY_N_VALUES];
    const float *x[PANEL_STREAMS];
    for (size_t i = 0; i < PANEL_STREAMS; i++) {
        for (size_t j = 0; j < TOY_N_VALUES; j++)
            frames[i][j] = (float)(10 * i + j);
        x[i] = frames[i];
    }
    ck_assert_int_eq(celltap_step_many(bench.panel, bench.streams, x, PANEL_STREAMS, 3), 0);
    ck_assert_uint_eq(bench.toy.n_steps, 1);
    for (size_t i = 0; i < PANEL_STREAMS; i++) {
        const float *h = celltap_panel_tensor(bench.panel, i, TOY_LAYER_SUM, TOY_SUM_H);
        ck_assert(h[0] == TOY_INITIAL + frames[i][0] && h[1] == frames[i][1]);
        ck_assert(h[2] == frames[i][2] && bench.streams[i]->states[2] == frames[i][2]);
    }
    bench_done(&bench);
}
END_TEST

/* Each refusal leaves states, columns and marks as they were. */
START_TEST(test_step_many_when_argument_is_wrong_then_nothing_changes)
{
    struct bench bench;
    struct toy other;
    celltap_stream *foreign = NULL;
    bench_init(&bench, 3);
    toy_init(&other);
    celltap_stream_new(&other.model, &foreign);
    const float frame[] = {1, 2, 3};
    const float *x[] = {frame, frame, frame, frame}, *no_x[] = {frame, NULL, frame};
    celltap_stream **s = bench.streams;
    celltap_stream *twice[] = {s[0], s[1], s[0]}, *strange[] = {s[0], foreign, s[1]};
    celltap_stream *none[] = {s[0], NULL, s[1]};
    ck_assert_int_eq(celltap_step_many(bench.panel, s, x, 3, 2), CELLTAP_ELENGTH);
    ck_assert_int_eq(celltap_step_many(bench.panel, s, x, 3, 4), CELLTAP_ELENGTH);
    ck_assert_int_eq(celltap_step_many(bench.panel, s, x, 4, 3), CELLTAP_EINVAL);
    ck_assert_int_eq(celltap_step_many(bench.panel, twice, x, 3, 3), CELLTAP_EINVAL);
    ck_assert_int_eq(celltap_step_many(bench.panel, strange, x, 3, 3), CELLTAP_EINVAL);
    ck_assert_int_eq(celltap_step_many(bench.panel, none, x, 3, 3), CELLTAP_EINVAL);
    ck_assert_int_eq(celltap_step_many(bench.panel, s, no_x, 3, 3), CELLTAP_EINVAL);
    ck_assert_int_eq(celltap_step(bench.panel, foreign, frame, 3), CELLTAP_EINVAL);
    ck_assert_uint_eq(bench.toy.n_steps + other.n_steps, 0);
    for (size_t i = 0; i < PANEL_STREAMS; i++)
        ck_assert_mem_eq(s[i]->states, bench.toy.initial, sizeof bench.toy.initial);
    ck_assert(celltap_panel_tensor(bench.panel, 0, TOY_LAYER_INPUT, TOY_INPUT_A)[0] == 0);
    ck_assert_int_eq(celltap_step_many(bench.panel, s, x, 3, 3), 0);
    celltap_stream_free(foreign);
    bench_done(&bench);
}
END_TEST

START_TEST(test_step_many_when_there_are_no_streams_then_does_nothing)
{
    struct bench bench;
    bench_init(&bench, 1);
    ck_assert_int_eq(celltap_step_many(bench.panel, NULL, NULL, 0, 3), 0);
    ck_assert_uint_eq(bench.toy.n_steps, 0);
    bench_done(&bench);
}
END_TEST

START_TEST(test_step_when_memory_is_out_then_still_works)
{
    struct bench bench;
    bench_init(&bench, PANEL_STREAMS);
    const float frame[] = {1, 2, 3};
    const float *x[] = {frame, frame, frame, frame};
    alloc_fail_after(0);
    int err = celltap_step(bench.panel, bench.streams[0], frame, 3);
    int err_many = celltap_step_many(bench.panel, bench.streams, x, PANEL_STREAMS, 3);
    celltap_stream_reset(bench.streams[0]);
    alloc_fail_after(-1);
    ck_assert_int_eq(err, 0);
    ck_assert_int_eq(err_many, 0);
    bench_done(&bench);
}
END_TEST

START_TEST(test_panel_when_width_is_wrong_or_memory_out_then_nothing_is_kept)
{
    struct toy toy;
    toy_init(&toy);
    celltap_panel *panel = NULL;
    ck_assert_int_eq(celltap_panel_new(&toy.model, 0, &panel), CELLTAP_EINVAL);
    ck_assert_int_eq(celltap_panel_new(&toy.model, 4097, &panel), CELLTAP_EINVAL);
    ck_assert_int_eq(celltap_panel_new(NULL, 1, &panel), CELLTAP_EINVAL);
    alloc_fail_after(0);
    int err = celltap_panel_new(&toy.model, 1, &panel);
    alloc_fail_after(-1);
    ck_assert_int_eq(err, CELLTAP_ENOMEM);
    toy.model.n_activations = SIZE_MAX / 64;
    ck_assert_int_eq(celltap_panel_new(&toy.model, 4096, &panel), CELLTAP_ENOMEM);
    ck_assert_ptr_null(panel);
    ck_assert_uint_eq(toy.model.n_refs, 1);
    celltap_panel_free(NULL);
}
END_TEST

START_TEST(test_panel_tensor_when_index_is_out_of_range_then_is_null)
{
    struct bench bench;
    bench_init(&bench, 2);
    ck_assert_ptr_nonnull(celltap_panel_tensor(bench.panel, 1, TOY_LAYER_SUM, TOY_SUM_H));
    ck_assert_ptr_null(celltap_panel_tensor(bench.panel, 2, TOY_LAYER_SUM, TOY_SUM_H));
    ck_assert_ptr_null(celltap_panel_tensor(bench.panel, 0, TOY_N_LAYERS, 0));
    ck_assert_ptr_null(celltap_panel_tensor(bench.panel, 0, TOY_LAYER_SUM, 2));
    bench_done(&bench);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_step_when_called_then_panel_shows_the_timestep,
        test_step_many_when_called_then_column_i_is_stream_i,
        test_step_many_when_argument_is_wrong_then_nothing_changes,
        test_step_many_when_there_are_no_streams_then_does_nothing,
        test_step_when_memory_is_out_then_still_works,
        test_panel_when_width_is_wrong_or_memory_out_then_nothing_is_kept,
        test_panel_tensor_when_index_is_out_of_range_then_is_null,
        NULL,
    };
    return suite_run("panel", tests, 4);
}
