/* replay.c - one stream's past timesteps again, from the nearest states before them.
 *
 *     snapshots   . . S . . . .        the newest whose seq (or time) of the stream is before FROM
 *     journal         |--step--|--give--|                 FROM ........ TO
 *
 * Without such a snapshot it begins at the journal's beginning: a stream's first frame there, and
 * every one after a reset, says that its states start afresh, so nothing else is needed.  Frames
 * before the first one with known states cannot be replayed, and the error says from where on it
 * can.  With another model the snapshots are of no use: it runs from the stream's oldest reset.
 *
 * A watched stream is watched here too, with the detector that the journal has of it: its states are
 * known from a snapshot, or from a frame at which its detector begins.  Where only how it judges has
 * changed, its states go on.  Another model is watched as the stream's own was, if it can be, so that
 * it gets its inputs in the same way: scaled, and with a clock.
 *
 * Memory is that of one record, a part of one snapshot, one model; however long the range. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/journal/folder.h"
#include "lib/journal/reader.h"
#include "lib/journal/replay_model.h"

#define REPLAY_RECORDS 256 /* of one call that finds nothing */

static bool replay_is_before(const struct celltap_replay *replay, uint64_t seq, int64_t ts_ns)
{
    return seq < replay->from_seq || (replay->by_time && ts_ns < replay->from_ts);
}

static bool replay_is_behind(const struct celltap_replay *replay, uint64_t seq, int64_t ts_ns)
{
    return seq > replay->to_seq || (replay->by_time && ts_ns > replay->to_ts);
}

/* ---- states -------------------------------------------------------------------------------- */

enum replay_place { REPLAY_ABSENT, REPLAY_BEFORE, REPLAY_NOT_BEFORE };

/* Where the stream stands in a snapshot. */
static enum replay_place replay_find_stream(const struct celltap_replay *replay,
                                            celltap_snapshot *snapshot,
                                            struct celltap_snapshot_stream *ret_stream)
{
    size_t n = strlen(replay->name);
    while (celltap_snapshot_next(snapshot, ret_stream, NULL) == 1)
        if (ret_stream->name_bytes == n && memcmp(ret_stream->name, replay->name, n) == 0)
            return ret_stream->n_frames == 0 ? REPLAY_ABSENT
                   : replay_is_before(replay, ret_stream->seq, ret_stream->ts_ns)
                       ? REPLAY_BEFORE
                       : REPLAY_NOT_BEFORE;
    return REPLAY_ABSENT;
}

static int replay_take_states(struct celltap_replay *replay, celltap_snapshot *snapshot,
                              struct celltap_journal_error *reterr)
{
    struct celltap_snapshot_stream stream;
    if (replay_find_stream(replay, snapshot, &stream) != REPLAY_BEFORE)
        return CELLTAP_EGONE;
    int code = replay_model_load(replay, stream.model_hash, stream.detector_hash, reterr);
    if (code == 0)
        code = celltap_stream_load(replay->stream, stream.state, stream.state_bytes);
    if (code != 0)
        return code;
    replay->seq = stream.seq;
    replay->has_seq = true;
    replay->known = replay->of_snapshot = true;
    replay->reset_next = stream.reset_next;
    replay->rewarm_next = stream.rewarm_next;
    replay->start = celltap_snapshot_position(snapshot);
    return 0;
}

/* One that is not whole tells nothing, as if the stream were not in it.  What is not before the
 * range holds states from which a part of it follows. */
static enum replay_place replay_look(struct celltap_replay *replay, uint64_t position)
{
    celltap_snapshot *snapshot;
    struct celltap_snapshot_stream stream;
    if (celltap_snapshot_open(replay->files, replay->directory, position, &snapshot, NULL) != 0)
        return REPLAY_ABSENT;
    enum replay_place place = replay_find_stream(replay, snapshot, &stream);
    if (place == REPLAY_NOT_BEFORE)
        replay->held_from = stream.seq + 1;
    celltap_snapshot_close(snapshot);
    return place;
}

