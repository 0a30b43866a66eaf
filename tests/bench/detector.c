/* detector.c - prints what a verdict adds to a timestep: `detector MODEL BATCH SECONDS`.
 *
 *     BATCH streams, each with its detector      x of a noisy wave, ready --celltap_step_many
 *                                                values of the same --input--> x --step--> verdict
 *
 * Output: ns of one stream's timestep without a detector, ns that the detector adds (quietest blocks),
 * bytes that a stream and its detector keep.  Everything goes through the public interface. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/celltap.h"
#include "tests/bench/clock.h"

#define DETECTOR_BATCH_MAX 64
#define DETECTOR_SERIES    4096 /* timesteps, then the same again */

struct watch {
    celltap_model *model;
    celltap_panel *panel;
    celltap_stream *streams[DETECTOR_BATCH_MAX];
    celltap_detector *detectors[DETECTOR_BATCH_MAX];
    const float *x[DETECTOR_BATCH_MAX];
    float *room, *values; /* [batch][n_values], [DETECTOR_SERIES][n_values] */
    size_t n_streams, n_values, t;
};

static const float *watch_values(struct watch *watch)
{
    return watch->values + watch->t++ % DETECTOR_SERIES * watch->n_values;
}

static void watch_step(void *context)
{
    struct watch *watch = context;
    const float *values = watch_values(watch);
    for (size_t i = 0; i < watch->n_streams; i++)
        watch->x[i] = values;
    celltap_step_many(watch->panel, watch->streams, watch->x, watch->n_streams, watch->n_values);
}

static void watch_judge(void *context)
{
    struct watch *watch = context;
    const float *values = watch_values(watch);
    struct celltap_score score;
    for (size_t i = 0; i < watch->n_streams; i++) {
        float *x = watch->room + i * watch->n_values;
        celltap_detector_input(watch->detectors[i], values, 0, x);
        watch->x[i] = x;
    }
    celltap_step_many(watch->panel, watch->streams, watch->x, watch->n_streams, watch->n_values);
    for (size_t i = 0; i < watch->n_streams; i++)
        celltap_detector_step(watch->detectors[i], watch->panel, i, values, &score);
}

static int watch_open(struct watch *watch)
{
    struct celltap_detector_options options;
    celltap_detector_defaults(watch->model, &options);
    if (watch->n_streams < 1 || watch->n_streams > DETECTOR_BATCH_MAX ||
        celltap_panel_new(watch->model, watch->n_streams, &watch->panel) != 0)
        return -1;
    for (size_t i = 0; i < watch->n_streams; i++)
        if (celltap_stream_new(watch->model, &watch->streams[i]) != 0 ||
            celltap_detector_new(watch->model, &options, &watch->detectors[i], NULL) != 0)
            return -1;
    watch->n_values = celltap_model_n_values(watch->model);
    watch->room = calloc(watch->n_streams * watch->n_values, sizeof *watch->room);
    watch->values = calloc(DETECTOR_SERIES * watch->n_values, sizeof *watch->values);
    unsigned noise = 1;
    for (size_t i = 0; i < DETECTOR_SERIES * watch->n_values; i++) {
        noise = noise * 1664525 + 1013904223;
        watch->values[i] = sinf((float)i / 9) + (float)(noise >> 16) / 65536 - 0.5f;
    }
    for (size_t i = 0; i < 3 * options.warmup; i++)
        watch_judge(watch);
    return 0;
}

static void watch_close(struct watch *watch)
{
    for (size_t i = 0; i < watch->n_streams; i++) {
        celltap_detector_free(watch->detectors[i]);
        celltap_stream_free(watch->streams[i]);
    }
    celltap_panel_free(watch->panel);
    celltap_model_unref(watch->model);
    free(watch->room);
    free(watch->values);
}

int main(int argc, char **argv)
{
    static struct watch watch;
    struct celltap_diagnosis why = {"", "usage: detector MODEL BATCH SECONDS"};
    if (argc != 4 || celltap_model_load(argv[1], &watch.model, &why) != 0) {
        fprintf(stderr, "detector: %s\n", why.text);
        return 1;
    }
    watch.n_streams = strtoul(argv[2], NULL, 10);
    if (watch_open(&watch) < 0)
        return 1;
    double seconds = strtod(argv[3], NULL) / 2, n = (double)watch.n_streams;
    double step_ns = clock_measure(watch_step, &watch, seconds).quietest_ns / n;
    double judge_ns = clock_measure(watch_judge, &watch, seconds).quietest_ns / n;
    printf("%.1f %.1f %zu\n", step_ns, judge_ns - step_ns,
           celltap_model_state_bytes(watch.model) + celltap_detector_bytes(watch.detectors[0]));
    watch_close(&watch);
    return 0;
}
