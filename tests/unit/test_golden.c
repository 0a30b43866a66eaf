/* test_golden.c - every tensor of every golden network against float64, over 10,000 timesteps.
 *
 *     tests/golden/<network>/layers.txt   names, kinds, sizes and columns of all layers
 *                            golden.bin   float64, one row for each stored timestep
 *                            *.onnx       graphs; all must load as those layers: the first is
 *                                         stepped through all timesteps, the others through 1000
 *
 * make_golden.py and oracle.py made the files and say how.  The inputs are not stored: reading()
 * makes them from the seed, bit for bit as oracle.py does.  Only celltap.h is used.
 *
 * CELLTAP_SHORT=1: fewer timesteps, for valgrind. */
#include <check.h>
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/celltap.h"

#define GOLDEN_DIR      "tests/golden"
#define TOLERANCE       2e-6  /* absolute, of the numerics contract */
#define N_TIMESTEPS     10000 /* as oracle.py */
#define N_OTHERS        1000  /* of a network's other graphs */
#define N_SHORT         HEAD  /* all of them stored */
#define HEAD            16
#define STRIDE          193
#define N_LAYERS_MAX    64
#define N_TENSORS_MAX   64
#define N_NETWORKS_MAX  64
#define N_GRAPHS_MAX    64
#define NAME_BYTES      128
#define PATH_BYTES      512
#define UNTIL_WRONG_MIN 1e-3 /* an answer made wrong on purpose is at least this far off */

struct tensor {
    char name[NAME_BYTES];
    size_t n, at; /* values, first column of a golden row */
};

struct layer {
    char name[NAME_BYTES], kind[NAME_BYTES];
    size_t n_tensors;
    struct tensor tensors[N_TENSORS_MAX];
};

struct golden {
    size_t n_values, n_row, n_layers;
    uint64_t seed;
    struct layer layers[N_LAYERS_MAX];
    double *rows; /* owned: [stored timesteps][n_row] */
};

static char networks[N_NETWORKS_MAX][NAME_BYTES];
static int n_networks;

/* ---- inputs -----------------------------------------------------------------------------------
 */

