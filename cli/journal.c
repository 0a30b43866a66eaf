/* journal.c - celltap journal ls, verify, export: what a journal holds, and whether it is whole.
 *
 *     ls       a line per stream: model, seq and time from .. to, frames
 *     verify   every byte of every file                    (journal_verify.c)
 *     export   a stream's frames as csv
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/digits.h"
#include "cli/journal.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/stop.h"
#include "cli/whole.h"

struct journal_options {
    const char *journal, *output;
};

static const struct command journal_ls, journal_export;

static int journal_say(const struct celltap_journal_error *error)
{
    say_error("%s", error->text);
    return COMMAND_FAILED;
}

/* ---- ls ------------------------------------------------------------------------------------ */

struct journal_stream {
    char *name; /* owned */
    uint64_t model_hash, first_seq, last_seq, n_frames;
    int64_t first_ts, last_ts;
};

struct journal_streams {
    struct journal_stream *list; /* [n_room] owned */
    size_t n, n_room;
};

/* A line per stream and model.  The index, or -1. */
static long journal_find(struct journal_streams *streams, const struct celltap_journal_entry *entry)
{
    for (size_t i = 0; i < streams->n; i++)
        if (streams->list[i].model_hash == entry->model_hash &&
            strcmp(streams->list[i].name, entry->stream) == 0)
            return (long)i;
    if (streams->n == streams->n_room) {
        size_t n_room = streams->n_room ? 2 * streams->n_room : 64;
        struct journal_stream *list = realloc(streams->list, n_room * sizeof *list);
        if (!list)
            return -1;
        streams->list = list;
        streams->n_room = n_room;
    }
    char *name = strdup(entry->stream);
    if (!name)
        return -1;
    streams->list[streams->n] = (struct journal_stream){
        .name = name,
        .model_hash = entry->model_hash,
        .first_seq = entry->seq,
        .first_ts = entry->ts_ns,
    };
    return (long)streams->n++;
}

static int journal_count(struct journal_streams *streams, const struct celltap_journal_entry *entry)
{
    if (entry->mark)
        return 0;
    if (*entry->tag == NULL) {
        long ix = journal_find(streams, entry);
        if (ix < 0)
            return -1;
        *entry->tag = (void *)(ix + 1);
    }
    struct journal_stream *stream = &streams->list[(long)*entry->tag - 1];
    stream->last_seq = entry->seq;
    stream->last_ts = entry->ts_ns;
    stream->n_frames++;
    return 0;
}

static void journal_print(const struct journal_streams *streams)
{
    char name[300];
    printf("%-24s %-16s %12s %12s %12s\n", "stream", "model", "from seq", "to seq", "frames");
    for (size_t i = 0; i < streams->n; i++) {
        const struct journal_stream *stream = &streams->list[i];
        printf("%-24s %016" PRIx64 " %12" PRIu64 " %12" PRIu64 " %12" PRIu64 "\n",
               say_clean(stream->name, strlen(stream->name), name, sizeof name), stream->model_hash,
               stream->first_seq, stream->last_seq, stream->n_frames);
    }
}

int journal_each(const char *directory, struct celltap_journal_error *reterr,
                 int (*visit)(void *arg, const struct celltap_journal_entry *entry), void *arg)
{
    celltap_journal_reader *reader;
    struct celltap_journal_entry entry;
    int code = celltap_journal_reader_open(celltap_files_posix(), directory, 0, &reader, reterr);
    if (code != 0)
        return code;
    int more = 0;
    while (more == 0 && !stop_asked() && (code = celltap_journal_reader_next(reader, reterr)) == 1)
        while (more == 0 && celltap_journal_entry_next(reader, &entry) == 1)
            more = visit(arg, &entry);
    celltap_journal_reader_close(reader);
    return more != 0 ? 1 : code < 0 ? code : 0;
}

static int journal_on_ls(void *arg, const struct celltap_journal_entry *entry)
{
    return journal_count(arg, entry);
}

static int journal_ls_run(int argc, char **argv)
{
    struct journal_options options = {.journal = JOURNAL_DEFAULT};
    struct journal_streams streams = {0};
    struct celltap_journal_error error;
    struct celltap_journal_list list;
    int code = opts_parse(&journal_ls, argc, argv, &options, NULL);
    if (code != OPTS_RUN)
        return code;
    stop_catch();
    code = celltap_journal_list(celltap_files_posix(), options.journal, &list, &error);
    if (code == 0) {
        size_t n_segments = list.n_segments, n_snapshots = list.n_snapshots;
        celltap_journal_list_done(&list);
        code = journal_each(options.journal, &error, journal_on_ls, &streams);
        if (code == 1)
            snprintf(error.text, sizeof error.text, "out of memory");
        journal_print(&streams);
        printf("%s: %zu segment%s, %zu snapshot%s\n", options.journal, n_segments,
               n_segments == 1 ? "" : "s", n_snapshots, n_snapshots == 1 ? "" : "s");
    }
    for (size_t i = 0; i < streams.n; i++)
        free(streams.list[i].name);
    free(streams.list);
    stop_die();
    return code == 0 ? COMMAND_OK : journal_say(&error);
}

/* ---- export -------------------------------------------------------------------------------- */

struct journal_out {
    const char *stream;
    struct whole whole;
    size_t n_values;
    uint64_t n_rows;
    float *values; /* owned, [n_values] */
};

