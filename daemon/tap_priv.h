/* tap_priv.h - what the files that write a tap's records share: messages being written.
 *
 *     tap.c            activations, and the life of a tap
 *     tap_verdict.c    scores, anomalies
 */
#ifndef DAEMON_TAP_PRIV_H
#define DAEMON_TAP_PRIV_H

#include "daemon/tap.h"

/* A stream's name adds at most this much to a record without one: it and a longer header. */
#define TAP_NAME_BYTES(name_bytes) ((name_bytes) + 4)

struct tap_building {
    sock_message *message; /* owned; NULL: none */
    struct celltap_writer writer;
    uint64_t n_records;
};

/* Where a record of n_bytes at most is to be written, with room behind it for those of n_frames of
 * frame_bytes that may come.  layer: of the topic, if the tap's group has it.  NULL: there is no
 * memory, and the record is lost. */
struct celltap_writer *tap_room(struct tap *tap, struct tap_shard *shard, size_t building_ix,
                                const struct stream *stream, const char *layer, size_t n_bytes,
                                size_t frame_bytes, size_t n_frames);

/* The first message of the stream in this slot. */
size_t tap_building_ix(const struct tap *tap, const struct tap_shard *shard, size_t slot);

#endif
