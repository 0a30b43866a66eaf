/* progress.h - how far it is: a bar on a terminal, a line now and then elsewhere.
 *
 *     [=========>          ]  45 %  486,000 frames  97,512/s  0:06 left       stderr
 *
 * What has been done is counted by rows, how far it is by bytes of the file; where its size is not
 * known there is no bar.  Looking at the clock costs nothing that matters: it is looked at once in
 * a few calls. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *unit; /* "frames" */
    bool is_terminal, is_silent, is_shown;
    uint64_t started_ns, next_ns;
    uint64_t n_bytes; /* 0: not known */
};

enum progress_elsewhere { PROGRESS_SILENT, PROGRESS_LINES }; /* where stderr is no terminal */

void progress_start(struct progress *progress, const char *unit, uint64_t n_bytes,
                    enum progress_elsewhere elsewhere);
void progress_show(struct progress *progress, uint64_t n_rows, uint64_t n_bytes);
void progress_clear(struct progress *progress); /* before anything else is written */

double progress_seconds(const struct progress *progress); /* since the start */
uint64_t progress_now_ns(void);                           /* of the monotonic clock */

/* 1234567 as "1,234,567". */
char *progress_thousands(uint64_t number, char ret_text[32]);

#endif
