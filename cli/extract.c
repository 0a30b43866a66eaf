/* extract.c - celltap extract: every tensor of every layer at every timestep, without a daemon.
 *
 *     csv --series--> frame --missing?--> celltap_step --> panel --sink--> DIR/<layer>/<tensor>
 *
 * Constant memory however long the file is.  Until the last row is through, nothing is to be seen
 * in DIR; when something fails or a signal comes, it is as it was before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/diagnose.h"
#include "cli/opts.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/series.h"
#include "cli/sink.h"
#include "cli/stop.h"
#include "lib/celltap.h"

#define EXTRACT_ROWS_A_LOOK 64 /* rows between two looks at the clock */

enum extract_missing { EXTRACT_HOLD, EXTRACT_ZERO, EXTRACT_REJECT };

struct extract_options {
    const char *output, *layers, *tensors;
    int format;  /* enum sink_format */
    int missing; /* enum extract_missing */
    struct series_options series;
};

struct extract {
    const struct extract_options *options;
    celltap_model *model;          /* ref */
    celltap_stream *stream;        /* owned */
    celltap_panel *panel;          /* owned */
    struct series *series;         /* owned */
    struct select_tensor *tensors; /* owned, [n_tensors] */
    size_t n_tensors;
    struct sink *sink;    /* owned */
    float *frame;         /* owned, [n_values]: the frame before, then this one */
    const float **values; /* owned, [n_tensors]: views into the panel */
    uint64_t n_rows;
};

/* The columns of the file must be the model's inputs. */
static int extract_check_columns(const struct extract *extract, const char *model_path)
{
    char names[CSV_ERROR_MAX / 2], inputs[256] = "";
    size_t n_values = celltap_model_n_values(extract->model);
    const celltap_model *model = extract->model;
    if (series_n_values(extract->series) == n_values)
        return 0;
    series_names(extract->series, names, sizeof names);
    for (size_t j = 0; j < celltap_layer_n_tensors(model, 0); j++)
        snprintf(inputs + strlen(inputs), sizeof inputs - strlen(inputs), "%s%s[%zu]",
                 j ? ", " : "", celltap_tensor_name(model, 0, j), celltap_tensor_size(model, 0, j));
    say_error("%s has %zu column%s of values (%s), %s takes %zu (%s); choose with --columns",
              csv_path(series_csv(extract->series)), series_n_values(extract->series),
              series_n_values(extract->series) == 1 ? "" : "s", names, model_path, n_values,
              inputs);
    return -1;
}

static int extract_open(struct extract *extract, const char *model_path, const char *data_path)
{
    const struct extract_options *options = extract->options;
    struct celltap_diagnosis why;
    char error[CSV_ERROR_MAX];
    if (diagnose_load(model_path, &extract->model, &why) < 0) {
        diagnose_say(model_path, &why);
        return -1;
    }
    if (series_open(data_path, &options->series, &extract->series, error) < 0)
        goto fail;
    if (extract_check_columns(extract, model_path) < 0)
        return -1;
    if (select_tensors(extract->model, options->layers, options->tensors, &extract->tensors,
                       &extract->n_tensors, error) < 0)
        goto fail;
    extract->frame = calloc(celltap_model_n_values(extract->model) + 1, sizeof *extract->frame);
    extract->values = calloc(extract->n_tensors + 1, sizeof *extract->values);
    if (!extract->frame || !extract->values ||
        celltap_stream_new(extract->model, &extract->stream) < 0 ||
        celltap_panel_new(extract->model, 1, &extract->panel) < 0) {
        snprintf(error, sizeof error, "out of memory");
        goto fail;
    }
    if (sink_open(options->output, (enum sink_format)options->format, extract->tensors,
                  extract->n_tensors, series_has_time(extract->series), &extract->sink, error) < 0)
        goto fail;
    return 0;
fail:
    say_error("%s", error);
    return -1;
}

static void extract_close(struct extract *extract)
{
    sink_close(extract->sink);
    free(extract->frame);
    free(extract->values);
    free(extract->tensors);
    series_close(extract->series);
    celltap_panel_free(extract->panel);
    celltap_stream_free(extract->stream);
    celltap_model_unref(extract->model);
}

/* Takes the row's values into the frame; missing ones by the policy.  0, or -1: it is refused. */
static int extract_frame(struct extract *extract, const struct series_row *row, char *ret_error)
{
    if (row->n_missing && extract->options->missing == EXTRACT_REJECT) {
        series_missing_at(extract->series, row, ret_error);
        return -1;
    }
    for (size_t i = 0; i < series_n_values(extract->series); i++)
        if (row->values[i] == row->values[i]) /* NaN is not itself: missing */
            extract->frame[i] = row->values[i];
        else if (extract->options->missing == EXTRACT_ZERO)
            extract->frame[i] = 0;
    return 0;
}

