/* check.c - every byte of a journal looked at; its end cut; its beginning let go.
 *
 *     segment | segment | segment ... torn?     --cut-->   whole
 *     ^ retain: oldest first, as far as nothing needs them
 *
 * Reads and unlinks; nothing here runs beside a writer but retain. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/journal/folder.h"
#include "lib/journal/reader.h"
#include "lib/journal/segment.h"

#define CHECK_PROGRESS_RECORDS 4096

static void check_fault(celltap_journal_reader *reader, uint64_t synced,
                        struct celltap_journal_check *check, int *code,
                        struct celltap_journal_error *reterr)
{
    struct reader_fault fault = reader_fault(reader);
    bool was = false;
    *code = reader_was_synced(reader, &was, reterr);
    was |= synced > check->end;
    check->health = was ? CELLTAP_JOURNAL_DAMAGED : CELLTAP_JOURNAL_TORN;
    if (strcmp(fault.reason, SEGMENT_OTHER_VERSION) == 0)
        check->health = CELLTAP_JOURNAL_FOREIGN;
    check->bad_segment = fault.segment;
    check->bad_offset = fault.offset;
    check->n_behind = reader_behind(reader);
    snprintf(check->reason, sizeof check->reason, "%s", fault.reason);
}

int celltap_journal_check(const struct celltap_files *files, const char *directory, uint64_t synced,
                          void (*progress)(void *arg, uint64_t n_bytes), void *arg,
                          struct celltap_journal_check *ret_check,
                          struct celltap_journal_error *reterr)
{
    struct celltap_journal_check check = {0};
    celltap_journal_reader *reader;
    int code = celltap_journal_reader_open(files, directory, 0, &reader, reterr);
    if (code != 0)
        return code;
    check.n_segments = reader_n_segments(reader);
    if (check.n_segments > 0) {
        check.first = reader_first(reader);
        while ((code = reader_next_strict(reader, reterr)) == 1) {
            check.n_records++;
            check.n_frames += reader_n_entries(reader);
            if (progress != NULL && check.n_records % CHECK_PROGRESS_RECORDS == 0)
                progress(arg, celltap_journal_reader_position(reader) - check.first);
        }
        check.epoch = reader_epoch(reader);
        check.end = celltap_journal_reader_position(reader);
        check.n_bytes = check.end - check.first;
        if (code == CELLTAP_EDAMAGED)
            check_fault(reader, synced, &check, &code, reterr);
        else if (code == 0 && synced > check.end) {
            check.health = CELLTAP_JOURNAL_DAMAGED;
            check.bad_segment = reader_segment(reader);
            check.bad_offset = check.end - check.bad_segment;
            snprintf(check.reason, sizeof check.reason,
                     "the journal ends before position %" PRIu64 ", to where it was safe", synced);
        }
    }
    celltap_journal_reader_close(reader);
    if (code == 0)
        *ret_check = check;
    return code;
}

int celltap_journal_cut(const struct celltap_files *files, const char *directory, uint64_t position,
                        struct celltap_journal_error *reterr)
{
    char path[FOLDER_PATH_MAX];
    struct celltap_journal_list list;
    int code = celltap_journal_list(files, directory, &list, reterr);
    if (code != 0)
        return code;
    /* From the end: whatever interrupts this leaves a journal with one end. */
    for (size_t i = list.n_snapshots; code == 0 && i-- > 0 && list.snapshots[i] > position;)
        code = files->unlink(files->arg,
                             folder_path(path, directory, list.snapshots[i], FOLDER_SNAPSHOT));
    for (size_t i = list.n_segments; code == 0 && i-- > 0;) {
        folder_path(path, directory, list.segments[i], FOLDER_SEGMENT);
        if (list.segments[i] + SEGMENT_HEAD_BYTES > position) {
            code = files->unlink(files->arg, path);
            continue;
        }
        code = files->cut(files->arg, path, position - list.segments[i]);
        break;
    }
    celltap_journal_list_done(&list);
    if (code == 0)
        code = files->sync_dir(files->arg, directory);
    return code == 0 ? 0 : folder_fail(reterr, CELLTAP_EIO, code, "%s", directory);
}

