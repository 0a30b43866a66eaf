/* segment.h - the bytes of a segment: its head, and records with their entries.
 *
 *     head     | "CELLTAPJ" | crc 4 | version 4 | position 8 | synced 8 | epoch 8 |
 *     record   | "CTR1" | crc 4 | n_bytes 4 | n_entries 4 | position 8 | synced 8 | entries ... |
 *     entry    | ix + flags 4 | [define: hash 8, n_values 4, name_bytes 1, name] |
 *              | [define, watched: hash 8] | seq 8 | [no mark: ts 8, values 4 each] |
 *              | [missing: a bit for each value] |
 *
 * The CRC is of everything behind it.  Nothing here allocates or can fail but by its input. */
#ifndef LIB_JOURNAL_SEGMENT_H
#define LIB_JOURNAL_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEGMENT_HEAD_BYTES  40
#define SEGMENT_RECORD_HEAD 32
#define SEGMENT_VERSION     1
#define SEGMENT_RECORD_MAX  (UINT32_C(3) << 30)
#define SEGMENT_IX_MAX      0xffffff /* streams of one segment, and a mask */
#define SEGMENT_RESET       (UINT32_C(1) << 24)
#define SEGMENT_MARK        (UINT32_C(1) << 25)
#define SEGMENT_DEFINE      (UINT32_C(1) << 26)
#define SEGMENT_WATCHED     (UINT32_C(1) << 27)
#define SEGMENT_MISSING     (UINT32_C(1) << 28)
#define SEGMENT_REWARM      (UINT32_C(1) << 29)
#define SEGMENT_BORN        (UINT32_C(1) << 30)
#define SEGMENT_FLAGS       (UINT32_C(0x7f) << 24) /* all of them */

/* What is wrong with a whole head that this version does not read. */
#define SEGMENT_OTHER_VERSION "the segment is of another version of celltap"

struct segment_head {
    uint64_t position, synced, epoch;
};

struct segment_record {
    uint32_t n_bytes, n_entries;
    uint64_t position, synced;
};

/* Bytes that say which of n values are missing. */
static inline size_t segment_mask_bytes(size_t n_values)
{
    return (n_values + 7) / 8;
}

void segment_put_head(unsigned char *ret_bytes, const struct segment_head *head);
void segment_put_record(unsigned char *bytes, const struct segment_record *record);

/* NULL, or what is wrong with them. */
const char *segment_get_head(const unsigned char *bytes, size_t n_bytes, uint64_t position,
                             struct segment_head *ret_head);
const char *segment_get_record_head(const unsigned char *bytes, size_t n_bytes, uint64_t position,
                                    struct segment_record *ret_record);
const char *segment_check_record(const unsigned char *bytes, const struct segment_record *record);

#endif
