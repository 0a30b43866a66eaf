/* celltap_journal.h - what was fed in, kept on disk: written, checked, read, and replayed.
 *
 *     DIR/  <position>.seg    records, one per turn of the loop        see celltap-journal(7)
 *           <position>.snap   states of all streams as of a position
 *           <hash>.onnx       the models that these need
 *           <hash>.detector   and how their streams are watched
 *
 * A position is a byte's place in the journal since it began, over all segments; a segment is named
 * by its first.  All files are reached through a celltap_files, so that a test can be the disk.
 *
 * Threads: an object is used by one thread at a time; celltap_journal_sync_run may run beside the
 * thread that writes.  Reading needs no lock, also while another process writes. */
#ifndef CELLTAP_JOURNAL_H
#define CELLTAP_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "celltap.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- files -------------------------------------------------------------------------------- */

/* All return 0 or a count, or a negative errno.  A write that fails may have written a part. */
struct celltap_files {
    void *arg;
    int (*open)(void *arg, const char *path, bool anew); /* anew: empty, to write; else to read */
    void (*close)(void *arg, int file);
    int64_t (*size)(void *arg, int file);
    int64_t (*read)(void *arg, int file, void *ret_bytes, size_t n_bytes, uint64_t at);
    int (*write)(void *arg, int file, const void *bytes, size_t n_bytes, uint64_t at);
    int (*sync)(void *arg, int file);
    int (*cut)(void *arg, const char *path, uint64_t n_bytes); /* and syncs */
    int (*rename)(void *arg, const char *from, const char *to);
    int (*unlink)(void *arg, const char *path);
    int (*make_dir)(void *arg, const char *path); /* 0 also if it is there */
    int (*sync_dir)(void *arg, const char *path);
    int (*list)(void *arg, const char *path, void (*each)(void *each_arg, const char *name),
                void *each_arg);
    int64_t (*age_s)(void *arg, const char *path); /* since it was last written to */
};

CELLTAP_API const struct celltap_files *celltap_files_posix(void);

/* Why something failed: one line, with the file. */
struct celltap_journal_error {
    char text[512];
};

/* ---- what lies in a directory ------------------------------------------------------------- */

struct celltap_journal_list {
    uint64_t *segments, *snapshots; /* [n_...] owned: positions, rising */
    size_t n_segments, n_snapshots;
};

CELLTAP_API int celltap_journal_list(const struct celltap_files *files, const char *directory,
                                     struct celltap_journal_list *ret_list,
                                     struct celltap_journal_error *reterr);
CELLTAP_API void celltap_journal_list_done(struct celltap_journal_list *list);

/* Unlinks the snapshots, models and detectors that were being written, beside their places, when a
 * process ended.  Nobody may be writing there.  CELLTAP_EIO, _ENOMEM. */
CELLTAP_API int celltap_journal_tidy(const struct celltap_files *files, const char *directory,
                                     struct celltap_journal_error *reterr);

enum celltap_journal_health {
    CELLTAP_JOURNAL_WHOLE,
    CELLTAP_JOURNAL_TORN,    /* the end was never synced and is not whole: to be cut off */
    CELLTAP_JOURNAL_DAMAGED, /* what was once safe is not whole any more */
    CELLTAP_JOURNAL_FOREIGN  /* another version of celltap has written it, and reads it */
};

struct celltap_journal_check {
    enum celltap_journal_health health;
    uint64_t first, end; /* positions; end: of the last whole record before any fault */
    uint64_t n_segments, n_records, n_frames, n_bytes;
    uint64_t epoch;                   /* of the last whole segment header */
    uint64_t bad_segment, bad_offset; /* where a fault is: the segment's position, byte in it */
    uint64_t n_behind;                /* bytes from there to the journal's end */
    char reason[128];
};

/* Looks at every byte of every segment.  synced: up to here the journal was safe on disk, as the
 * caller knows from elsewhere (0: nothing known).  progress (may be NULL) is called now and then.
 * CELLTAP_EIO, _ENOMEM. */
CELLTAP_API int celltap_journal_check(const struct celltap_files *files, const char *directory,
                                      uint64_t synced,
                                      void (*progress)(void *arg, uint64_t n_bytes), void *arg,
                                      struct celltap_journal_check *ret_check,
                                      struct celltap_journal_error *reterr);

