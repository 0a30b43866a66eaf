/* test_conf_read.c - each fault of a configuration is told with its place and what to do. */
#include "daemon/conf_read.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/conf_text.h"

#define MODEL    "models: [{name: m, file: m.onnx}]\n"
#define DETECTOR "models: [{name: m, file: m.onnx, detector: {"
#define TAP      MODEL "taps: [{name: t, " /* its options begin in line 2, column 18 */
#define INGEST   MODEL "ingest: [{socket: pull, listen: [" /* URLs in line 2, column 34 */

#define A30 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A90 A30 A30 A30

/* A file, and the whole of what it is told. */
static const struct fault {
    const char *yaml, *told;
} faults[] = {
    /* keys */
    {MODEL "max_steams: 5\n",
     "c.yaml:2:1: unknown key `max_steams` in the configuration; did you mean `max_streams`?"},
    {TAP "tensor: h}]", "c.yaml:2:18: unknown key `tensor` in a tap; did you mean `tensors`?"},
    {TAP "Layers: h}]", "c.yaml:2:18: unknown key `Layers` in a tap; did you mean `layers`?"},
    {MODEL "zzz: 5\n", "c.yaml:2:1: unknown key `zzz` in the configuration; the nearest valid "
                       "key is `taps`"},
    {MODEL "control: {lisen: x}", "c.yaml:2:11: unknown key `lisen` in control; did you mean "
                                  "`listen`?"},
    {MODEL "max_streams: 5\nmax_streams: 6\n",
     "c.yaml:3:1: `max_streams` is given twice, first in line 2; keep one of them"},
    {MODEL "? [a]\n: b\n", "c.yaml:2:3: a key must be a text; write `key: value`"},
    {MODEL "<<: {max_streams: 5}\n", "c.yaml:2:1: merge keys (`<<`) are not read; write the keys "
                                     "out, or give an alias as a value"},
    /* of later releases */
    {MODEL "journal: [off]\n",
     "c.yaml:2:10: `journal` must be a map, not a list; write `journal: {sync: always}`"},
    {MODEL "journal: perhaps\n",
     "c.yaml:2:10: `journal` must be a map, not a text; write `journal: {sync: always}`"},
    {MODEL "control: off\n",
     "c.yaml:2:10: `control` must be a map, not a text; write `control: {listen: "
     "[\"ipc:///run/celltap/control.ipc\"]}`"},
    {MODEL "web: {}\nthreads: 65\n",
     "c.yaml:2:1: `web` is not in this release of celltap; remove it\n"
     "c.yaml:3:10: `threads` is 65; it must be from 1 to 64"},
    {TAP "tls: {}}]", "c.yaml:2:18: `tls` is not in this release of celltap; use ipc://, or tcp:// "
                      "on loopback, or say `insecure: true`"},
    /* what must be there */
    {"models: []\n", "c.yaml:1:9: no models; add at least one, such as `models: [{name: pump, "
                     "file: /etc/celltap/pump.onnx}]`"},
    {"models: [{}]\n",
     "c.yaml:1:10: `name` is missing here; add it, such as `name: pump`\n"
     "c.yaml:1:10: `file` is missing here; add it, such as `file: /etc/celltap/pump.onnx`"},
    {MODEL "ingest: [{listen: \"ipc:///x\"}]\n",
     "c.yaml:2:10: `socket` is missing here; add it, such as `socket: pull`"},
    {MODEL "ingest: []\n",
     "c.yaml:2:9: no ingest; add at least one, such as `ingest: [{socket: pull}]`"},
    {MODEL "max_streams:\n",
     "c.yaml:2:13: `max_streams` has no value; give one, or remove the key"},
    {TAP "streams: []}]",
     "c.yaml:2:27: `streams` must have 1 to 256 entries, not 0; remove the key for the default"},
    /* types */
    {"[a]\n", "c.yaml:1:1: the configuration must be a map; write `key: value` lines"},
    {"models: {name: m}\n",
     "c.yaml:1:9: `models` must be a list of maps, not a map; write `models: "
     "[{name: pump, file: /etc/celltap/pump.onnx}]`"},
    {"models: [5]\n", "c.yaml:1:10: a model must be a map; write `key: value` lines"},
    {MODEL "control: 5\n", "c.yaml:2:10: `control` must be a map, not a text; write `control: "
                           "{listen: [\"ipc:///run/celltap/control.ipc\"]}`"},
    {"models: [{name: m, file: m.onnx, detector: {warmup: [5]}}]\n",
     "c.yaml:1:53: `warmup` must be timesteps, not a list; write `warmup: 750`"},
    {MODEL "max_streams: [5]\n",
     "c.yaml:2:14: `max_streams` must be a number, not a list; write `max_streams: 100000`"},
    {TAP "layers: {a: b}}]",
     "c.yaml:2:26: `layers` must be a list of globs, not a map; write `layers: [\"*\"]`"},
    {TAP "layers: [[a]]}]", "c.yaml:2:27: an entry of `layers` must be a text; write one, in "
                            "quotes where it has special characters"},
    {TAP "layers: [\"\"]}]", "c.yaml:2:27: `layers`: `` is empty; write a text"},
    {TAP "insecure: perhaps}]", "c.yaml:2:28: `insecure` is `perhaps`; it must be true or false"},
    /* numbers */
    {MODEL "max_streams: many\n",
     "c.yaml:2:14: `max_streams` is `many`; it must be a whole number"},
    {MODEL "max_streams: 0\n", "c.yaml:2:14: `max_streams` is 0; it must be from 1 to 10000000"},
    {MODEL "max_streams: 18446744073709551616\n",
     "c.yaml:2:14: `max_streams` is `18446744073709551616`; it must be a whole number"},
    {MODEL "max_message_bytes: 1T\n",
     "c.yaml:2:20: `max_message_bytes` is `1T`; it must be a number of bytes such as 65536, 64K, "
     "1M or 1G"},
    {MODEL "max_message_bytes: 2G\n",
     "c.yaml:2:20: `max_message_bytes` is 2G; it must be from 1024 to 1073741824"},
    {"models: [{name: m, file: m.onnx, gap_reset: 1.5s}]\n",
     "c.yaml:1:45: `gap_reset` is `1.5s`; it must be a time such as 500 (ms), 500ms, 30s, 5m or "
     "1h"},
    {TAP "queue: 8193}]", "c.yaml:2:25: `queue` is 8193; it must be from 1 to 8192"},
    {TAP "every: 0}]", "c.yaml:2:25: `every` is 0; it must be from 1 to 4294967295"},
    {TAP "every: -1}]", "c.yaml:2:25: `every` is `-1`; it must be a whole number"},
    /* choices */
    {TAP "group: layers}]",
     "c.yaml:2:25: `group` is `layers`; it must be tap, stream or layer: did you mean `layer`?"},
    {TAP "encoding: xml}]", "c.yaml:2:28: `encoding` is `xml`; it must be bin or array"},
    {TAP "kind: activation}]", "c.yaml:2:24: `kind` is `activation`; it must be activations, "
                               "scores or anomalies: did you mean `activations`?"},
    {TAP "encoding: array, dtype: <f2}]",
     "c.yaml:2:42: `dtype: <f2` needs `encoding: bin`; an array holds float32"},
    /* names */
    {"models: [{name: m, file: m.onnx}, {name: m, file: m.onnx}]\n",
     "c.yaml:1:42: `m` is the name of another model, in line 1; choose a new one"},
    {MODEL "taps: [{name: t, listen: \"ipc:///a\"},\n  {name: t, listen: \"ipc:///b\"}]\n",
     "c.yaml:3:10: `t` is the name of another tap, in line 2; choose a new one"},
    {"models: [{name: m, file: m.onnx, channels: [a, b, a]}]\n",
     "c.yaml:1:51: `a` is the name of another channel, in line 1; choose a new one"},
    {MODEL "taps: [{name: a/b}]",
     "c.yaml:2:15: `name`: `a/b` holds a `/`, which ends a topic level; use another letter"},
    {MODEL "taps: [{name: \"a\\0b\"}]",
     "c.yaml:2:15: `name`: `a` holds a control character; remove it"},
    {MODEL "taps: [{name: \"\"}]", "c.yaml:2:15: `name`: `` is empty; write a text"},
    {MODEL "runtime_dir: run\n",
     "c.yaml:2:14: `runtime_dir`: `run` is not an absolute path; begin it with `/`"},
    /* files */
    {"models: [{name: m, file: /nowhere/n.onnx}]\n",
     "c.yaml:1:26: cannot read `/nowhere/n.onnx`: No such file or directory; give one that "
     "exists"},
    {"models: [{name: m, file: /tmp}]\n",
     "c.yaml:1:26: cannot read `/tmp`: a directory; give one that exists"},
    {"models: [{name: m, file: /dev/zero}]\n",
     "c.yaml:1:26: cannot read `/dev/zero`: not a regular file; give one that exists"},
    /* the built-in model, detectors */
    {"models: [{name: m, file: \"builtin:reservor\"}]\n",
     "c.yaml:1:26: `file`: `builtin:reservor` is not built in; `builtin:reservoir` is"},
    {"models: [{name: m, file: m.onnx, units: 5}]\n",
     "c.yaml:1:41: `units` is of `file: builtin:reservoir` alone; remove it"},
    {DETECTOR "warmup: 5s}}]",
     "c.yaml:1:53: `warmup` is a time; say how many timesteps a second has with the model's "
     "`rate`, or give timesteps"},
    {DETECTOR "warmup: 5s}, rate: 2}]",
     "c.yaml:1:53: `warmup` is 5000 ms, 10 timesteps at a rate of 2; it must be from 32 to "
     "10000000 timesteps"},
    {DETECTOR "warmup: 31, smooth: 1.5, forget: 1}}]",
     "c.yaml:1:53: `warmup` is 31; it must be from 32 to 10000000 timesteps\n"
     "c.yaml:1:65: `smooth` is `1.5`; it must be a number of timesteps, or a time such as 500ms, "
     "30s, 5m or 1h\n"
     "c.yaml:1:78: `forget` is 1; it must be from 2 to 1000000000 timesteps"},
    {DETECTOR "threshold: high, level_state: -1, level_error: nan}}]",
     "c.yaml:1:56: `threshold` is `high`; it must be a number such as 2.7\n"
     "c.yaml:1:75: `level_state` is -1; it must be from 0 to 1e+06\n"
     "c.yaml:1:92: `level_error` is `nan`; it must be a number such as 1.5"},
    {DETECTOR "clock: night, scales: learn}}]",
     "c.yaml:1:52: `clock` is `night`; it must be none or day\n"
     "c.yaml:1:59: unknown key `scales` in detector; did you mean `scale`?"},
    {DETECTOR "statistics: /nowhere/s}}]",
     "c.yaml:1:57: cannot read `/nowhere/s`: No such file or directory; give one that exists"},
    {"models: [{name: m, file: m.onnx, detector: maybe}]\n",
     "c.yaml:1:44: `detector` must be a map, not a text; write `detector: {warmup: 750}`"},
    {"models: [{name: m, file: \"builtin:reservoir\", detector: {statistics: m.onnx}}]\n",
     "c.yaml:1:70: `statistics` are of so many channels; name these with `channels`"},
    {"models: [{name: m, file: m.onnx, forecast: {horizons: [1, 3, 3]}}]\n",
     "c.yaml:1:62: `horizons` must rise from one to the next; sort them"},
    {"models: [{name: m, file: m.onnx, rate: 10, forecast: {horizons: [100ms, 1ms]}}]\n",
     "c.yaml:1:73: `horizons` is 1 ms, 0 timesteps at a rate of 10; it must be from 1 to 100000 "
     "timesteps"},
    {"models: [{name: m, file: m.onnx, forecast: {horizons: []}}]\n",
     "c.yaml:1:55: `horizons` must have 1 to 64 entries, not 0; such as `horizons: [6, 12]`"},
    /* listeners */
    {INGEST "\"ipc:///a\", \"ipc:///a\"]}]",
     "c.yaml:2:46: `ipc:///a` is listened on twice, first in line 2; give each `listen:` its own "
     "URL"},
    {MODEL "taps:\n- {name: t, listen: \"ipc:///a\"}\ncontrol: {listen: \"ipc:///a\"}\n",
     "c.yaml:4:19: `ipc:///a` is listened on twice, first in line 3; give each `listen:` its own "
     "URL"},
    {MODEL "taps: [{name: t, listen: \"ipc:///run/celltap/control.ipc\"}]\n",
     "c.yaml:2:26: `ipc:///run/celltap/control.ipc` is listened on twice, first by a default; give "
     "each `listen:` its own URL"},
    {INGEST "\"tcp://0.0.0.0:5550\"]}]",
     "c.yaml:2:34: `tcp://0.0.0.0:5550` can be reached from other machines, unencrypted; use "
     "ipc:// or loopback, or allow it with `insecure: true` (TLS is not in this release)"},
    {MODEL "control: {listen: \"tcp://*:1\"}\n",
     "c.yaml:2:19: `tcp://*:1` can be reached from other machines, unencrypted; use ipc:// or "
     "loopback, or allow it with `insecure: true` (TLS is not in this release)"},
    {INGEST "\"inproc://a\"]}]", "c.yaml:2:34: `listen`: `inproc://a` reaches this process only; "
                                 "use ipc:///path or tcp://host:port"},
    {MODEL "control: {listen: \"ipc:///run/x/\"}\n",
     "c.yaml:2:19: `listen`: `ipc:///run/x/` names a directory; add the socket's name: "
     "ipc:///run/celltap/name.ipc"},
    {MODEL "runtime_dir: /" A90 "\n", /* ingest-ack.ipc and control.ipc still fit */
     "c.yaml:2:14: `ipc:///" A90
     "/activations.ipc` has a path of more than 106 bytes, the system's "
     "limit; choose a shorter one"},
    {MODEL "taps:\n  - name: ingest\n",
     "c.yaml:3:1: `ipc:///run/celltap/ingest.ipc` is listened on twice, first by a default; give "
     "each `listen:` its own URL"},
};