static uint64_t splitmix64(uint64_t counter)
{
    uint64_t z = counter * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Value k of n at timestep t: noise, the sum of twelve 16 bit uniforms, on a triangular drift. */
static float reading(uint64_t seed, size_t t, size_t k, size_t n)
{
    uint64_t index = (seed << 32) + (t * n + k) * 3;
    int64_t sum = -6 * 65536;
    for (uint64_t word = 1; word <= 3; word++)
        for (int shift = 0; shift < 64; shift += 16)
            sum += (int64_t)(splitmix64(index + word) >> shift & 0xFFFF);
    int64_t half = 1000 + 256 * (int64_t)k;
    int64_t phase = (int64_t)(t + 700 * k) % (2 * half);
    int64_t triangle = phase < half ? phase : 2 * half - phase;
    return (float)(sum + triangle * 131072 / half - 65536) / 65536.0f;
}

static bool stored(size_t t)
{
    return t < HEAD || t >= N_TIMESTEPS - HEAD || t % STRIDE == 0;
}

/* ---- golden files -----------------------------------------------------------------------------
 */

static void read_layers(const char *path, struct golden *golden)
{
    char line[PATH_BYTES];
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s cannot be read", path);
    while (fgets(line, sizeof line, file) != NULL) {
        struct layer *layer = &golden->layers[golden->n_layers];
        if (line[0] == '#')
            continue;
        if (strncmp(line, "layer ", 6) == 0) {
            ck_assert_uint_lt(golden->n_layers, N_LAYERS_MAX);
            ck_assert_int_eq(sscanf(line, "layer %127s %127s", layer->name, layer->kind), 2);
            golden->n_layers++;
        } else if (strncmp(line, "tensor ", 7) == 0) {
            layer--;
            struct tensor *tensor = &layer->tensors[layer->n_tensors++];
            ck_assert_uint_le(layer->n_tensors, N_TENSORS_MAX);
            ck_assert_int_eq(
                sscanf(line, "tensor %127s %zu %zu", tensor->name, &tensor->n, &tensor->at), 3);
        } else {
            ck_assert_int_eq(sscanf(line, "values %zu seed %" SCNu64 " row %zu", &golden->n_values,
                                    &golden->seed, &golden->n_row),
                             3);
        }
    }
    fclose(file);
}

static struct golden *golden_load(const char *network)
{
    char path[PATH_BYTES];
    struct golden *golden = calloc(1, sizeof *golden);
    ck_assert_ptr_nonnull(golden);
    snprintf(path, sizeof path, GOLDEN_DIR "/%s/layers.txt", network);
    read_layers(path, golden);
    size_t n_stored = 0;
    for (size_t t = 0; t < N_TIMESTEPS; t++)
        n_stored += stored(t);
    golden->rows = calloc(n_stored * golden->n_row, sizeof *golden->rows);
    ck_assert_ptr_nonnull(golden->rows);
    snprintf(path, sizeof path, GOLDEN_DIR "/%s/golden.bin", network);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s cannot be read", path);
    ck_assert_uint_eq(fread(golden->rows, golden->n_row * sizeof(double), n_stored, file),
                      n_stored);
    ck_assert_int_eq(fgetc(file), EOF);
    fclose(file);
    return golden;
}

static void golden_free(struct golden *golden)
{
    free(golden->rows);
    free(golden);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Names in a directory that end in `suffix`, sorted. */
static int list(const char *path, const char *suffix, char names[][NAME_BYTES], int n_max)
{
    int n = 0;
    DIR *directory = opendir(path);
    if (directory == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL && n < n_max;) {
        size_t n_bytes = strlen(entry->d_name), n_suffix = strlen(suffix);
        if (n_bytes < n_suffix || strcmp(entry->d_name + n_bytes - n_suffix, suffix) != 0)
            continue;
        snprintf(names[n++], NAME_BYTES, "%.*s", NAME_BYTES - 1, entry->d_name);
    }
    closedir(directory);
    qsort(names, (size_t)n, NAME_BYTES, by_name);
    return n;
}

static void find_networks(void)
{
    static char all[256][NAME_BYTES];
    int n = list(GOLDEN_DIR, "", all, 256);
    for (int i = 0; i < n && n_networks < N_NETWORKS_MAX; i++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, GOLDEN_DIR "/%.100s/layers.txt", all[i]);
        FILE *file = fopen(path, "r");
        if (file == NULL)
            continue;
        fclose(file);
        memcpy(networks[n_networks++], all[i], NAME_BYTES);
    }
}

/* ---- a model against them ---------------------------------------------------------------------
 */

static celltap_model *model_load(const char *network, const char *graph)
{
    char path[PATH_BYTES];
    struct celltap_diagnosis why = {{0}, {0}};
    celltap_model *model = NULL;
    snprintf(path, sizeof path, GOLDEN_DIR "/%s/%s", network, graph);
    int rc = celltap_model_load(path, &model, &why);
    ck_assert_msg(rc == 0, "%s: %s: node '%s': %s", path, celltap_strerror(rc), why.node, why.text);
    return model;
}

/* Says in `text` what is not as the golden files have it; "" when all is. */
static void differ(const struct golden *golden, const celltap_model *model, char *text, size_t size)
{
    size_t n = celltap_model_n_layers(model);
    text[0] = '\0';
    if (n == 0 || strcmp(celltap_layer_name(model, 0), "@input") != 0)
        snprintf(text, size, "the first layer is not @input");
    for (size_t i = 1; i < n && text[0] == '\0'; i++) {
        const char *name = celltap_layer_name(model, i), *kind = celltap_layer_kind(model, i);
        const struct layer *layer = &golden->layers[i - 1];
        if (i - 1 >= golden->n_layers)
            snprintf(text, size, "one layer too many: '%s'", name);
        else if (strcmp(layer->name, name) != 0 || strcmp(layer->kind, kind) != 0)
            snprintf(text, size, "layer '%s' (%s) should be '%s' (%s)", name, kind, layer->name,
                     layer->kind);
        else if (layer->n_tensors != celltap_layer_n_tensors(model, i))
            snprintf(text, size, "layer '%s' should have %zu tensors", name, layer->n_tensors);
        else
            for (size_t k = 0; k < layer->n_tensors && text[0] == '\0'; k++)
                if (strcmp(celltap_tensor_name(model, i, k), layer->tensors[k].name) != 0 ||
                    celltap_tensor_size(model, i, k) != layer->tensors[k].n)
                    snprintf(text, size, "layer '%s' should have tensor '%s' of %zu values", name,
                             layer->tensors[k].name, layer->tensors[k].n);
    }
    if (text[0] == '\0' && n != golden->n_layers + 1)
        snprintf(text, size, "layer '%s' is missing", golden->layers[n - 1].name);
}

struct worst {
    double error;
    size_t t, layer_ix, tensor_ix;
};

/* The largest absolute error of one timestep; row: [n_row]. */
static void compare(const struct golden *golden, const celltap_panel *panel, const double *row,
                    size_t t, struct worst *worst)
{
    for (size_t i = 0; i < golden->n_layers; i++)
        for (size_t k = 0; k < golden->layers[i].n_tensors; k++) {
            const struct tensor *tensor = &golden->layers[i].tensors[k];
            const float *got = celltap_panel_tensor(panel, 0, i + 1, k);
            for (size_t j = 0; j < tensor->n; j++) {
                double error = fabs((double)got[j] - row[tensor->at + j]);
                if (!(error <= worst->error)) /* NaN is the worst */
                    *worst = (struct worst){error, t, i, k};
            }
        }
}

static size_t at_most(size_t n_timesteps)
{
    return getenv("CELLTAP_SHORT") != NULL ? N_SHORT : n_timesteps;
}

/* Steps a fresh stream through the first n_timesteps. */
static struct worst run(const struct golden *golden, celltap_model *model, size_t n_timesteps)
{
    celltap_stream *stream;
    celltap_panel *panel;
    struct worst worst = {0};
    size_t n = golden->n_values;
    float *x = calloc(n, sizeof *x);
    ck_assert_ptr_nonnull(x);
    ck_assert_uint_eq(celltap_model_n_values(model), n);
    ck_assert_int_eq(celltap_stream_new(model, &stream), 0);
    ck_assert_int_eq(celltap_panel_new(model, 1, &panel), 0);
    const double *row = golden->rows;
    for (size_t t = 0; t < n_timesteps; t++) {
        for (size_t k = 0; k < n; k++)
            x[k] = reading(golden->seed, t, k, n);
        ck_assert_int_eq(celltap_step(panel, stream, x, n), 0);
        if (!stored(t))
            continue;
        compare(golden, panel, row, t, &worst);
        row += golden->n_row;
    }
    celltap_panel_free(panel);
    celltap_stream_free(stream);
    free(x);
    return worst;
}

START_TEST(test_golden_every_graph_gives_every_tensor_within_2e_6)
{
    char graphs[N_GRAPHS_MAX][NAME_BYTES], path[PATH_BYTES], text[PATH_BYTES];
    const char *network = networks[_i];
    struct golden *golden = golden_load(network);
    double largest = 0;
    snprintf(path, sizeof path, GOLDEN_DIR "/%s", network);
    int n = list(path, ".onnx", graphs, N_GRAPHS_MAX);
    ck_assert_int_gt(n, 0);
    for (int i = 0; i < n; i++) {
        celltap_model *model = model_load(network, graphs[i]);
        differ(golden, model, text, sizeof text);
        ck_assert_msg(text[0] == '\0', "%s/%s: %s", network, graphs[i], text);
        struct worst worst = run(golden, model, at_most(i == 0 ? N_TIMESTEPS : N_OTHERS));
        ck_assert_msg(worst.error <= TOLERANCE, "%s/%s: %s of layer %s is %.3g off at timestep %zu",
                      network, graphs[i],
                      golden->layers[worst.layer_ix].tensors[worst.tensor_ix].name,
                      golden->layers[worst.layer_ix].name, worst.error, worst.t);
        largest = fmax(largest, worst.error);
        celltap_model_unref(model);
    }
    printf("%-20s %2d graphs, largest error %.2e\n", network, n, largest);
    golden_free(golden);
}
END_TEST

/* ---- is the judge awake? ----------------------------------------------------------------------
 */

static const char *const AWAKE[2] = {"torch_lstm", "opset14.onnx"};

START_TEST(test_golden_when_two_gates_are_swapped_then_noticed)
{
    struct golden *golden = golden_load(AWAKE[0]);
    celltap_model *model = model_load(AWAKE[0], AWAKE[1]);
    struct layer *layer = &golden->layers[0];
    ck_assert_str_eq(layer->tensors[3].name, "i");
    ck_assert_str_eq(layer->tensors[4].name, "f");
    size_t at = layer->tensors[3].at;
    layer->tensors[3].at = layer->tensors[4].at;
    layer->tensors[4].at = at;
    ck_assert_double_gt(run(golden, model, at_most(N_TIMESTEPS)).error, UNTIL_WRONG_MIN);
    celltap_model_unref(model);
    golden_free(golden);
}
END_TEST

START_TEST(test_golden_when_one_late_value_is_off_then_noticed)
{
    struct golden *golden = golden_load(AWAKE[0]);
    celltap_model *model = model_load(AWAKE[0], AWAKE[1]);
    size_t n_stored = 0, n = at_most(N_TIMESTEPS);
    for (size_t t = 0; t < n; t++)
        n_stored += stored(t);
    golden->rows[n_stored * golden->n_row - 1] += 3 * TOLERANCE;
    struct worst worst = run(golden, model, n);
    ck_assert_double_gt(worst.error, TOLERANCE);
    ck_assert_uint_eq(worst.t, n - 1);
    celltap_model_unref(model);
    golden_free(golden);
}
END_TEST

START_TEST(test_golden_when_a_layer_has_another_name_then_noticed)
{
    char text[PATH_BYTES];
    struct golden *golden = golden_load(AWAKE[0]);
    celltap_model *model = model_load(AWAKE[0], AWAKE[1]);
    differ(golden, model, text, sizeof text);
    ck_assert_str_eq(text, "");
    snprintf(golden->layers[1].name, NAME_BYTES, "lstms.2");
    differ(golden, model, text, sizeof text);
    ck_assert_str_ne(text, "");
    celltap_model_unref(model);
    golden_free(golden);
}
END_TEST

int main(void)
{
    find_networks();
    if (n_networks == 0) {
        fprintf(stderr, "no golden files under " GOLDEN_DIR "; run this from the top folder\n");
        return 1;
    }
    Suite *suite = suite_create("golden");
    TCase *networks_case = tcase_create("networks"), *judge = tcase_create("judge");
    tcase_set_timeout(networks_case, 240);
    tcase_set_timeout(judge, 60);
    tcase_add_loop_test(networks_case, test_golden_every_graph_gives_every_tensor_within_2e_6, 0,
                        n_networks);
    tcase_add_test(judge, test_golden_when_two_gates_are_swapped_then_noticed);
    tcase_add_test(judge, test_golden_when_one_late_value_is_off_then_noticed);
    tcase_add_test(judge, test_golden_when_a_layer_has_another_name_then_noticed);
    suite_add_tcase(suite, networks_case);
    suite_add_tcase(suite, judge);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