static bool replay_try(struct celltap_replay *replay, uint64_t position)
{
    celltap_snapshot *snapshot;
    if (celltap_snapshot_open(replay->files, replay->directory, position, &snapshot, NULL) != 0)
        return false;
    int code = replay_take_states(replay, snapshot, NULL);
    celltap_snapshot_close(snapshot);
    if (code == 0)
        return true;
    replay_model_drop(replay);
    replay->has_seq = false;
    return false;
}

/* Whether no stream can have gone before this snapshot, as far as the journal goes back: where one
 * goes, by a reload or a start with another configuration, a new epoch begins. */
static bool replay_is_first_epoch(const struct celltap_replay *replay, uint64_t position)
{
    celltap_snapshot *snapshot;
    celltap_journal_reader *oldest;
    bool is_first = false;
    if (celltap_snapshot_open(replay->files, replay->directory, position, &snapshot, NULL) != 0)
        return false;
    if (celltap_journal_reader_open(replay->files, replay->directory, 0, &oldest, NULL) == 0) {
        is_first = reader_epoch(oldest) == celltap_snapshot_epoch(snapshot);
        celltap_journal_reader_close(oldest);
    }
    celltap_snapshot_close(snapshot);
    return is_first;
}

/* The newest snapshot before the range: a stream's seq rises from one snapshot to the next, so it is
 * found by halving, where a stream that is not there is one that is not yet there.  That it was there
 * once and had gone is found by looking at all those before.  If it was not, and no reload can have
 * taken it away, its first frame follows the last of them. */
static void replay_find_snapshot(struct celltap_replay *replay,
                                 const struct celltap_journal_list *list)
{
    size_t first = 0, low, high = list->n_snapshots;
    while (first < high && list->n_segments > 0 && list->snapshots[first] < list->segments[0])
        first++;
    for (low = first; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (replay_look(replay, list->snapshots[middle]) != REPLAY_NOT_BEFORE)
            low = middle + 1;
        else
            high = middle;
    }
    if (low > first && replay_try(replay, list->snapshots[low - 1]))
        return;
    size_t born = low; /* the oldest snapshot that has it, as far as is known */
    for (size_t i = low; i-- > first;) {
        enum replay_place place = replay_look(replay, list->snapshots[i]);
        if (place == REPLAY_BEFORE && replay_try(replay, list->snapshots[i]))
            return;
        if (place == REPLAY_NOT_BEFORE)
            born = i;
    }
    if (born > first && born < list->n_snapshots &&
        replay_is_first_epoch(replay, list->snapshots[born - 1]))
        replay->start = list->snapshots[born - 1];
}

/* ---- opening ------------------------------------------------------------------------------ */

int celltap_replay_open(const struct celltap_replay_options *options, celltap_replay **ret_replay,
                        struct celltap_journal_error *reterr)
{
    struct celltap_journal_list list;
    size_t name = strlen(options->stream) + 1, directory = strlen(options->directory) + 1;
    struct celltap_replay *replay = alloc_new(1, sizeof *replay + name + directory);
    if (replay == NULL)
        return folder_fail(reterr, CELLTAP_ENOMEM, 0, "out of memory");
    replay->name = memcpy(replay + 1, options->stream, name);
    replay->directory = memcpy(replay->name + name, options->directory, directory);
    replay->files = options->files;
    replay->by_time = options->by_time;
    replay->from_seq = options->from_seq;
    replay->to_seq = options->to_seq;
    replay->from_ts = options->from_ts;
    replay->to_ts = options->to_ts;
    replay->fixed_model = options->model != NULL;
    int code = 0;
    if (options->model != NULL)
        code = replay_model_take(replay, celltap_model_ref(options->model));
    if (code == 0)
        code = celltap_journal_list(options->files, replay->directory, &list, reterr);
    if (code != 0)
        goto fail;
    if (!replay->fixed_model)
        replay_find_snapshot(replay, &list);
    celltap_journal_list_done(&list);
    code = celltap_journal_reader_open(replay->files, replay->directory, replay->start,
                                       &replay->reader, reterr);
    if (code != 0)
        goto fail;
    replay->start = celltap_journal_reader_position(replay->reader);
    *ret_replay = replay;
    return 0;
fail:
    celltap_replay_close(replay);
    return code;
}

