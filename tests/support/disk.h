/* disk.h - a disk in memory for the journal: it fails when it is told to, and can lose its power.
 *
 *     write --> now         sync --> safe         disk_lose_power: safe, and any part of what came since
 *
 * After a loss of power a file has what was synced; of each later write any sectors of 512 bytes may
 * be there and others not, in whatever order they were written; a name that was made, changed or
 * removed since its directory was synced may be as before or as after. */
#ifndef TESTS_SUPPORT_DISK_H
#define TESTS_SUPPORT_DISK_H

#include "lib/celltap_journal.h"

struct disk;

struct disk *disk_new(void);
void disk_free(struct disk *disk);
const struct celltap_files *disk_files(struct disk *disk);

/* The Nth write (or creation, ...) or sync from now on fails with this errno, and so many after it;
 * n 0: none does. */
enum disk_call { DISK_WRITES, DISK_SYNCS };
void disk_fail(struct disk *disk, enum disk_call call, uint64_t n, uint64_t n_times, int number);

/* Calls of a kind since the last disk_fail. */
uint64_t disk_n_calls(const struct disk *disk, enum disk_call call);

/* A disk as it may be after the power was lost now; the seed chooses. */
struct disk *disk_lose_power(const struct disk *disk, uint64_t seed);

/* A file's bytes, to be changed in place; NULL: there is none. */
unsigned char *disk_file(struct disk *disk, const char *path, size_t *ret_n_bytes);
void disk_cut(struct disk *disk, const char *path, size_t n_bytes);
struct disk *disk_copy(const struct disk *disk);

#endif
