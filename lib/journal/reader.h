/* reader.h - what the check and the replay need of a reader beyond reading. */
#ifndef LIB_JOURNAL_READER_H
#define LIB_JOURNAL_READER_H

#include "lib/celltap_journal.h"

/* Where reading stopped with CELLTAP_EDAMAGED, and why. */
struct reader_fault {
    uint64_t segment, offset;
    const char *reason;
};
struct reader_fault reader_fault(const celltap_journal_reader *reader);

/* As celltap_journal_reader_next, but a torn end is a fault as well. */
int reader_next_strict(celltap_journal_reader *reader, struct celltap_journal_error *reterr);

/* Whether anything behind the fault says that the journal was synced beyond it. */
int reader_was_synced(celltap_journal_reader *reader, bool *ret_was,
                      struct celltap_journal_error *reterr);

uint64_t reader_epoch(const celltap_journal_reader *reader);
uint64_t reader_behind(const celltap_journal_reader *reader); /* bytes from the fault to the end */
uint32_t reader_n_entries(const celltap_journal_reader *reader);
uint64_t reader_first(const celltap_journal_reader *reader);   /* the oldest segment's position */
uint64_t reader_segment(const celltap_journal_reader *reader); /* that of the one being read */
size_t reader_n_segments(const celltap_journal_reader *reader);

#endif