/* Takes away everything from a position on. */
CELLTAP_API int celltap_journal_cut(const struct celltap_files *files, const char *directory,
                                    uint64_t position, struct celltap_journal_error *reterr);

/* Syncs all segments that reach beyond a position: what was written before is safe then. */
CELLTAP_API int celltap_journal_sync_from(const struct celltap_files *files, const char *directory,
                                          uint64_t position, struct celltap_journal_error *reterr);

/* Unlinks the oldest segments while the directory holds more than max_bytes, or they are older than
 * max_age_s (0: any age), but nothing at or behind `needed`; and the snapshots that lie before the
 * first segment that is left.  Returns how many files went. */
CELLTAP_API int celltap_journal_retain(const struct celltap_files *files, const char *directory,
                                       uint64_t needed, uint64_t max_bytes, uint64_t max_age_s,
                                       struct celltap_journal_error *reterr);

/* Keeps a copy of a model's file under its hash; nothing to do if it is there. */
CELLTAP_API int celltap_journal_keep_model(const struct celltap_files *files, const char *directory,
                                           uint64_t hash, const void *bytes, size_t n_bytes,
                                           struct celltap_journal_error *reterr);

/* Loads a model that was kept.  CELLTAP_EGONE: it is not there; CELLTAP_EDAMAGED: it has another
 * hash than its name says. */
CELLTAP_API int celltap_journal_load_model(const struct celltap_files *files, const char *directory,
                                           uint64_t hash, celltap_model **ret_model,
                                           struct celltap_journal_error *reterr);

/* ---- detectors ---------------------------------------------------------------------------- */

/* How streams of a model are watched: options, and perhaps what they begin with instead of a
 * warm-up.  The journal keeps it by its hash, so that its scores can be computed again. */
typedef struct celltap_journal_detector celltap_journal_detector;

/* options: as for celltap_stream_watch.  learnt [learnt_bytes]: what celltap_detector_save wrote; 0
 * bytes: none.  CELLTAP_EINVAL, _ESTATE (learnt is of something else), _ENOMEM; *reterr, if not
 * NULL, says why. */
CELLTAP_API int celltap_journal_detector_new(celltap_model *model,
                                             const struct celltap_detector_options *options,
                                             const void *learnt, size_t learnt_bytes,
                                             celltap_journal_detector **ret_detector,
                                             struct celltap_diagnosis *reterr);
/* NULL is fine, for both. */
CELLTAP_API celltap_journal_detector *
celltap_journal_detector_ref(celltap_journal_detector *detector);
CELLTAP_API void celltap_journal_detector_unref(celltap_journal_detector *detector);

/* Its identity; 0: NULL. */
CELLTAP_API uint64_t celltap_journal_detector_hash(const celltap_journal_detector *detector);
CELLTAP_API const struct celltap_detector_options *
celltap_journal_detector_options(const celltap_journal_detector *detector);

/* Watches a fresh stream.  begin: back to how that left it, also of a stream that another one has
 * watched, if both learn alike: but for what celltap_detector_tune takes they are the same.  tune:
 * such a stream goes on, judged as this one says.  CELLTAP_EINVAL, _ESTATE (another model's stream),
 * _ENOMEM (watch alone). */
CELLTAP_API int celltap_journal_detector_watch(const celltap_journal_detector *detector,
                                               celltap_stream *stream);
CELLTAP_API int celltap_journal_detector_begin(const celltap_journal_detector *detector,
                                               celltap_stream *stream);
CELLTAP_API int celltap_journal_detector_tune(const celltap_journal_detector *detector,
                                              celltap_stream *stream);
/* NULL learns as NULL does. */
CELLTAP_API bool celltap_journal_detector_learns_as(const celltap_journal_detector *detector,
                                                    const celltap_journal_detector *other);

/* As with models. */
CELLTAP_API int celltap_journal_keep_detector(const struct celltap_files *files,
                                              const char *directory,
                                              const celltap_journal_detector *detector,
                                              struct celltap_journal_error *reterr);
CELLTAP_API int celltap_journal_load_detector(const struct celltap_files *files,
                                              const char *directory, uint64_t hash,
                                              celltap_journal_detector **ret_detector,
                                              struct celltap_journal_error *reterr);

/* ---- writing ------------------------------------------------------------------------------ */

typedef struct celltap_journal_writer celltap_journal_writer;

/* A stream's number in the segment being written; zero it at the stream's birth. */
struct celltap_journal_place {
    uint64_t segment; /* its position plus 1; 0: none */
    uint32_t ix;
};

