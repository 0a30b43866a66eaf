/* streams.h - the streams that the daemon keeps, a row each. */
#ifndef CLI_STREAMS_H
#define CLI_STREAMS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/control.h"

struct streams_wish {
    const char *match; /* a glob; NULL: all */
    uint64_t limit;    /* 0: all */
    bool json;
};

/* Asks for them, page after page, and prints them.  -1 with the reason. */
int streams_print(FILE *file, struct control *control, const struct streams_wish *wish,
                  char *ret_error);

#endif