/* What is told of a file, without the last newline; to be freed. */
static char *told(const char *yaml)
{
    struct conf *conf = NULL;
    struct conf_errors errors;
    int r = conf_text_load(yaml, strlen(yaml), &conf, &errors);
    char *text = strdup(errors.text);
    size_t n_lines = 0;
    for (const char *at = text; *at != 0; at++)
        n_lines += *at == '\n';
    ck_assert_msg(r < 0 && conf == NULL, "no fault found in:\n%s", yaml);
    ck_assert_uint_eq(errors.n, n_lines);
    text[strlen(text) - 1] = 0;
    conf_errors_done(&errors);
    return text;
}

START_TEST(test_load_of_one_fault_then_told_with_its_place)
{
    char *text = told(faults[_i].yaml);
    ck_assert_str_eq(text, faults[_i].told);
    free(text);
}
END_TEST

START_TEST(test_load_of_many_faults_then_all_told_in_order)
{
    char *text = told("max_streams: 0\n"
                      "models:\n"
                      "  - {name: a/b, fil: m.onnx}\n"
                      "  - {name: c, file: /nowhere}\n"
                      "taps: [{name: t, every: x, journal: y}]\n"
                      "threads: 0\n");
    static const char *const lines[] = {
        "c.yaml:1:14: ", "c.yaml:3:5: ",  "c.yaml:3:12: ", "c.yaml:3:17: ",
        "c.yaml:4:21: ", "c.yaml:5:25: ", "c.yaml:5:28: ", "c.yaml:6:10: "};
    char *at = text;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        ck_assert_msg(strncmp(at, lines[i], strlen(lines[i])) == 0, "%s expected at\n%s", lines[i],
                      at);
        at = strchr(at, '\n');
        at = at != NULL ? at + 1 : "";
    }
    ck_assert_str_eq(at, "");
    free(text);
}
END_TEST

START_TEST(test_load_of_thousands_of_faults_then_a_hundred_told_and_all_counted)
{
    char *yaml = NULL;
    size_t n_bytes;
    struct conf *conf = NULL;
    struct conf_errors errors;
    FILE *out = open_memstream(&yaml, &n_bytes);
    for (int i = 0; i < 50000; i++)
        fprintf(out, "key%d: 1\n", i);
    fclose(out);
    ck_assert_int_eq(conf_text_load(yaml, n_bytes, &conf, &errors), -1);
    ck_assert_uint_eq(errors.n, 50000);
    ck_assert_ptr_nonnull(strstr(errors.text, "c.yaml: and 49900 more errors"));
    conf_errors_done(&errors);
    free(yaml);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf_read");
    TCase *tests = tcase_create("conf_read");
    tcase_add_loop_test(tests, test_load_of_one_fault_then_told_with_its_place, 0,
                        sizeof faults / sizeof *faults);
    tcase_add_test(tests, test_load_of_many_faults_then_all_told_in_order);
    tcase_add_test(tests, test_load_of_thousands_of_faults_then_a_hundred_told_and_all_counted);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
