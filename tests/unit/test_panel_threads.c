/* test_panel_threads.c - two threads, one model: each steps its own streams and gets the bits that
 * one thread alone gets.  Under the thread sanitizer it also shows that they share nothing else. */
#include <pthread.h>
#include <string.h>

#include "lib/celltap.h"
#include "tests/support/suite.h"

#define THREADS_MODEL     "config/demo/demo.onnx" /* from the top of the source tree */
#define THREADS_STREAMS   3
#define THREADS_TIMESTEPS 200
#define THREADS_KEPT      16 /* values of the last layer that are compared */

struct worker {
    celltap_model *model;
    float last[THREADS_STREAMS][THREADS_KEPT];
    int err;
};

/* Steps, and now and then closes a stream and opens it again: references are counted meanwhile. */
static void *worker_run(void *arg)
{
    struct worker *worker = arg;
    celltap_model *model = celltap_model_ref(worker->model);
    celltap_stream *streams[THREADS_STREAMS] = {NULL};
    const float *frames[THREADS_STREAMS];
    float x[THREADS_STREAMS];
    celltap_panel *panel = NULL;
    size_t layer_ix = celltap_model_n_layers(model) - 1;
    size_t n = celltap_tensor_size(model, layer_ix, 0);
    worker->err = celltap_panel_new(model, THREADS_STREAMS, &panel);
    for (size_t i = 0; i < THREADS_STREAMS && worker->err == 0; i++) {
        worker->err = celltap_stream_new(model, &streams[i]);
        frames[i] = &x[i];
    }
    for (size_t t = 0; t < THREADS_TIMESTEPS && worker->err == 0; t++) {
        if (t % 50 == 49) {
            celltap_stream_free(streams[0]);
            streams[0] = NULL;
            worker->err = celltap_stream_new(model, &streams[0]);
        }
        for (size_t i = 0; i < THREADS_STREAMS; i++)
            x[i] = (float)((t * 7 + i * 3) % 11) / 10;
        if (worker->err == 0)
            worker->err = celltap_step_many(panel, streams, frames, THREADS_STREAMS, 1);
    }
    for (size_t i = 0; i < THREADS_STREAMS; i++) {
        if (worker->err == 0)
            memcpy(worker->last[i], celltap_panel_tensor(panel, i, layer_ix, 0),
                   (n < THREADS_KEPT ? n : THREADS_KEPT) * sizeof(float));
        celltap_stream_free(streams[i]);
    }
    celltap_panel_free(panel);
    celltap_model_unref(model);
    return NULL;
}

START_TEST(test_model_when_shared_by_two_threads_then_bits_are_those_of_one)
{
    struct worker alone = {.err = 0}, first = {.err = 0}, second = {.err = 0};
    celltap_model *model = NULL;
    pthread_t threads[2];
    ck_assert_int_eq(celltap_model_load(THREADS_MODEL, &model, NULL), 0);
    ck_assert_uint_eq(celltap_model_n_values(model), 1);
    alone.model = first.model = second.model = model;
    ck_assert_int_eq(pthread_create(&threads[0], NULL, worker_run, &first), 0);
    ck_assert_int_eq(pthread_create(&threads[1], NULL, worker_run, &second), 0);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    worker_run(&alone);
    celltap_model_unref(model);
    ck_assert(alone.err == 0 && first.err == 0 && second.err == 0);
    ck_assert(alone.last[1][0] != alone.last[2][0]); /* streams are told apart */
    ck_assert_mem_eq(first.last, alone.last, sizeof alone.last);
    ck_assert_mem_eq(second.last, alone.last, sizeof alone.last);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_model_when_shared_by_two_threads_then_bits_are_those_of_one,
        NULL,
    };
    return suite_run("panel_threads", tests, 30);
}
