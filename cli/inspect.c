/* inspect.c - celltap inspect: what is in a model, what a step costs, or why it is refused.
 *
 *     model --> a row per layer: name, kind, inputs, tensors with sizes, parameters, MACs
 *           --> totals, bytes per stream, kernel, time of a step measured here and now
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/diagnose.h"
#include "cli/json.h"
#include "cli/opts.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "lib/celltap.h"

#define INSPECT_BLOCK_NS 2000000  /* a block of steps that is timed as one */
#define INSPECT_TOTAL_NS 60000000 /* of all blocks; the quietest one counts */
#define INSPECT_WIDE_MAX 120      /* bytes of a row's tensors */

struct inspect_options {
    bool json;
};

struct inspect_totals {
    size_t n_parameters, n_macs;
    double step_ns; /* 0: could not be measured */
};

/* ---- measuring ----------------------------------------------------------------------------- */

/* Time of n_steps steps; x moves, so that no step sees what the one before has seen. */
static uint64_t inspect_block(celltap_panel *panel, celltap_stream *stream, float *x,
                              size_t n_values, size_t n_steps)
{
    uint64_t before = progress_now_ns();
    for (size_t i = 0; i < n_steps; i++) {
        for (size_t j = 0; j < n_values; j++)
            x[j] = (float)((i * 7 + j * 3) % 17) / 8 - 1;
        celltap_step(panel, stream, x, n_values);
    }
    return progress_now_ns() - before;
}

static double inspect_measure(celltap_model *model)
{
    size_t n_values = celltap_model_n_values(model), n_steps = 1;
    celltap_stream *stream = NULL;
    celltap_panel *panel = NULL;
    float *x = calloc(n_values + 1, sizeof *x);
    double best = 0;
    if (x && celltap_stream_new(model, &stream) == 0 && celltap_panel_new(model, 1, &panel) == 0) {
        uint64_t took = inspect_block(panel, stream, x, n_values, 1), end;
        while (took < INSPECT_BLOCK_NS) {
            n_steps *= 2;
            took = inspect_block(panel, stream, x, n_values, n_steps);
        }
        end = progress_now_ns() + INSPECT_TOTAL_NS;
        do {
            double each = (double)took / (double)n_steps;
            best = best == 0 || each < best ? each : best;
            took = inspect_block(panel, stream, x, n_values, n_steps);
        } while (progress_now_ns() < end);
    }
    free(x);
    celltap_panel_free(panel);
    celltap_stream_free(stream);
    return best;
}

static struct inspect_totals inspect_totals(celltap_model *model)
{
    struct inspect_totals totals = {.step_ns = inspect_measure(model)};
    for (size_t i = 0; i < celltap_model_n_layers(model); i++) {
        totals.n_parameters += celltap_layer_n_parameters(model, i);
        totals.n_macs += celltap_layer_n_macs(model, i);
    }
    return totals;
}

/* ---- for people ---------------------------------------------------------------------------- */

/* "output h c i f g o: 64" where all are of one size, else "y 4, z 2". */
static void inspect_tensors(const celltap_model *model, size_t layer_ix, char *ret_text,
                            size_t size)
{
    size_t n = celltap_layer_n_tensors(model, layer_ix), used = 0;
    bool same = n > 1;
    for (size_t j = 1; j < n; j++)
        same &= celltap_tensor_size(model, layer_ix, j) == celltap_tensor_size(model, layer_ix, 0);
    *ret_text = '\0';
    for (size_t j = 0; j < n && used < size; j++) {
        char name[64];
        const char *text = celltap_tensor_name(model, layer_ix, j);
        say_clean(text, strlen(text), name, sizeof name);
        used += (size_t)snprintf(ret_text + used, size - used, same ? "%s%s" : "%s%s %zu",
                                 j == 0 ? ""
                                 : same ? " "
                                        : ", ",
                                 name, celltap_tensor_size(model, layer_ix, j));
    }
    if (same && used < size)
        snprintf(ret_text + used, size - used, ": %zu", celltap_tensor_size(model, layer_ix, 0));
}

static void inspect_widths(const celltap_model *model, int *ret_name, int *ret_kind,
                           int *ret_tensors)
{
    char text[INSPECT_WIDE_MAX];
    *ret_name = *ret_kind = 5;
    *ret_tensors = 7;
    for (size_t i = 0; i < celltap_model_n_layers(model); i++) {
        int name = (int)strlen(celltap_layer_name(model, i));
        int kind = (int)strlen(celltap_layer_kind(model, i));
        inspect_tensors(model, i, text, sizeof text);
        *ret_name = name > *ret_name ? name : *ret_name;
        *ret_kind = kind > *ret_kind ? kind : *ret_kind;
        *ret_tensors = (int)strlen(text) > *ret_tensors ? (int)strlen(text) : *ret_tensors;
    }
    *ret_name = *ret_name > 40 ? 40 : *ret_name;
    *ret_tensors = *ret_tensors > 40 ? 40 : *ret_tensors;
}

