/* entries.h - what the bytes of a record say: streams that it defines, frames, marks.
 *
 *     streams[]   what this segment's entries call by number, from its first record on
 *     at ... end  the entries that are left of a record; bytes of the caller's
 */
#ifndef LIB_JOURNAL_ENTRIES_H
#define LIB_JOURNAL_ENTRIES_H

#include "lib/celltap_journal.h"

struct entries {
    struct entries_stream **streams; /* [n_streams] owned, each owned */
    size_t n_streams, n_room;
    const unsigned char *at, *end;
};

/* A new segment: no streams, no entries.  done: and no memory. */
void entries_forget(struct entries *entries);
void entries_done(struct entries *entries);

/* Takes the definitions of a record's entries and sees that they fill its bytes exactly: NULL, and
 * they can be had; or what is wrong, and there are none.  *ret_code: 0, or CELLTAP_ENOMEM. */
const char *entries_begin(struct entries *entries, const unsigned char *at,
                          const unsigned char *end, uint32_t n_entries, int *ret_code);

/* The next one: 1; 0: that was the last.  skip: none of those left. */
int entries_next(struct entries *entries, struct celltap_journal_entry *ret_entry);
void entries_skip(struct entries *entries);

#endif
