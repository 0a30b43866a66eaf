/* test_conf.c - a configuration is read whole, with its defaults, or not at all. */
#include "daemon/conf.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/conf_text.h"

/* ---- allocations that fail on request (the linker puts these in front of libc's) ------------ */

static long allocations_left = -1; /* negative: all succeed */

static int may_allocate(void)
{
    if (allocations_left == 0)
        return 0;
    if (allocations_left > 0)
        allocations_left--;
    return 1;
}

void *__real_malloc(size_t n_bytes);
void *__real_calloc(size_t n_items, size_t item_bytes);
void *__real_realloc(void *memory, size_t n_bytes);
char *__real_strdup(const char *text);
FILE *__real_open_memstream(char **ret_text, size_t *ret_bytes);
void *__wrap_malloc(size_t n_bytes);
void *__wrap_calloc(size_t n_items, size_t item_bytes);
void *__wrap_realloc(void *memory, size_t n_bytes);
char *__wrap_strdup(const char *text);
FILE *__wrap_open_memstream(char **ret_text, size_t *ret_bytes);

void *__wrap_malloc(size_t n_bytes)
{
    return may_allocate() ? __real_malloc(n_bytes) : NULL;
}

void *__wrap_calloc(size_t n_items, size_t item_bytes)
{
    return may_allocate() ? __real_calloc(n_items, item_bytes) : NULL;
}

void *__wrap_realloc(void *memory, size_t n_bytes)
{
    return may_allocate() ? __real_realloc(memory, n_bytes) : NULL;
}

char *__wrap_strdup(const char *text)
{
    return may_allocate() ? __real_strdup(text) : NULL;
}

FILE *__wrap_open_memstream(char **ret_text, size_t *ret_bytes)
{
    return may_allocate() ? __real_open_memstream(ret_text, ret_bytes) : NULL;
}

/* ---- reading ------------------------------------------------------------------------------- */

static const char least[] = "models: [{name: pump, file: m.onnx}]\n";

static const char full[] = "runtime_dir: /tmp/rt/\n"
                           "state_dir: /tmp/st\n"
                           "max_message_bytes: 64K\n"
                           "max_streams: 7\n"
                           "models:\n"
                           "  - name: pump\n"
                           "    file: m.onnx\n"
                           "    streams: [\"pump/*\", well]\n"
                           "    channels: [pressure, flow]\n"
                           "    missing: zero\n"
                           "    gap_reset: 30s\n"
                           "  - {name: rest, file: m.onnx, missing: reject, streams: \"*\"}\n"
                           "ingest:\n"
                           "  - {socket: rep, listen: [\"tcp://0.0.0.0:5550\"], insecure: yes}\n"
                           "taps:\n"
                           "  - name: all\n"
                           "    kind: activations\n"
                           "    listen: [\"ipc:///tmp/rt/a\", \"tcp://[::1]:5551\"]\n"
                           "    streams: [a, b]\n"
                           "    layers: [\"lstm*\"]\n"
                           "    tensors: output\n"
                           "    every: 10\n"
                           "    group: tap\n"
                           "    dtype: <f2\n"
                           "    queue: 8192\n"
                           "  - {name: text, encoding: array}\n"
                           "control: {listen: ipc:///tmp/rt/c}\n";

static struct conf *load(const char *text)
{
    struct conf *conf = NULL;
    struct conf_errors errors;
    int r = conf_text_load(text, strlen(text), &conf, &errors);
    ck_assert_msg(r == 0, "%s", errors.text);
    ck_assert_str_eq(errors.text, "");
    ck_assert_uint_eq(errors.n, 0);
    conf_errors_done(&errors);
    return conf;
}

static void check_texts(const struct conf_texts *texts, const char *first, size_t n)
{
    ck_assert_uint_eq(texts->n, n);
    ck_assert_str_eq(texts->items[0], first);
}