struct celltap_journal_stream {
    const char *name;
    size_t name_bytes;
    uint64_t model_hash;
    uint64_t detector_hash; /* 0: not watched; the same while the place is */
    size_t n_values;
    struct celltap_journal_place *place; /* of the caller */
};

struct celltap_journal_frame {
    uint64_t seq;
    int64_t ts_ns;
    bool reset;          /* the states start afresh before this frame */
    bool born;           /* of a watched stream: its detector too, as celltap_journal_detector_watch
                            left it */
    bool rewarm;         /* of a watched stream: its detector too, with a warm-up */
    const float *values; /* [n_values] */
    const float
        *sensed; /* of a watched stream: the same, but NaN where they are missing; or NULL */
};

struct celltap_journal_writer_options {
    const struct celltap_files *files; /* borrowed */
    const char *directory;
    uint64_t segment_bytes; /* a segment is full at this size */
    uint64_t position;      /* where to go on: the end that a check found */
    uint64_t epoch;
    bool keep; /* what is not synced stays in memory, so that a failed sync can be made good */
};

/* Touches no file yet. */
CELLTAP_API int celltap_journal_writer_new(const struct celltap_journal_writer_options *options,
                                           celltap_journal_writer **ret_writer);
CELLTAP_API void celltap_journal_writer_free(celltap_journal_writer *writer); /* NULL is fine */

/* Makes room, so that the next put of this stream cannot fail.  CELLTAP_ENOMEM. */
CELLTAP_API int celltap_journal_reserve(celltap_journal_writer *writer,
                                        const struct celltap_journal_stream *stream);

/* Adds a frame to the record of this turn, in memory.  A put needs a reserve. */
CELLTAP_API void celltap_journal_put(celltap_journal_writer *writer,
                                     const struct celltap_journal_stream *stream,
                                     const struct celltap_journal_frame *frame);

/* Notes that the stream, whose last frame was seq, starts afresh with its next; rewarm: its detector
 * too. */
CELLTAP_API void celltap_journal_put_reset(celltap_journal_writer *writer,
                                           const struct celltap_journal_stream *stream,
                                           uint64_t seq, bool rewarm);

/* Ends the record of this turn, if there is one.  Returns true if there was. */
CELLTAP_API bool celltap_journal_commit(celltap_journal_writer *writer);

/* Writes all committed records.  CELLTAP_EIO: call again, it takes up where it was. */
CELLTAP_API int celltap_journal_write(celltap_journal_writer *writer,
                                      struct celltap_journal_error *reterr);

/* An empty record that says how far the journal is synced, if no record says it yet. */
CELLTAP_API void celltap_journal_put_synced(celltap_journal_writer *writer);

/* The next record starts a new segment, in the next epoch. */
CELLTAP_API void celltap_journal_next_epoch(celltap_journal_writer *writer);

struct celltap_journal_writer_state {
    uint64_t position; /* behind the last committed record */
    uint64_t written;  /* so far the files have it */
    uint64_t synced;   /* so far it outlives a loss of power */
    uint64_t epoch;
    size_t n_held_bytes; /* in memory */
    bool to_sync;        /* there is something that a sync would make safe */
};
CELLTAP_API struct celltap_journal_writer_state
celltap_journal_writer_state(const celltap_journal_writer *writer);

/* A sync: started and ended by the writer's thread, run by any; one at a time.  ret_sync is to stay
 * where it is in between.  End takes what run returned; after a failure all that was not synced
 * counts as not written. */
#define CELLTAP_JOURNAL_SYNC_FILES 8
struct celltap_journal_sync {
    const struct celltap_files *files;
    const char *directory;
    uint64_t upto;
    size_t n_files;
    int of[CELLTAP_JOURNAL_SYNC_FILES];
    bool with_directory;
    struct celltap_journal_error error;
};
CELLTAP_API void celltap_journal_sync_start(celltap_journal_writer *writer,
                                            struct celltap_journal_sync *ret_sync);
CELLTAP_API int celltap_journal_sync_run(struct celltap_journal_sync *sync);
CELLTAP_API void celltap_journal_sync_end(celltap_journal_writer *writer,
                                          const struct celltap_journal_sync *sync, int code);

/* ---- reading ------------------------------------------------------------------------------ */

typedef struct celltap_journal_reader celltap_journal_reader;

