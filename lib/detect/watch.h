/* watch.h - the inside of a watched stream's detector.
 *
 *     warming up    detector: phase scale     frames: | ts | .. | values[n_values] | .. | reset | ..
 *     then          detector: phase score     none
 */
#ifndef LIB_DETECT_WATCH_H
#define LIB_DETECT_WATCH_H

#include "lib/detect/detector.h"
#include "lib/stream/stream.h"

/* The frames of a warm-up, in one allocation. */
struct watch_frames {
    size_t n, n_room;      /* frames */
    int64_t *ts_ns;        /* [n_room] owned, and the others with it; NULL: no room */
    float *values;         /* [n_room][n_values] */
    unsigned char *resets; /* [n_room] 1: the states start afresh before this frame */
};

struct watch {
    struct stream_watch head;
    celltap_detector *detector; /* owned */
    bool is_learnt;             /* the warm-up is over */
    struct watch_frames frames; /* until then */
    bool reset_next;            /* the stream was reset since the last of them */
};

/* A stream's watch; NULL: it is not watched. */
struct watch *watch_of(const struct celltap_stream *stream);

/* What a frame of the warm-up takes. */
size_t watch_frame_bytes(size_t n_values);

/* A copy with this much room.  CELLTAP_ENOMEM. */
int watch_frames_copy(const struct watch_frames *frames, size_t n_values, size_t n_room,
                      struct watch_frames *ret_copy);
void watch_frames_done(struct watch_frames *frames);

/* Adds one, for which there is room. */
void watch_frames_put(struct watch_frames *frames, const float *values, size_t n_values,
                      int64_t ts_ns, bool reset);

/* The warm-up is over. */
void watch_learnt(struct watch *watch);

/* All over again; the room for frames stays. */
void watch_begin(struct watch *watch);

/* watch_save.c */
size_t watch_save_bytes(const struct stream_watch *head);
void watch_save(const struct stream_watch *head, unsigned char *ret_bytes);
int watch_load(struct stream_watch *head, const unsigned char *bytes, size_t n_bytes);

/* Everything that decides what is learnt, in 64 bits. */
uint64_t watch_hash(const struct celltap_detector *detector);

#endif