START_TEST(test_load_with_least_then_defaults)
{
    struct conf *conf = load(least);
    ck_assert_str_eq(conf->path, "c.yaml");
    ck_assert_str_eq(conf->runtime_dir, "/run/celltap");
    ck_assert_str_eq(conf->state_dir, "/var/lib/celltap");
    ck_assert_uint_eq(conf->max_message_bytes, 4 << 20);
    ck_assert_uint_eq(conf->max_streams, 100000);
    ck_assert_uint_eq(conf->threads, 1);
    ck_assert_uint_eq(conf->n_models, 1);
    ck_assert_str_eq(conf->models[0].name, "pump");
    ck_assert_uint_eq(conf->models[0].line, 1);
    check_texts(&conf->models[0].streams, "*", 1);
    ck_assert_uint_eq(conf->models[0].channels.n, 0);
    ck_assert_int_eq(conf->models[0].missing, CONF_MISSING_HOLD);
    ck_assert_uint_eq(conf->models[0].gap_reset_ms, 0);
    ck_assert_uint_eq(conf->n_ingest, 2);
    ck_assert_int_eq(conf->ingest[0].kind, CONF_INGEST_PULL);
    check_texts(&conf->ingest[0].listen, "ipc:///run/celltap/ingest.ipc", 1);
    ck_assert_int_eq(conf->ingest[1].kind, CONF_INGEST_REP);
    check_texts(&conf->ingest[1].listen, "ipc:///run/celltap/ingest-ack.ipc", 1);
    ck_assert_int_eq(conf->models[0].watch, CONF_WATCH_NO);
    ck_assert_uint_eq(conf->n_taps, 3);
    ck_assert_str_eq(conf->taps[0].name, "activations");
    check_texts(&conf->taps[0].listen, "ipc:///run/celltap/activations.ipc", 1);
    check_texts(&conf->taps[2].listen, "ipc:///run/celltap/anomalies.ipc", 1);
    check_texts(&conf->taps[0].streams, "*", 1);
    check_texts(&conf->taps[0].layers, "*", 1);
    check_texts(&conf->taps[0].tensors, "output", 3);
    ck_assert_uint_eq(conf->taps[0].every, 1);
    ck_assert_int_eq(conf->taps[0].group, CONF_GROUP_LAYER);
    ck_assert_int_eq(conf->taps[0].encoding, CELLTAP_ENCODING_F4);
    ck_assert_uint_eq(conf->taps[0].queue, 4096);
    check_texts(&conf->control_listen, "ipc:///run/celltap/control.ipc", 1);
    ck_assert(!conf->control_insecure && !conf->taps[0].insecure && !conf->ingest[0].insecure);
    conf_free(conf);
}
END_TEST

START_TEST(test_load_of_a_detector_then_in_timesteps)
{
    struct conf *conf =
        load("models: [{name: m, file: m.onnx, rate: 360, detector: {warmup: 60s, smooth: 22ms, "
             "forget: 500}, forecast: {output: \"a/b:0\", horizons: [50ms, 36]}}]");
    const struct conf_model *model = &conf->models[0];
    ck_assert_int_eq(model->watch, CONF_WATCH_YES);
    ck_assert_uint_eq(model->detector.warmup.n_steps, 21600);
    ck_assert_uint_eq(model->detector.smooth.n_steps, 8); /* of 7.92 */
    ck_assert_uint_eq(model->detector.forget.n_steps, 500);
    ck_assert_uint_eq(model->detector.refractory.n_steps, 100);
    ck_assert_str_eq(model->forecast.output, "a/b:0");
    ck_assert_uint_eq(model->forecast.horizons.n, 2);
    ck_assert_uint_eq(model->forecast.horizons.items[0].n_steps, 18);
    ck_assert_uint_eq(model->forecast.horizons.items[1].n_steps, 36);
    conf_free(conf);
}
END_TEST

