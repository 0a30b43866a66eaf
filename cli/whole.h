/* whole.h - a file that gets its name when it is complete.
 *
 *     PATH, a file or nothing     PATH.part --whole_commit--> PATH;  whole_drop: PATH is as it was
 *     PATH, a device or a pipe    written as it comes, and left where it is
 *     NULL, -, /dev/stdout        standard output
 *
 * A link is followed: what it leads to is replaced. */
#ifndef CLI_WHOLE_H
#define CLI_WHOLE_H

#include <stdbool.h>
#include <stdio.h>

struct whole {
    FILE *file;       /* to be written to; owned, unless it is standard output */
    const char *path; /* borrowed; for messages */
    char *target;     /* owned; NULL: written as it comes */
    char *part;       /* owned; NULL: written as it comes */
};

/* 0, or -1 with errno; whole is empty then. */
int whole_open(const char *path, struct whole *ret_whole);

/* True if what is written goes to standard output. */
bool whole_is_stdout(const struct whole *whole);

/* True if a write has failed because nobody reads standard output any more, as in `| head`. */
bool whole_is_unread(const struct whole *whole);
bool whole_stdout_is_unread(void);

/* Closes the file and gives it its name.  0, also if nobody reads standard output any more; or -1
 * with errno: nothing is left. */
int whole_commit(struct whole *whole);

/* Takes away what was written.  An empty or a committed whole is fine. */
void whole_drop(struct whole *whole);

#endif