struct celltap_journal_entry {
    const char *stream; /* borrowed, stream_bytes long, NUL behind */
    size_t stream_bytes;
    void **tag; /* the caller's, one per stream and segment; NULL at first */
    uint64_t model_hash;
    uint64_t detector_hash; /* 0: not watched */
    uint64_t seq;
    int64_t ts_ns;
    bool reset;        /* the states start afresh before this frame */
    bool mark;         /* no frame: after this seq the states start afresh */
    bool born, rewarm; /* and the detector, as in celltap_journal_frame */
    size_t n_values;
    const unsigned char *values; /* little-endian float32, borrowed until the next record */
    const unsigned char
        *missing; /* bit i % 8 of byte i / 8: value i was missing and has been filled;
                                     NULL: none was */
};

/* Starts at a position of a record, or with 0 at the oldest.  CELLTAP_EGONE: it is not held any
 * more.  CELLTAP_EIO, _EDAMAGED, _ENOMEM. */
CELLTAP_API int celltap_journal_reader_open(const struct celltap_files *files,
                                            const char *directory, uint64_t position,
                                            celltap_journal_reader **ret_reader,
                                            struct celltap_journal_error *reterr);
CELLTAP_API void celltap_journal_reader_close(celltap_journal_reader *reader); /* NULL is fine */

/* The next record: 1; 0: the end, also where the end is torn; called again, it looks once more.  CELLTAP_EDAMAGED, _EIO, _EGONE
 * (retention was faster), _ENOMEM. */
CELLTAP_API int celltap_journal_reader_next(celltap_journal_reader *reader,
                                            struct celltap_journal_error *reterr);

/* The next entry of this record: 1, 0. */
CELLTAP_API int celltap_journal_entry_next(celltap_journal_reader *reader,
                                           struct celltap_journal_entry *ret_entry);
CELLTAP_API void celltap_journal_entry_values(const struct celltap_journal_entry *entry,
                                              float *ret_values); /* [n_values] */
/* The same with NaN where a value was missing: what a watched stream is stepped with. */
CELLTAP_API void celltap_journal_entry_sensed(const struct celltap_journal_entry *entry,
                                              float *ret_values); /* [n_values] */

CELLTAP_API uint64_t celltap_journal_reader_position(const celltap_journal_reader *reader);
CELLTAP_API uint64_t celltap_journal_reader_end(const celltap_journal_reader *reader);

/* ---- snapshots ---------------------------------------------------------------------------- */

struct celltap_snapshot_stream {
    const char *name; /* name_bytes long */
    size_t name_bytes;
    uint64_t model_hash;
    uint64_t detector_hash; /* 0: not watched */
    uint64_t seq;           /* of the last frame in these states */
    int64_t ts_ns;
    uint64_t n_frames, n_duplicates, n_gaps;
    bool reset_next, born_next, rewarm_next; /* before its next frame */
    size_t n_held;                           /* last values, for `missing: hold` */
    const unsigned char *held;               /* little-endian float32; of a put: float */
    size_t state_bytes;
    const unsigned char *state; /* as celltap_stream_save wrote it */
};

/* Streams in memory on their way into a snapshot; with two of them one is filled while another thread
 * writes the other.  n_bytes: its room, which one stream that needs more makes larger. */
typedef struct celltap_snapshot_slice celltap_snapshot_slice;
CELLTAP_API int celltap_snapshot_slice_new(size_t n_bytes, celltap_snapshot_slice **ret_slice);
CELLTAP_API void celltap_snapshot_slice_free(celltap_snapshot_slice *slice); /* NULL is fine */

/* Adds a stream; its state is saved in place: 1; 0: the slice is full, and as it was.
 * CELLTAP_ENOMEM. */
CELLTAP_API int celltap_snapshot_put(celltap_snapshot_slice *slice,
                                     const struct celltap_snapshot_stream *stream,
                                     const celltap_stream *state);

/* A snapshot as of a position: whoever reads it goes on with the records from there, leaving out the
 * frames whose seq a stream has already.  Touches no file yet.  CELLTAP_EINVAL, _ENOMEM. */
typedef struct celltap_snapshot_writer celltap_snapshot_writer;
CELLTAP_API int celltap_snapshot_writer_new(const struct celltap_files *files,
                                            const char *directory, uint64_t position,
                                            uint64_t epoch, celltap_snapshot_writer **ret_writer);

