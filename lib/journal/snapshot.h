/* snapshot.h - the bytes of a snapshot: the states of all streams as of a position.
 *
 *     | "CELLTAPS" | crc 4 | version 4 | n_bytes 8 | position 8 | epoch 8 | n_streams 8 | streams
 *
 *     stream   | hash 8 | seq 8 | ts 8 | frames 8 | duplicates 8 | gaps 8 | flags 4 | n_held 4 |
 *              | state_bytes 4 | name_bytes 1 | name | [watched: hash 8] | held, 4 each | state |
 *
 * Little-endian; the CRC is of everything behind it. */
#ifndef LIB_JOURNAL_SNAPSHOT_H
#define LIB_JOURNAL_SNAPSHOT_H

#define SNAPSHOT_MAGIC       "CELLTAPS"
#define SNAPSHOT_VERSION     1
#define SNAPSHOT_HEAD_BYTES  48
#define SNAPSHOT_SUMMED      12 /* where what the CRC is of begins */
#define SNAPSHOT_STREAM_HEAD 61
#define SNAPSHOT_RESET       1u /* flags */
#define SNAPSHOT_WATCHED     2u
#define SNAPSHOT_REWARM      4u
#define SNAPSHOT_BORN        8u

#endif
