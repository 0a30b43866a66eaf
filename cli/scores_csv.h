/* scores_csv.h - scores as rows of csv, the same from a file of data and from the journal. */
#ifndef CLI_SCORES_CSV_H
#define CLI_SCORES_CSV_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/celltap.h"

/* seq,ts,score,g,level,alarm */
void scores_csv_head(FILE *file);

/* A timestep; without a time the ts stays empty.  0, or -1 with errno. */
int scores_csv_row(FILE *file, uint64_t seq, bool has_ts, int64_t ts_ns,
                   const struct celltap_score *score);

#endif
