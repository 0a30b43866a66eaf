/* journal_verify.c - celltap journal verify: whether a journal is as it was written, and complete.
 *
 *     every byte of every segment, snapshot, model and detector;  --cut: from the first fault on it
 *                                                                 goes
 *     entries, snapshots --> models and detectors that they name: each is to be there
 *
 * Only --cut writes, and only while no daemon holds the journal's lock. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cli/journal.h"
#include "cli/progress.h"
#include "cli/say.h"

struct verify_options {
    const char *journal;
    bool cut;
};

static int verify_say(const struct celltap_journal_error *error)
{
    say_error("%s", error->text);
    return COMMAND_FAILED;
}

static void verify_progress(void *arg, uint64_t n_bytes)
{
    progress_show(arg, n_bytes >> 20, n_bytes);
}

/* ---- what is kept -------------------------------------------------------------------------- */

/* A model or detector that is kept: whether it is the file of its name.  Other files are. */
static bool verify_kept_is_whole(const char *directory, const char *name)
{
    const struct celltap_files *files = celltap_files_posix();
    struct celltap_journal_error error;
    celltap_journal_detector *detector;
    celltap_model *model;
    char *end;
    int code = 0;
    uint64_t hash = strtoull(name, &end, 16);
    if (end == name + 16 && strcmp(end, ".onnx") == 0) {
        code = celltap_journal_load_model(files, directory, hash, &model, &error);
        if (code == 0)
            celltap_model_unref(model);
    } else if (end == name + 16 && strcmp(end, ".detector") == 0) {
        code = celltap_journal_load_detector(files, directory, hash, &detector, &error);
        if (code == 0)
            celltap_journal_detector_unref(detector);
    }
    if (code != 0)
        say_error("%s", error.text);
    return code == 0;
}

/* Returns how many are not whole. */
static size_t verify_kept(const char *directory)
{
    size_t n_bad = 0;
    const struct dirent *entry;
    DIR *list = opendir(directory);
    while (list != NULL && (entry = readdir(list)) != NULL)
        n_bad += !verify_kept_is_whole(directory, entry->d_name);
    if (list != NULL)
        closedir(list);
    return n_bad;
}

/* ---- what is named ------------------------------------------------------------------------- */

/* The files that entries and snapshots name, each looked for once. */
struct verify_named {
    const char *directory;
    struct verify_name {
        uint64_t hash;
        const char *kind;
    } * list; /* [n] owned */
    size_t n, n_missing;
};

/* 0, or -1: no memory. */
static int verify_look(struct verify_named *named, uint64_t hash, const char *kind,
                       const char *stream, uint64_t seq)
{
    char path[4096], name[300];
    for (size_t i = 0; i < named->n; i++)
        if (named->list[i].hash == hash && named->list[i].kind == kind)
            return 0;
    struct verify_name *list = realloc(named->list, (named->n + 1) * sizeof *list);
    if (!list)
        return -1;
    named->list = list;
    list[named->n++] = (struct verify_name){hash, kind};
    snprintf(path, sizeof path, "%s/%016" PRIx64 "%s", named->directory, hash, kind);
    if (access(path, F_OK) == 0)
        return 0;
    say_error("%s: %s; without it what %s did at seq %" PRIu64 " cannot be replayed", path,
              strerror(errno), say_clean(stream, strlen(stream), name, sizeof name), seq);
    named->n_missing++;
    return 0;
}

static int verify_look_for(struct verify_named *named, uint64_t model_hash, uint64_t detector_hash,
                           const char *stream, uint64_t seq)
{
    int code = verify_look(named, model_hash, ".onnx", stream, seq);
    return code == 0 && detector_hash != 0
               ? verify_look(named, detector_hash, ".detector", stream, seq)
               : code;
}

static int verify_on_entry(void *arg, const struct celltap_journal_entry *entry)
{
    if (*entry->tag != NULL)
        return 0;
    *entry->tag = arg;
    return verify_look_for(arg, entry->model_hash, entry->detector_hash, entry->stream, entry->seq);
}

/* Not 0: it has been said. */
static int verify_in_snapshot(struct verify_named *named, celltap_snapshot *snapshot)
{
    struct celltap_snapshot_stream stream;
    struct celltap_journal_error error = {"out of memory"};
    char name[256];
    int code;
    while ((code = celltap_snapshot_next(snapshot, &stream, &error)) == 1) {
        snprintf(name, sizeof name, "%.*s", (int)stream.name_bytes, stream.name);
        code = verify_look_for(named, stream.model_hash, stream.detector_hash, name, stream.seq);
        if (code != 0)
            break;
    }
    return code == 0 ? 0 : verify_say(&error);
}

/* ---- snapshots ----------------------------------------------------------------------------- */

