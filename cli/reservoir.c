/* reservoir.c - celltap reservoir: the built-in random LSTM as an ONNX file. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/opts.h"
#include "cli/say.h"
#include "cli/whole.h"
#include "lib/celltap.h"

struct reservoir_options {
    const char *output;
    uint64_t channels, units;
};

static int reservoir_write(const struct reservoir_options *options)
{
    size_t n_bytes = celltap_reservoir_onnx(options->channels, options->units, NULL, 0);
    if (n_bytes == 0) {
        say_error("there is a reservoir of 1 to 4096 channels and 1 to 1024 units");
        return -1;
    }
    void *bytes = malloc(n_bytes);
    if (bytes == NULL ||
        celltap_reservoir_onnx(options->channels, options->units, bytes, n_bytes) != n_bytes) {
        free(bytes);
        say_error("out of memory");
        return -1;
    }
    struct whole file;
    int code = whole_open(options->output, &file);
    bool is_stdout = code == 0 && whole_is_stdout(&file);
    if (code == 0) {
        fwrite(bytes, 1, n_bytes, file.file);
        code = whole_commit(&file);
    }
    free(bytes);
    if (code < 0) {
        say_error("%s: %s", options->output, strerror(errno));
        return -1;
    }
    if (!is_stdout)
        printf("%s: %" PRIu64 " channel%s, %" PRIu64 " units\n", options->output, options->channels,
               options->channels == 1 ? "" : "s", options->units);
    return 0;
}

static int reservoir_run(int argc, char **argv)
{
    struct reservoir_options options = {.channels = 1, .units = 32};
    const char *none[1];
    int code = opts_parse(&reservoir_command, argc, argv, &options, none);
    if (code != OPTS_RUN)
        return code;
    if (options.output == NULL) {
        say_error("reservoir needs -o FILE.onnx: where the network goes");
        return COMMAND_USAGE;
    }
    return reservoir_write(&options) < 0 ? COMMAND_FAILED : COMMAND_OK;
}

static const struct opts_row RESERVOIR_ROWS[] = {
    {.name = "output",
     .letter = 'o',
     .kind = OPTS_TEXT,
     .value = "FILE",
     .offset = offsetof(struct reservoir_options, output),
     .sentence = "where the network goes"},
    {.name = "channels",
     .kind = OPTS_COUNT,
     .value = "N",
     .offset = offsetof(struct reservoir_options, channels),
     .sentence = "inputs, a clock's two among them (1)"},
    {.name = "units",
     .kind = OPTS_COUNT,
     .value = "H",
     .offset = offsetof(struct reservoir_options, units),
     .sentence = "of the LSTM (32)"},
};

const struct command reservoir_command = {
    .name = "reservoir",
    .arguments = "-o FILE.onnx",
    .sentence = "The built-in random LSTM as an ONNX file.",
    .example = "  celltap reservoir -o reservoir.onnx --channels 3\n",
    .rows = RESERVOIR_ROWS,
    .n_rows = sizeof RESERVOIR_ROWS / sizeof *RESERVOIR_ROWS,
    .n_arguments = 0,
    .run = reservoir_run,
};