int celltap_journal_sync_from(const struct celltap_files *files, const char *directory,
                              uint64_t position, struct celltap_journal_error *reterr)
{
    char path[FOLDER_PATH_MAX];
    struct celltap_journal_list list;
    int code = celltap_journal_list(files, directory, &list, reterr);
    if (code != 0)
        return code;
    for (size_t i = 0; code == 0 && i < list.n_segments; i++) {
        if (i + 1 < list.n_segments && list.segments[i + 1] <= position)
            continue;
        int file = files->open(
            files->arg, folder_path(path, directory, list.segments[i], FOLDER_SEGMENT), false);
        code = file < 0 ? file : files->sync(files->arg, file);
        if (file >= 0)
            files->close(files->arg, file);
    }
    celltap_journal_list_done(&list);
    if (code == 0)
        code = files->sync_dir(files->arg, directory);
    return code == 0 ? 0 : folder_fail(reterr, CELLTAP_EIO, code, "%s", directory);
}

/* ---- retention ---------------------------------------------------------------------------- */

static uint64_t retain_bytes_of(const struct celltap_files *files, const char *directory,
                                const uint64_t *numbers, size_t n, const char *kind)
{
    char path[FOLDER_PATH_MAX];
    uint64_t n_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        int file = files->open(files->arg, folder_path(path, directory, numbers[i], kind), false);
        if (file < 0)
            continue;
        int64_t size = files->size(files->arg, file);
        n_bytes += size > 0 ? (uint64_t)size : 0;
        files->close(files->arg, file);
    }
    return n_bytes;
}

int celltap_journal_retain(const struct celltap_files *files, const char *directory,
                           uint64_t needed, uint64_t max_bytes, uint64_t max_age_s,
                           struct celltap_journal_error *reterr)
{
    char path[FOLDER_PATH_MAX];
    struct celltap_journal_list list;
    size_t segment = 0, snapshot = 0;
    int code = celltap_journal_list(files, directory, &list, reterr);
    if (code != 0)
        return code;
    uint64_t left =
        retain_bytes_of(files, directory, list.segments, list.n_segments, FOLDER_SEGMENT) +
        retain_bytes_of(files, directory, list.snapshots, list.n_snapshots, FOLDER_SNAPSHOT);
    while (segment + 1 < list.n_segments && list.segments[segment + 1] <= needed) {
        folder_path(path, directory, list.segments[segment], FOLDER_SEGMENT);
        int64_t age_s = max_age_s != 0 ? files->age_s(files->arg, path) : 0;
        bool old = max_age_s != 0 && age_s > 0 && (uint64_t)age_s > max_age_s;
        if (left <= max_bytes && !old)
            break;
        left -= retain_bytes_of(files, directory, &list.segments[segment], 1, FOLDER_SEGMENT);
        code = files->unlink(files->arg, path);
        if (code != 0)
            break;
        segment++;
        /* Of no use any more: the records that would have to follow are gone. */
        while (code == 0 && snapshot < list.n_snapshots &&
               list.snapshots[snapshot] < list.segments[segment]) {
            left -=
                retain_bytes_of(files, directory, &list.snapshots[snapshot], 1, FOLDER_SNAPSHOT);
            code = files->unlink(files->arg, folder_path(path, directory, list.snapshots[snapshot],
                                                         FOLDER_SNAPSHOT));
            snapshot++;
        }
    }
    celltap_journal_list_done(&list);
    if (code != 0)
        return folder_fail(reterr, CELLTAP_EIO, code, "%s", path);
    return (int)(segment + snapshot);
}

/* ---- models ------------------------------------------------------------------------------- */

int celltap_journal_keep_model(const struct celltap_files *files, const char *directory,
                               uint64_t hash, const void *bytes, size_t n_bytes,
                               struct celltap_journal_error *reterr)
{
    return folder_keep(files, directory, hash, FOLDER_MODEL, bytes, n_bytes, reterr);
}

int celltap_journal_load_model(const struct celltap_files *files, const char *directory,
                               uint64_t hash, celltap_model **ret_model,
                               struct celltap_journal_error *reterr)
{
    char path[FOLDER_PATH_MAX];
    struct celltap_diagnosis why;
    celltap_model *model;
    unsigned char *bytes;
    size_t n_bytes;
    folder_path(path, directory, hash, FOLDER_MODEL);
    int code = folder_read(files, path, &bytes, &n_bytes, reterr);
    if (code != 0)
        return code;
    code = celltap_model_load_bytes(bytes, n_bytes, &model, &why);
    alloc_free(bytes);
    if (code == CELLTAP_ENOMEM)
        return folder_fail(reterr, code, 0, "%s: out of memory", path);
    if (code != 0)
        return folder_fail(reterr, CELLTAP_EDAMAGED, 0, "%s: %s", path, why.text);
    if (celltap_model_hash(model) != hash) {
        celltap_model_unref(model);
        return folder_fail(reterr, CELLTAP_EDAMAGED, 0, "%s is not the file of that name", path);
    }
    *ret_model = model;
    return 0;
}