/* What was not stored is taken away again.  NULL is fine. */
CELLTAP_API void celltap_snapshot_writer_free(celltap_snapshot_writer *writer);

/* Writes a slice, which is empty then, behind those before it, to a file beside the snapshot's place.
 * CELLTAP_EIO: that file has gone; there is nothing left to do but to free the writer. */
CELLTAP_API int celltap_snapshot_write(celltap_snapshot_writer *writer,
                                       celltap_snapshot_slice *slice,
                                       struct celltap_journal_error *reterr);

/* Syncs what was written and renames it to its place.  CELLTAP_EIO, as above. */
CELLTAP_API int celltap_snapshot_store(celltap_snapshot_writer *writer,
                                       struct celltap_journal_error *reterr);
CELLTAP_API uint64_t celltap_snapshot_writer_bytes(const celltap_snapshot_writer *writer);

/* Looks at every byte, then reads a part at a time: memory is that of a part, or of the largest
 * stream.  CELLTAP_EDAMAGED: it is not whole.  CELLTAP_EGONE, _EIO, _ENOMEM. */
typedef struct celltap_snapshot celltap_snapshot;
CELLTAP_API int celltap_snapshot_open(const struct celltap_files *files, const char *directory,
                                      uint64_t position, celltap_snapshot **ret_snapshot,
                                      struct celltap_journal_error *reterr);
CELLTAP_API void celltap_snapshot_close(celltap_snapshot *snapshot); /* NULL is fine */
CELLTAP_API uint64_t celltap_snapshot_position(const celltap_snapshot *snapshot);
CELLTAP_API uint64_t celltap_snapshot_epoch(const celltap_snapshot *snapshot);
CELLTAP_API uint64_t celltap_snapshot_bytes(const celltap_snapshot *snapshot);

/* The next stream, until the next call: 1; 0: that was the last.  CELLTAP_EIO, _ENOMEM, and
 * CELLTAP_EDAMAGED: it has changed since it was opened. */
CELLTAP_API int celltap_snapshot_next(celltap_snapshot *snapshot,
                                      struct celltap_snapshot_stream *ret_stream,
                                      struct celltap_journal_error *reterr);

/* ---- replay ------------------------------------------------------------------------------- */

typedef struct celltap_replay celltap_replay;

struct celltap_replay_options {
    const struct celltap_files *files; /* borrowed */
    const char *directory;
    const char *stream;
    uint64_t from_seq, to_seq; /* inclusive */
    bool by_time;              /* of these, those of from_ts to to_ts, inclusive */
    int64_t from_ts, to_ts;
    celltap_model *model; /* instead of the stream's own, from the stream's beginning, watched by
                             the same options if it can be; or NULL */
};

struct celltap_replay_step {
    uint64_t seq;
    int64_t ts_ns;
    uint64_t model_hash;        /* changes where the stream's model does; 0 with one given */
    celltap_model *model;       /* borrowed: that of the panel */
    const celltap_panel *panel; /* column 0; of a watched stream with its score */
    celltap_stream *stream;     /* borrowed, to be looked at */
    const float *values;        /* the frame: [n_values]; of a watched stream NaN: missing */
    size_t n_values;
};

/* Finds the nearest states before the range.  CELLTAP_EGONE, _EDAMAGED, _EIO, _ENOMEM. */
CELLTAP_API int celltap_replay_open(const struct celltap_replay_options *options,
                                    celltap_replay **ret_replay,
                                    struct celltap_journal_error *reterr);
CELLTAP_API void celltap_replay_close(celltap_replay *replay); /* NULL is fine */

/* The next timestep of the range: 1; 0: that was the last (called again, it looks for what has been
 * written since); CELLTAP_REPLAY_ON: none yet, but what one call may read has been read: call
 * again. */
#define CELLTAP_REPLAY_ON 2
CELLTAP_API int celltap_replay_next(celltap_replay *replay, struct celltap_replay_step *ret_step,
                                    struct celltap_journal_error *reterr);

/* After CELLTAP_EGONE: the first seq of the range that can be replayed; 0: none is known. */
CELLTAP_API uint64_t celltap_replay_held_from(const celltap_replay *replay);

/* How far it is: bytes of the journal read, and those that there are to read. */
CELLTAP_API void celltap_replay_progress(const celltap_replay *replay, uint64_t *ret_n_bytes,
                                         uint64_t *ret_total);

#ifdef __cplusplus
}
#endif

#endif