static void inspect_print(const char *path, celltap_model *model)
{
    struct inspect_totals totals = inspect_totals(model);
    int name_wide, kind_wide, tensors_wide;
    char text[INSPECT_WIDE_MAX], name[256], parameters[32], macs[32], state[32];
    inspect_widths(model, &name_wide, &kind_wide, &tensors_wide);
    printf("%-*s  %-*s  %6s  %-*s  %10s  %9s\n", name_wide, "layer", kind_wide, "kind", "inputs",
           tensors_wide, "tensors", "parameters", "MACs");
    for (size_t i = 0; i < celltap_model_n_layers(model); i++) {
        const char *layer = celltap_layer_name(model, i);
        inspect_tensors(model, i, text, sizeof text);
        printf("%-*s  %-*s  %6zu  %-*s  %10s  %9s\n", name_wide,
               say_clean(layer, strlen(layer), name, sizeof name), kind_wide,
               celltap_layer_kind(model, i), celltap_layer_n_inputs(model, i), tensors_wide, text,
               progress_thousands(celltap_layer_n_parameters(model, i), parameters),
               progress_thousands(celltap_layer_n_macs(model, i), macs));
    }
    printf("\n%s: %zu value%s a frame, %s parameters, %s multiply-adds a timestep\n", path,
           celltap_model_n_values(model), celltap_model_n_values(model) == 1 ? "" : "s",
           progress_thousands(totals.n_parameters, parameters),
           progress_thousands(totals.n_macs, macs));
    printf("%s bytes of state a stream; kernel %s; %.2f us a timestep, measured\n",
           progress_thousands(celltap_model_state_bytes(model), state), celltap_kernel_name(),
           totals.step_ns / 1000);
    for (size_t i = 0; celltap_model_remark(model, i) != NULL; i++)
        printf("note: %s\n", celltap_model_remark(model, i));
}

/* ---- for programs -------------------------------------------------------------------------- */

static void inspect_json_layer(const celltap_model *model, size_t layer_ix)
{
    const char *name = celltap_layer_name(model, layer_ix);
    fputs("{\"name\": ", stdout);
    json_text(stdout, name, strlen(name));
    printf(
        ", \"kind\": \"%s\", \"inputs\": %zu, \"parameters\": %zu, \"macs\": %zu, \"tensors\": {",
        celltap_layer_kind(model, layer_ix), celltap_layer_n_inputs(model, layer_ix),
        celltap_layer_n_parameters(model, layer_ix), celltap_layer_n_macs(model, layer_ix));
    for (size_t j = 0; j < celltap_layer_n_tensors(model, layer_ix); j++) {
        const char *tensor = celltap_tensor_name(model, layer_ix, j);
        fputs(j ? ", " : "", stdout);
        json_text(stdout, tensor, strlen(tensor));
        printf(": %zu", celltap_tensor_size(model, layer_ix, j));
    }
    fputs("}}", stdout);
}

static void inspect_json(const char *path, celltap_model *model)
{
    struct inspect_totals totals = inspect_totals(model);
    fputs("{\"file\": ", stdout);
    json_text(stdout, path, strlen(path));
    printf(", \"values\": %zu, \"parameters\": %zu, \"macs\": %zu, \"state_bytes\": %zu, "
           "\"kernel\": \"%s\", \"step_ns\": ",
           celltap_model_n_values(model), totals.n_parameters, totals.n_macs,
           celltap_model_state_bytes(model), celltap_kernel_name());
    printf("%.1f, \"layers\": [", totals.step_ns);
    for (size_t i = 0; i < celltap_model_n_layers(model); i++) {
        fputs(i ? ", " : "", stdout);
        inspect_json_layer(model, i);
    }
    fputs("], \"remarks\": [", stdout);
    for (size_t i = 0; celltap_model_remark(model, i) != NULL; i++) {
        fputs(i ? ", " : "", stdout);
        json_text(stdout, celltap_model_remark(model, i), strlen(celltap_model_remark(model, i)));
    }
    fputs("]}\n", stdout);
}

static void inspect_json_refused(const char *path, const struct celltap_diagnosis *why)
{
    fputs("{\"file\": ", stdout);
    json_text(stdout, path, strlen(path));
    fputs(", \"refused\": {\"node\": ", stdout);
    json_text(stdout, why->node, strlen(why->node));
    fputs(", \"reason\": ", stdout);
    json_text(stdout, why->text, strlen(why->text));
    fputs("}}\n", stdout);
}

/* -------------------------------------------------------------------------------------------- */

static int inspect_run(int argc, char **argv)
{
    struct inspect_options options = {0};
    struct celltap_diagnosis why;
    celltap_model *model = NULL;
    const char *path;
    int code = opts_parse(&inspect_command, argc, argv, &options, &path);
    if (code != OPTS_RUN)
        return code;
    if (diagnose_load(path, &model, &why) < 0) {
        if (options.json)
            inspect_json_refused(path, &why);
        diagnose_say(path, &why);
        return COMMAND_FAILED;
    }
    (options.json ? inspect_json : inspect_print)(path, model);
    celltap_model_unref(model);
    return COMMAND_OK;
}

static const struct opts_row INSPECT_ROWS[] = {
    {.name = "json",
     .kind = OPTS_FLAG,
     .offset = offsetof(struct inspect_options, json),
     .sentence = "one JSON object"},
};

const struct command inspect_command = {
    .name = "inspect",
    .arguments = "MODEL",
    .sentence = "Layers, tensors and cost of a model, or why it is refused.",
    .example = "  celltap inspect pump.onnx\n",
    .rows = INSPECT_ROWS,
    .n_rows = sizeof INSPECT_ROWS / sizeof *INSPECT_ROWS,
    .n_arguments = 1,
    .run = inspect_run,
};
