/* segment.c - the bytes of a segment: heads written, heads and records checked. */
#include "lib/journal/segment.h"

#include <string.h>

#include "lib/base/le.h"
#include "lib/journal/crc.h"

#define SEGMENT_MAGIC        "CELLTAPJ"
#define SEGMENT_RECORD_MAGIC "CTR1"

void segment_put_head(unsigned char *ret_bytes, const struct segment_head *head)
{
    memcpy(ret_bytes, SEGMENT_MAGIC, 8);
    le_put32(ret_bytes + 12, SEGMENT_VERSION);
    le_put64(ret_bytes + 16, head->position);
    le_put64(ret_bytes + 24, head->synced);
    le_put64(ret_bytes + 32, head->epoch);
    le_put32(ret_bytes + 8, crc(0, ret_bytes + 12, SEGMENT_HEAD_BYTES - 12));
}

void segment_put_record(unsigned char *bytes, const struct segment_record *record)
{
    memcpy(bytes, SEGMENT_RECORD_MAGIC, 4);
    le_put32(bytes + 8, record->n_bytes);
    le_put32(bytes + 12, record->n_entries);
    le_put64(bytes + 16, record->position);
    le_put64(bytes + 24, record->synced);
    le_put32(bytes + 4, crc(0, bytes + 8, record->n_bytes - 8));
}

const char *segment_get_head(const unsigned char *bytes, size_t n_bytes, uint64_t position,
                             struct segment_head *ret_head)
{
    if (n_bytes < SEGMENT_HEAD_BYTES)
        return "the file ends inside the segment's head";
    if (memcmp(bytes, SEGMENT_MAGIC, 8) != 0)
        return "the file does not begin like a segment";
    if (le_get32(bytes + 8) != crc(0, bytes + 12, SEGMENT_HEAD_BYTES - 12))
        return "the checksum of the segment's head is wrong";
    if (le_get32(bytes + 12) != SEGMENT_VERSION)
        return SEGMENT_OTHER_VERSION;
    if (le_get64(bytes + 16) != position)
        return "the segment has another position than its name";
    ret_head->position = position;
    ret_head->synced = le_get64(bytes + 24);
    ret_head->epoch = le_get64(bytes + 32);
    return NULL;
}

const char *segment_get_record_head(const unsigned char *bytes, size_t n_bytes, uint64_t position,
                                    struct segment_record *ret_record)
{
    if (n_bytes < SEGMENT_RECORD_HEAD)
        return "the file ends inside a record's head";
    if (memcmp(bytes, SEGMENT_RECORD_MAGIC, 4) != 0)
        return "no record begins here";
    ret_record->n_bytes = le_get32(bytes + 8);
    ret_record->n_entries = le_get32(bytes + 12);
    ret_record->position = le_get64(bytes + 16);
    ret_record->synced = le_get64(bytes + 24);
    if (ret_record->position != position)
        return "the record is of another place";
    if (ret_record->n_bytes < SEGMENT_RECORD_HEAD || ret_record->n_bytes > SEGMENT_RECORD_MAX)
        return "the record's length is impossible";
    return NULL;
}

const char *segment_check_record(const unsigned char *bytes, const struct segment_record *record)
{
    if (le_get32(bytes + 4) != crc(0, bytes + 8, record->n_bytes - 8))
        return "the record's checksum is wrong";
    return NULL;
}