static int journal_on_export(void *arg, const struct celltap_journal_entry *entry)
{
    struct journal_out *out = arg;
    FILE *file = out->whole.file;
    char number[DIGITS_MAX];
    if (entry->mark || strcmp(entry->stream, out->stream) != 0)
        return 0;
    if (out->n_rows == 0 || entry->n_values > out->n_values) {
        float *values = realloc(out->values, (entry->n_values + 1) * sizeof *values);
        if (!values)
            return -1;
        out->values = values;
        out->n_values = entry->n_values;
    }
    if (out->n_rows++ == 0) {
        fputs("seq,ts,reset", file);
        for (size_t i = 0; i < entry->n_values; i++)
            fprintf(file, ",v%zu", i);
        fputc('\n', file);
    }
    celltap_journal_entry_sensed(entry, out->values);
    fprintf(file, "%" PRIu64 ",%" PRId64 ",%d", entry->seq, entry->ts_ns, entry->reset);
    for (size_t i = 0; i < entry->n_values; i++) {
        number[0] = '\0';
        if (!isnan(out->values[i]))
            digits_float(out->values[i], number);
        fprintf(file, ",%s", number);
    }
    fputc('\n', file);
    return ferror(file) ? -1 : 0;
}

static int journal_export_to(struct journal_out *out, const struct journal_options *options)
{
    struct celltap_journal_error error;
    char number[32];
    int code = journal_each(options->journal, &error, journal_on_export, out);
    free(out->values);
    if (code < 0)
        return journal_say(&error);
    if (out->n_rows == 0) {
        say_error("%s holds no frame of %s; celltap journal ls shows what it holds",
                  options->journal, out->stream);
        return COMMAND_FAILED;
    }
    bool is_stdout = whole_is_stdout(&out->whole);
    const char *path = out->whole.path;
    if (stop_asked())
        return COMMAND_FAILED;
    if (code > 0 && whole_is_unread(&out->whole))
        return COMMAND_OK;
    if (code > 0 || whole_commit(&out->whole) < 0) {
        say_error("%s: %s", path, strerror(errno));
        return COMMAND_FAILED;
    }
    if (!is_stdout)
        printf("%s: %s frames\n", path, progress_thousands(out->n_rows, number));
    return COMMAND_OK;
}

static int journal_export_run(int argc, char **argv)
{
    struct journal_options options = {.journal = JOURNAL_DEFAULT};
    struct journal_out out = {0};
    const char *arguments[1];
    int code = opts_parse(&journal_export, argc, argv, &options, arguments);
    if (code != OPTS_RUN)
        return code;
    out.stream = arguments[0];
    if (whole_open(options.output, &out.whole) < 0) {
        say_error("%s: %s", options.output, strerror(errno));
        return COMMAND_FAILED;
    }
    stop_catch();
    code = journal_export_to(&out, &options);
    whole_drop(&out.whole);
    stop_die();
    return code;
}

/* ---- the table ----------------------------------------------------------------------------- */

static const struct opts_row LS_ROWS[] = {JOURNAL_ROW(struct journal_options)};
static const struct opts_row EXPORT_ROWS[] = {
    JOURNAL_ROW(struct journal_options),
    {.name = "output",
     .letter = 'o',
     .kind = OPTS_TEXT,
     .value = "FILE",
     .offset = offsetof(struct journal_options, output),
     .sentence = "the csv file (stdout)"},
};

static const struct command journal_ls = {
    .name = "journal ls",
    .arguments = "[--journal DIR]",
    .sentence = "What a journal holds: streams, models, seqs.",
    .example = "  celltap journal ls --journal /var/lib/celltap/journal\n",
    .rows = LS_ROWS,
    .n_rows = 1,
    .run = journal_ls_run,
};
static const struct command journal_export = {
    .name = "journal export",
    .arguments = "STREAM [-o FILE.csv]",
    .sentence = "A stream's frames as csv, as they were stepped.",
    .example = "  celltap journal export pump/7 -o pump.csv\n",
    .rows = EXPORT_ROWS,
    .n_rows = 2,
    .n_arguments = 1,
    .run = journal_export_run,
};

static int journal_run(int argc, char **argv)
{
    static const struct command *const actions[] = {&journal_ls, &journal_verify_command,
                                                    &journal_export};
    static const char *const names[] = {"ls", "verify", "export"};
    for (size_t i = 0; argc > 1 && i < 3; i++)
        if (strcmp(argv[1], names[i]) == 0)
            return actions[i]->run(argc - 1, argv + 1);
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return opts_parse(&journal_command, argc, argv, NULL, NULL);
    say_error("usage: celltap journal ls|verify|export ...; see celltap journal --help");
    return COMMAND_USAGE;
}

/* For --help alone: the actions have options of their own. */
static const struct opts_row JOURNAL_ROWS[] = {
    JOURNAL_ROW(struct journal_options),
    {.name = "cut",
     .kind = OPTS_FLAG,
     .sentence = "verify: takes away all from the first fault on"},
    {.name = "output",
     .letter = 'o',
     .kind = OPTS_TEXT,
     .value = "FILE",
     .sentence = "export: the csv file (stdout)"},
};

const struct command journal_command = {
    .name = "journal",
    .arguments = "ls | verify | export STREAM",
    .sentence = "What a journal holds, whether it is whole, its frames as csv.",
    .example = "  celltap journal ls\n  celltap journal export pump/7 -o pump.csv\n",
    .rows = JOURNAL_ROWS,
    .n_rows = 3,
    .run = journal_run,
};
