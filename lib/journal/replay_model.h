/* replay_model.h - the inside of a replay, and what its frames are stepped with. */
#ifndef LIB_JOURNAL_REPLAY_MODEL_H
#define LIB_JOURNAL_REPLAY_MODEL_H

#include "lib/celltap_journal.h"

struct celltap_replay {
    const struct celltap_files *files;
    bool by_time, fixed_model;
    bool watched; /* with a fixed model: so is its stream */
    uint64_t from_seq, to_seq;
    int64_t from_ts, to_ts;
    celltap_journal_reader *reader;     /* owned */
    celltap_model *model;               /* ref; NULL: not known yet */
    celltap_journal_detector *detector; /* ref; NULL: the stream is not watched */
    celltap_stream *stream;             /* owned */
    celltap_panel *panel;               /* owned */
    float *values;                      /* [n_values] owned */
    uint64_t model_hash, detector_hash; /* of the frames whose states these are */
    uint64_t seq;                       /* of the last frame in them; if has_seq */
    bool has_seq, known, done;
    bool reset_next, rewarm_next; /* before the next frame */
    bool of_snapshot;             /* seq is still the snapshot's */
    bool in_record;               /* entries may be left of the record */
    bool missed;                  /* a frame of the range was without known states */
    uint64_t held_from;           /* the first seq of the range with known states; 0: none seen */
    uint64_t start;               /* position where reading began */
    const char *directory;        /* in this allocation, as is name */
    char *name;
};

/* Forgets the model, and the states with it. */
void replay_model_drop(struct celltap_replay *replay);

/* Takes the reference, with a fresh stream. */
int replay_model_take(struct celltap_replay *replay, celltap_model *model);

/* The model that the journal keeps, with a fresh stream, watched if detector_hash is not 0. */
int replay_model_load(struct celltap_replay *replay, uint64_t hash, uint64_t detector_hash,
                      struct celltap_journal_error *reterr);

/* The model and the detector that the frame is for: the stream goes on where it can. */
int replay_model_prepare(struct celltap_replay *replay, const struct celltap_journal_entry *entry,
                         struct celltap_journal_error *reterr);

#endif