void celltap_replay_close(celltap_replay *replay)
{
    if (replay == NULL)
        return;
    replay_model_drop(replay);
    celltap_journal_reader_close(replay->reader);
    alloc_free(replay);
}

/* ---- stepping ----------------------------------------------------------------------------- */

/* The range begins with frames whose states are not known.  afresh: the first seq behind them that
 * starts afresh; 0: none. */
static int replay_gone(struct celltap_replay *replay, uint64_t afresh,
                       struct celltap_journal_error *reterr)
{
    if (replay->held_from == 0 || (afresh != 0 && afresh < replay->held_from))
        replay->held_from = afresh;
    if (replay->held_from > replay->to_seq)
        replay->held_from = 0;
    if (replay->held_from == 0)
        return folder_fail(reterr, CELLTAP_EGONE, 0,
                           "the states before that are not kept any more, and %s has not started "
                           "afresh since",
                           replay->name);
    return folder_fail(reterr, CELLTAP_EGONE, 0,
                       "the states before that are not kept any more; %s can be replayed from seq "
                       "%" PRIu64 " on",
                       replay->name, replay->held_from);
}

/* Brings the states to what the frame expects before it.  1: step it, 0: its states are unknown. */
static int replay_prepare(struct celltap_replay *replay, const struct celltap_journal_entry *entry,
                          struct celltap_journal_error *reterr)
{
    bool rewarm = entry->rewarm || replay->rewarm_next, afresh = entry->reset || replay->reset_next;
    replay->reset_next = replay->rewarm_next = false;
    int code = replay_model_prepare(replay, entry, reterr);
    if (code != 0)
        return code;
    if (entry->n_values != celltap_stream_n_values(replay->stream))
        return folder_fail(reterr, CELLTAP_ELENGTH, 0,
                           "%s has frames of %zu values at seq %" PRIu64 ", the model takes %zu",
                           replay->name, entry->n_values, entry->seq,
                           celltap_stream_n_values(replay->stream));
    bool own_detector = replay->detector != NULL && !replay->fixed_model;
    if (rewarm || (replay->fixed_model && entry->born))
        celltap_stream_rewarm(replay->stream);
    else if (own_detector && entry->born)
        celltap_journal_detector_begin(replay->detector, replay->stream);
    else if (afresh)
        celltap_stream_reset(replay->stream);
    replay->known |= own_detector ? entry->born || rewarm : afresh;
    return replay->known;
}

/* 1, or CELLTAP_ENOMEM. */
static int replay_step(struct celltap_replay *replay, const struct celltap_journal_entry *entry,
                       struct celltap_journal_error *reterr)
{
    if (replay->fixed_model ? replay->watched : replay->detector != NULL)
        celltap_journal_entry_sensed(entry, replay->values);
    else
        celltap_journal_entry_values(entry, replay->values);
    celltap_stream_at(replay->stream, entry->ts_ns);
    int code = celltap_step(replay->panel, replay->stream, replay->values, entry->n_values);
    return code == 0 ? 1 : folder_fail(reterr, code, 0, "%s", celltap_strerror(code));
}