/* *ret_synced: the newest whole snapshot's position.  Returns how many are not whole. */
static size_t verify_snapshots(const struct celltap_journal_list *list, struct verify_named *named,
                               uint64_t *ret_synced)
{
    size_t n_bad = 0;
    for (size_t i = 0; i < list->n_snapshots; i++) {
        celltap_snapshot *snapshot;
        struct celltap_journal_error error;
        if (celltap_snapshot_open(celltap_files_posix(), named->directory, list->snapshots[i],
                                  &snapshot, &error) != 0) {
            say_error("%s", error.text);
            n_bad++;
            continue;
        }
        n_bad += verify_in_snapshot(named, snapshot) != 0;
        *ret_synced = celltap_snapshot_position(snapshot);
        celltap_snapshot_close(snapshot);
    }
    return n_bad;
}

/* ---- the journal --------------------------------------------------------------------------- */

/* The lock that a daemon holds.  A descriptor, or -1 and said. */
static int verify_lock(const char *directory)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/lock", directory);
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0)
        return lock;
    if (lock >= 0) {
        close(lock);
        say_error("a celltapd writes to %s; stop it first", directory);
    } else {
        say_error("%s: %s", path, strerror(errno));
    }
    return -1;
}

static int verify_cut(const char *directory, const struct celltap_journal_check *check)
{
    struct celltap_journal_error error;
    int lock = verify_lock(directory);
    if (lock < 0)
        return COMMAND_FAILED;
    int code = celltap_journal_cut(celltap_files_posix(), directory, check->end, &error);
    close(lock);
    if (code != 0)
        return verify_say(&error);
    printf("%s: cut at position %" PRIu64 "; %" PRIu64 " bytes are gone\n", directory, check->end,
           check->n_behind);
    return COMMAND_OK;
}

static int verify_verdict(const struct verify_options *options,
                          const struct celltap_journal_check *check, size_t n_bad)
{
    char a[32], b[32], c[32];
    printf("%s: %s records with %s entries in %s bytes, %" PRIu64 " segments\n", options->journal,
           progress_thousands(check->n_records, a), progress_thousands(check->n_frames, b),
           progress_thousands(check->n_bytes, c), check->n_segments);
    if (check->health == CELLTAP_JOURNAL_FOREIGN) {
        fflush(stdout);
        say_error("%016" PRIx64 ".seg: %s; use that version's celltap", check->bad_segment,
                  check->reason);
        return COMMAND_FAILED;
    }
    if (check->health != CELLTAP_JOURNAL_WHOLE) {
        bool torn = check->health == CELLTAP_JOURNAL_TORN;
        fflush(stdout);
        if (!options->cut)
            say_error("%s: %016" PRIx64 ".seg, offset %" PRIu64 ": %s; %s",
                      torn ? "torn" : "damaged", check->bad_segment, check->bad_offset,
                      check->reason,
                      torn ? "the next start cuts it off" : "--cut cuts the journal off there");
        return options->cut ? verify_cut(options->journal, check) : COMMAND_FAILED;
    }
    return n_bad == 0 ? COMMAND_OK : COMMAND_FAILED;
}

static int verify_run(int argc, char **argv)
{
    struct verify_options options = {.journal = JOURNAL_DEFAULT};
    struct celltap_journal_error error;
    struct celltap_journal_list list;
    struct celltap_journal_check check = {0};
    struct progress progress;
    struct verify_named named = {0};
    uint64_t synced = 0;
    int code = opts_parse(&journal_verify_command, argc, argv, &options, NULL);
    if (code != OPTS_RUN)
        return code;
    if (celltap_journal_list(celltap_files_posix(), options.journal, &list, &error) != 0)
        return verify_say(&error);
    named.directory = options.journal;
    size_t n_bad = verify_kept(options.journal);
    n_bad += journal_each(options.journal, &error, verify_on_entry, &named) == 1; /* no memory */
    n_bad += verify_snapshots(&list, &named, &synced) + named.n_missing;
    celltap_journal_list_done(&list);
    free(named.list);
    progress_start(&progress, "MiB", 0, PROGRESS_SILENT);
    code = celltap_journal_check(celltap_files_posix(), options.journal, synced, verify_progress,
                                 &progress, &check, &error);
    progress_clear(&progress);
    return code == 0 ? verify_verdict(&options, &check, n_bad) : verify_say(&error);
}

static const struct opts_row VERIFY_ROWS[] = {
    JOURNAL_ROW(struct verify_options),
    {.name = "cut",
     .kind = OPTS_FLAG,
     .offset = offsetof(struct verify_options, cut),
     .sentence = "takes away all from the first fault on"},
};

const struct command journal_verify_command = {
    .name = "journal verify",
    .arguments = "[--journal DIR] [--cut]",
    .sentence = "Whether every byte is as it was written.",
    .example = "  celltap journal verify\n",
    .rows = VERIFY_ROWS,
    .n_rows = 2,
    .run = verify_run,
};