/* Which models are watched. */
static const struct watched {
    const char *yaml;
    enum conf_watch watch;
} watched[] = {
    {"models: [{name: m, file: m.onnx}]", CONF_WATCH_NO},
    {"models: [{name: m, file: m.onnx, detector: none}]", CONF_WATCH_NO},
    {"models: [{name: m, file: m.onnx, detector: none}]\n"
     "taps: [{name: t, kind: scores}]",
     CONF_WATCH_NO},
    {"models: [{name: m, file: m.onnx}]\n"
     "taps: [{name: t}]",
     CONF_WATCH_NO},
    {"models: [{name: m, file: m.onnx}]\n"
     "taps: [{name: t, kind: anomalies}]",
     CONF_WATCH_IF_POSSIBLE},
    {"models: [{name: m, file: m.onnx, detector: {}}]", CONF_WATCH_YES},
    {"models: [{name: m, file: m.onnx, detector: }]", CONF_WATCH_YES},
    {"models: [{name: m, file: m.onnx, detector: on}]", CONF_WATCH_YES},
    {"models: [{name: m, file: m.onnx, forecast: {output: y}}]", CONF_WATCH_YES},
    {"models: [{name: m, file: builtin:reservoir}]", CONF_WATCH_YES},
    {"models: [{name: m, file: builtin:reservoir, detector: none}]", CONF_WATCH_NO},
};

START_TEST(test_load_of_a_model_then_watched_if_asked_for)
{
    struct conf *conf = load(watched[_i].yaml);
    ck_assert_int_eq(conf->models[0].watch, watched[_i].watch);
    conf_free(conf);
}
END_TEST

START_TEST(test_load_with_everything_then_as_written)
{
    struct conf *conf = load(full);
    ck_assert_str_eq(conf->runtime_dir, "/tmp/rt");
    ck_assert_str_eq(conf->state_dir, "/tmp/st");
    ck_assert_uint_eq(conf->max_message_bytes, 65536);
    ck_assert_uint_eq(conf->max_streams, 7);
    ck_assert_uint_eq(conf->n_models, 2);
    check_texts(&conf->models[0].streams, "pump/*", 2);
    check_texts(&conf->models[0].channels, "pressure", 2);
    ck_assert_int_eq(conf->models[0].missing, CONF_MISSING_ZERO);
    ck_assert_uint_eq(conf->models[0].gap_reset_ms, 30000);
    ck_assert_uint_eq(conf->models[0].line, 6);
    ck_assert_int_eq(conf->models[1].missing, CONF_MISSING_REJECT);
    ck_assert_uint_eq(conf->n_ingest, 1);
    ck_assert(conf->ingest[0].insecure);
    ck_assert_uint_eq(conf->n_taps, 2);
    check_texts(&conf->taps[0].listen, "ipc:///tmp/rt/a", 2);
    check_texts(&conf->taps[0].streams, "a", 2);
    check_texts(&conf->taps[0].layers, "lstm*", 1);
    check_texts(&conf->taps[0].tensors, "output", 1);
    ck_assert_uint_eq(conf->taps[0].every, 10);
    ck_assert_int_eq(conf->taps[0].group, CONF_GROUP_TAP);
    ck_assert_int_eq(conf->taps[0].encoding, CELLTAP_ENCODING_F2);
    ck_assert_uint_eq(conf->taps[0].queue, 8192);
    ck_assert_int_eq(conf->taps[1].encoding, CELLTAP_ENCODING_ARRAY);
    check_texts(&conf->taps[1].listen, "ipc:///tmp/rt/text.ipc", 1);
    check_texts(&conf->control_listen, "ipc:///tmp/rt/c", 1);
    conf_free(conf);
}
END_TEST

START_TEST(test_load_of_relative_model_then_beside_the_file)
{
    struct conf *conf = load(least);
    const char *file = conf->models[0].file;
    ck_assert_int_eq(file[0], '/');
    ck_assert_str_eq(strrchr(file, '/'), "/m.onnx");
    ck_assert_ptr_nonnull(strstr(file, "celltap-conf-"));
    conf_free(conf);
}
END_TEST

START_TEST(test_load_of_empty_sections_then_defaults)
{
    struct conf *conf = load("models: [{name: pump, file: m.onnx}]\ningest:\ntaps: []\ncontrol:\n");
    ck_assert_uint_eq(conf->n_ingest, 2);
    ck_assert_uint_eq(conf->n_taps, 0);
    ck_assert_uint_eq(conf->control_listen.n, 1);
    conf_free(conf);
}
END_TEST