/* One frame of the stream.  1: it is of the range and stepped, 0: go on. */
static int replay_frame(struct celltap_replay *replay, const struct celltap_journal_entry *entry,
                        struct celltap_replay_step *ret_step, struct celltap_journal_error *reterr)
{
    /* The snapshot has it already.  Later a smaller seq is that of a stream that went and came. */
    if (entry->mark || (replay->of_snapshot && entry->seq <= replay->seq))
        return 0;
    bool before = replay_is_before(replay, entry->seq, entry->ts_ns);
    if (!before && replay_is_behind(replay, entry->seq, entry->ts_ns)) {
        /* Times may go back; a seq does not. */
        if (entry->seq > replay->to_seq) {
            /* The first one that is held, but not the stream's first: the range may be gone. */
            replay->missed |= !replay->has_seq && !entry->reset && !entry->born;
            replay->done = true;
            return 0;
        }
    }
    int code = replay_prepare(replay, entry, reterr);
    replay->seq = entry->seq;
    replay->has_seq = true;
    replay->of_snapshot = false;
    if (code < 0)
        return code;
    if (code == 0) {
        replay->missed |= !before;
        bool held = replay->held_from != 0 && entry->seq + 1 >= replay->held_from;
        return replay->missed && held ? replay_gone(replay, 0, reterr) : 0;
    }
    if (replay->missed && !before)
        return replay_gone(replay, entry->seq, reterr);
    code = replay_step(replay, entry, reterr);
    if (code < 0 || before || replay_is_behind(replay, entry->seq, entry->ts_ns))
        return code < 0 ? code : 0;
    *ret_step = (struct celltap_replay_step){
        .seq = entry->seq,
        .ts_ns = entry->ts_ns,
        .model_hash = replay->fixed_model ? 0 : replay->model_hash,
        .model = replay->model,
        .panel = replay->panel,
        .stream = replay->stream,
        .values = replay->values,
        .n_values = entry->n_values,
    };
    return 1;
}

static bool replay_is_mine(const struct celltap_replay *replay,
                           const struct celltap_journal_entry *entry)
{
    void *mine = replay->name;
    if (*entry->tag == NULL)
        *entry->tag = strcmp(entry->stream, replay->name) == 0 ? mine : replay->reader;
    return *entry->tag == mine;
}

static int replay_end(struct celltap_replay *replay, struct celltap_journal_error *reterr)
{
    /* Snapshots have the stream, but of its frames none is held. */
    bool none = !replay->done && !replay->has_seq && replay->held_from != 0;
    return replay->missed || none ? replay_gone(replay, 0, reterr) : 0;
}

int celltap_replay_next(celltap_replay *replay, struct celltap_replay_step *ret_step,
                        struct celltap_journal_error *reterr)
{
    struct celltap_journal_entry entry;
    for (size_t i = 0; i < REPLAY_RECORDS && !replay->done;) {
        if (!replay->in_record) {
            int code = celltap_journal_reader_next(replay->reader, reterr);
            if (code < 0)
                return code;
            if (code == 0)
                return replay_end(replay, reterr);
            replay->in_record = true;
            i++;
        }
        while (!replay->done && celltap_journal_entry_next(replay->reader, &entry) == 1) {
            if (!replay_is_mine(replay, &entry))
                continue;
            if (entry.mark && replay->has_seq && entry.seq == replay->seq) {
                replay->reset_next = true;
                replay->rewarm_next |= entry.rewarm;
            }
            int code = replay_frame(replay, &entry, ret_step, reterr);
            if (code != 0)
                return code;
        }
        replay->in_record = false;
    }
    return replay->done ? replay_end(replay, reterr) : CELLTAP_REPLAY_ON;
}

uint64_t celltap_replay_held_from(const celltap_replay *replay)
{
    return replay->held_from;
}

void celltap_replay_progress(const celltap_replay *replay, uint64_t *ret_n_bytes,
                             uint64_t *ret_total)
{
    uint64_t end = celltap_journal_reader_end(replay->reader);
    *ret_n_bytes = celltap_journal_reader_position(replay->reader) - replay->start;
    *ret_total = end > replay->start ? end - replay->start : 0;
}