static int extract_row(struct extract *extract, const struct series_row *row, char *ret_error)
{
    if (extract_frame(extract, row, ret_error) < 0)
        return -1;
    int code = celltap_step(extract->panel, extract->stream, extract->frame,
                            series_n_values(extract->series));
    if (code < 0) {
        snprintf(ret_error, CSV_ERROR_MAX, "%s", celltap_strerror(code));
        return -1;
    }
    for (size_t i = 0; i < extract->n_tensors; i++)
        extract->values[i] = celltap_panel_tensor(extract->panel, 0, extract->tensors[i].layer_ix,
                                                  extract->tensors[i].tensor_ix);
    extract->n_rows++;
    return sink_put(extract->sink, extract->n_rows, row->ts_ns, extract->values, ret_error);
}

/* All rows, then the files.  0 or -1, said. */
static int extract_rows(struct extract *extract)
{
    char error[CSV_ERROR_MAX], number[32];
    struct progress progress;
    struct series_row row;
    const struct csv *csv = series_csv(extract->series);
    int code;
    progress_start(&progress, "timesteps", csv_bytes_total(csv), PROGRESS_SILENT);
    while ((code = series_read(extract->series, &row, error)) > 0 && !stop_asked()) {
        if ((code = extract_row(extract, &row, error)) < 0)
            break;
        if (extract->n_rows % EXTRACT_ROWS_A_LOOK == 0)
            progress_show(&progress, extract->n_rows, csv_bytes_read(csv));
    }
    progress_clear(&progress);
    if (stop_asked())
        return -1;
    if (code < 0 || sink_commit(extract->sink, error) < 0) {
        say_error("%s; nothing was written", error);
        return -1;
    }
    printf("%s: %s timestep%s, %zu tensor%s\n", extract->options->output,
           progress_thousands(extract->n_rows, number), extract->n_rows == 1 ? "" : "s",
           extract->n_tensors, extract->n_tensors == 1 ? "" : "s");
    return 0;
}

static int extract_run(int argc, char **argv)
{
    struct extract_options options = {0};
    struct extract extract = {.options = &options};
    const char *arguments[2];
    int code = opts_parse(&extract_command, argc, argv, &options, arguments);
    if (code != OPTS_RUN)
        return code;
    if (!options.output) {
        say_error("extract needs -o DIR: where the files go");
        return COMMAND_USAGE;
    }
    stop_catch();
    code = extract_open(&extract, arguments[0], arguments[1]) < 0 || extract_rows(&extract) < 0
               ? COMMAND_FAILED
               : COMMAND_OK;
    extract_close(&extract);
    stop_die();
    return code;
}

static const struct opts_row EXTRACT_ROWS[] = {
    {.name = "output",
     .letter = 'o',
     .kind = OPTS_TEXT,
     .value = "DIR",
     .offset = offsetof(struct extract_options, output),
     .sentence = "where the files go"},
    {.name = "layers",
     .kind = OPTS_TEXT,
     .value = "GLOBS",
     .offset = offsetof(struct extract_options, layers),
     .sentence = "these layers (all)"},
    {.name = "tensors",
     .kind = OPTS_TEXT,
     .value = "GLOBS",
     .offset = offsetof(struct extract_options, tensors),
     .sentence = "these tensors (all)"},
    {.name = "format",
     .kind = OPTS_CHOICE,
     .value = SINK_FORMATS,
     .offset = offsetof(struct extract_options, format),
     .sentence = "of the files (npy)"},
    {.name = "missing",
     .kind = OPTS_CHOICE,
     .value = "hold|zero|reject",
     .offset = offsetof(struct extract_options, missing),
     .sentence = "what a missing value becomes (hold)"},
    SERIES_OPTS(struct extract_options, series),
};

const struct command extract_command = {
    .name = "extract",
    .arguments = "MODEL DATA.csv -o DIR",
    .sentence = "Every tensor of every layer at every timestep, without a daemon.",
    .example = "  celltap extract pump.onnx pump.csv -o out --tensors h,c\n"
               "  python3 -c 'import numpy; print(numpy.load(\"out/lstm/h.npy\").shape)'\n",
    .rows = EXTRACT_ROWS,
    .n_rows = sizeof EXTRACT_ROWS / sizeof *EXTRACT_ROWS,
    .n_arguments = 2,
    .run = extract_run,
};
