/* step.c - prints how long a timestep of a model takes: `step MODEL BATCH SECONDS`.
 *
 * BATCH streams are stepped together through the public interface; every tensor of every layer is
 * there afterwards, as it always is.  Output: quietest and median ns of the whole batch. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/celltap.h"
#include "tests/bench/clock.h"

#define STEP_BATCH_MAX 4096

struct step {
    celltap_panel *panel;
    celltap_stream *streams[STEP_BATCH_MAX];
    const float *x[STEP_BATCH_MAX];
    size_t n_streams, n_values;
};

static void step_once(void *context)
{
    struct step *step = context;
    celltap_step_many(step->panel, step->streams, step->x, step->n_streams, step->n_values);
}

int main(int argc, char **argv)
{
    static struct step step;
    struct celltap_diagnosis why = {"", "usage: step MODEL BATCH SECONDS"};
    celltap_model *model;
    if (argc != 4 || celltap_model_load(argv[1], &model, &why) != 0) {
        fprintf(stderr, "step: %s\n", why.text);
        return 1;
    }
    step.n_streams = strtoul(argv[2], NULL, 10);
    step.n_values = celltap_model_n_values(model);
    if (step.n_streams > STEP_BATCH_MAX ||
        celltap_panel_new(model, step.n_streams, &step.panel) != 0)
        return 1;
    float *values = calloc(step.n_streams * step.n_values, sizeof *values);
    for (size_t i = 0; i < step.n_streams; i++) {
        if (celltap_stream_new(model, &step.streams[i]) != 0)
            return 1;
        for (size_t j = 0; j < step.n_values; j++)
            values[i * step.n_values + j] = (float)((i * 7 + j * 5) % 17) / 8 - 1;
        step.x[i] = values + i * step.n_values;
    }
    struct clock_result result = clock_measure(step_once, &step, strtod(argv[3], NULL));
    printf("%.1f %.1f\n", result.quietest_ns, result.median_ns);
    for (size_t i = 0; i < step.n_streams; i++)
        celltap_stream_free(step.streams[i]);
    free(values);
    celltap_panel_free(step.panel);
    celltap_model_unref(model);
    return 0;
}