START_TEST(test_load_with_aliases_then_same_values)
{
    struct conf *conf = load("models:\n"
                             "  - {name: a, file: m.onnx, streams: &s [x, y]}\n"
                             "  - {name: b, file: m.onnx, streams: *s}\n");
    check_texts(&conf->models[1].streams, "x", 2);
    ck_assert_ptr_ne(conf->models[0].streams.items, conf->models[1].streams.items);
    conf_free(conf);
}
END_TEST

START_TEST(test_load_when_any_allocation_fails_then_nothing_kept)
{
    long n = 0;
    int r = -1;
    for (; r < 0; n++) {
        struct conf *conf = NULL;
        struct conf_errors errors;
        allocations_left = n;
        r = conf_text_load(full, strlen(full), &conf, &errors);
        allocations_left = -1;
        if (r < 0) {
            ck_assert_ptr_null(conf);
            ck_assert_ptr_nonnull(strstr(errors.text, "out of memory"));
            ck_assert_uint_ge(errors.n, 1);
        }
        conf_errors_done(&errors);
        conf_free(conf);
    }
    ck_assert_int_gt(n, 50); /* it did fail in many places */
}
END_TEST

/* ---- reload and globs ------------------------------------------------------------------------ */

START_TEST(test_reload_check_when_directory_changes_then_refused)
{
    struct conf *old = load(least);
    struct conf *same = load("models: [{name: new, file: m.onnx}]\nmax_streams: 5\n");
    struct conf *moved = load("models: [{name: new, file: m.onnx}]\n"
                              "runtime_dir: /tmp\nstate_dir: /tmp\nthreads: 4\n");
    struct conf_errors errors;
    ck_assert_int_eq(conf_reload_check(old, same, &errors), 0);
    conf_errors_done(&errors);
    ck_assert_int_eq(conf_reload_check(old, moved, &errors), -1);
    ck_assert_uint_eq(errors.n, 3);
    ck_assert_ptr_nonnull(strstr(errors.text, "`threads` cannot change from 1 to 4 while"));
    ck_assert_ptr_nonnull(strstr(errors.text, "c.yaml: `runtime_dir` cannot change from "
                                              "/run/celltap to /tmp while running; restart"));
    ck_assert_ptr_nonnull(strstr(errors.text, "`state_dir`"));
    conf_errors_done(&errors);
    conf_free(old);
    conf_free(same);
    conf_free(moved);
}
END_TEST

START_TEST(test_match_of_globs_then_star_spans_slashes)
{
    char *items[] = {"pump/*", "well?"};
    const struct conf_texts globs = {items, 2}, none = {NULL, 0};
    ck_assert(conf_match(&globs, "pump/a/b"));
    ck_assert(conf_match(&globs, "well1"));
    ck_assert(!conf_match(&globs, "pump"));
    ck_assert(!conf_match(&globs, "xpump/a"));
    ck_assert(!conf_match(&none, "pump"));
}
END_TEST

START_TEST(test_free_of_nothing_then_fine)
{
    conf_free(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf");
    TCase *tests = tcase_create("conf");
    tcase_add_test(tests, test_load_with_least_then_defaults);
    tcase_add_test(tests, test_load_of_a_detector_then_in_timesteps);
    tcase_add_loop_test(tests, test_load_of_a_model_then_watched_if_asked_for, 0,
                        sizeof watched / sizeof *watched);
    tcase_add_test(tests, test_load_with_everything_then_as_written);
    tcase_add_test(tests, test_load_of_relative_model_then_beside_the_file);
    tcase_add_test(tests, test_load_of_empty_sections_then_defaults);
    tcase_add_test(tests, test_load_with_aliases_then_same_values);
    tcase_add_test(tests, test_load_when_any_allocation_fails_then_nothing_kept);
    tcase_add_test(tests, test_reload_check_when_directory_changes_then_refused);
    tcase_add_test(tests, test_match_of_globs_then_star_spans_slashes);
    tcase_add_test(tests, test_free_of_nothing_then_fine);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
