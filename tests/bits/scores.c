/* scores.c - a watched network's scores as hashes, to be compared between machines.
 *
 *     x[4] = 2 channels, clock --LSTM of 12--> h, c --dense--> forecast[2]
 *
 * The model is made by hand, as loading one needs a library that is not there for every machine;
 * so the three functions of lib/model that the detector needs are here. */
#include "tests/bits/scores.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/model/model.h"
#include "lib/model/reservoir.h"
#include "tests/support/rig.h"

#define X       4
#define H       12
#define Y       2
#define STREAMS 5
#define WARMUP  64
#define FRAMES  400

enum { AT_X = 0, AT_LSTM = CELL_PAD, AT_Y = 7 * CELL_PAD, COLUMN = 8 * CELL_PAD };

celltap_model *celltap_model_ref(celltap_model *model)
{
    return model;
}

void celltap_model_unref(celltap_model *model)
{
    (void)model;
}

bool reservoir_is(const celltap_model *model)
{
    (void)model;
    return false;
}

static const struct model_tensor scores_x[] = {{"x", AT_X, X}}, scores_y[] = {{"y", AT_Y, Y}};
static const struct model_tensor scores_h[] = {{"h", AT_LSTM, H}, {"c", AT_LSTM + CELL_PAD, H}};
static const struct model_layer scores_layers[] = {
    {.name = "@input", .kind = "Input", .n_tensors = 1, .tensors = scores_x},
    {.name = "lstm", .kind = "LSTM", .n_tensors = 2, .tensors = scores_h},
    {.name = "@output", .kind = "Output", .n_tensors = 1, .tensors = scores_y},
};
static const struct model_input scores_frame[] = {{AT_X, X}};

static void scores_check(bool good)
{
    if (good)
        return;
    fprintf(stderr, "scores: it does not work\n");
    exit(1);
}

static void scores_cells(struct cell **ret_cells)
{
    uint64_t seed = 77;
    float *W = rig_floats(&seed, 4 * H * X, 0.5f), *R = rig_floats(&seed, 4 * H * H, 0.3f);
    float *B = rig_floats(&seed, 8 * H, 0.2f), *V = rig_floats(&seed, Y * H, 0.3f);
    struct lstm_spec lstm = {.n_inputs = X, .n_units = H, .W = W, .R = R, .B = B, .clip = INFINITY};
    struct dense_spec dense = {.n_inputs = H,
                               .n_outputs = Y,
                               .n_rows = 1,
                               .W = V,
                               .row_stride = H,
                               .column_stride = 1,
                               .scale = 1};
    lstm.f = (struct cell_activation){.function = CELL_SIGMOID};
    lstm.g = lstm.h = (struct cell_activation){.function = CELL_TANH};
    scores_check(lstm_new(&lstm, &ret_cells[0]) == 0 && dense_new(&dense, &ret_cells[1]) == 0);
    ret_cells[0]->in_at[0] = AT_X;
    ret_cells[0]->out_at = AT_LSTM;
    ret_cells[1]->in_at[0] = AT_LSTM;
    ret_cells[1]->out_at = AT_Y;
    free(W);
    free(R);
    free(B);
    free(V);
}

static uint64_t scores_hash(uint64_t hash, const void *bytes, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3;
    return hash;
}

/* Frames of calm waves with noise, holes, and a jump; each stream's of its own. */
static void scores_make(uint64_t *seed, size_t t, size_t s, float *ret_values)
{
    for (size_t k = 0; k < Y; k++) {
        float wave = (float)((t + 3 * s) % (9 + k)) * 0.3f;
        ret_values[k] = 20 + wave + rig_uniform(seed, -0.2f, 0.2f);
        if (rig_random(seed) % 40 == 0)
            ret_values[k] = NAN;
        if (t == 300 + s)
            ret_values[k] += 9;
    }
}

static uint64_t scores_run(celltap_model *model, const struct celltap_detector_options *options)
{
    celltap_stream *streams[STREAMS];
    celltap_panel *panel;
    float values[STREAMS][Y];
    const float *frames[STREAMS];
    uint64_t seed = 5, hash = 0;
    scores_check(celltap_panel_new(model, STREAMS, &panel) == 0);
    for (size_t s = 0; s < STREAMS; s++)
        scores_check(celltap_stream_new(model, &streams[s]) == 0 &&
                     celltap_stream_watch(streams[s], options, NULL) == 0);
    for (size_t t = 0; t < FRAMES; t++) {
        for (size_t s = 0; s < STREAMS; s++) {
            scores_make(&seed, t, s, values[s]);
            frames[s] = values[s];
            celltap_stream_at(streams[s], (int64_t)t * 60000000000);
        }
        size_t n = t % STREAMS + 1; /* so that they are due one by one */
        scores_check(celltap_step_many(panel, streams, frames, n, Y) == 0);
        for (size_t s = 0; s < n; s++) {
            const struct celltap_score *score = celltap_panel_score(panel, s);
            const double all[] = {score->score, score->g,         score->level,     score->s[0],
                                  score->s[1],  score->g_view[0], score->g_view[1], score->alarm};
            hash = scores_hash(hash, all, sizeof all);
        }
    }
    for (size_t s = 0; s < STREAMS; s++) {
        size_t n_bytes = celltap_stream_save_bytes(streams[s]);
        void *bytes = malloc(n_bytes);
        scores_check(bytes != NULL);
        celltap_stream_save(streams[s], bytes);
        hash = scores_hash(hash, bytes, n_bytes);
        free(bytes);
        celltap_stream_free(streams[s]);
    }
    celltap_panel_free(panel);
    return hash;
}

void scores_print(void)
{
    struct cell *cells[2];
    scores_cells(cells);
    float *initial = calloc(cells[0]->n_states + 1, sizeof *initial);
    scores_check(initial != NULL);
    struct celltap_model model = {
        .n_values = X,
        .n_inputs = 1,
        .inputs = scores_frame,
        .n_activations = COLUMN,
        .n_states = cells[0]->n_states,
        .initial = initial,
        .n_layers = 3,
        .layers = scores_layers,
        .n_cells = 2,
        .cells = cells,
    };
    for (enum celltap_scale scale = CELLTAP_SCALE_MODEL; scale <= CELLTAP_SCALE_NONE; scale++) {
        struct celltap_detector_options options;
        celltap_detector_defaults(&model, &options);
        options.warmup = WARMUP;
        options.scale = scale;
        options.clock = CELLTAP_CLOCK_DAY;
        printf("scores %d: %016" PRIx64 "\n", scale, scores_run(&model, &options));
    }
    cell_free(cells[0]);
    cell_free(cells[1]);
    free(initial);
}
