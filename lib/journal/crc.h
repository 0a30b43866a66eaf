/* crc.h - CRC32C (Castagnoli), with the machine's own instruction where it has one. */
#ifndef LIB_JOURNAL_CRC_H
#define LIB_JOURNAL_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Of the bytes, going on from the CRC of what stands before them (0: nothing). */
uint32_t crc(uint32_t before, const void *bytes, size_t n_bytes);

/* Of two pieces, one behind the other: from the CRC of each and the length of the second. */
uint32_t crc_join(uint32_t first, uint32_t second, uint64_t n_second_bytes);

/* crc without the instruction; tests compare the two. */
uint32_t crc_plain(uint32_t before, const void *bytes, size_t n_bytes);

#endif
