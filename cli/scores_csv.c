/* scores_csv.c - scores as rows of csv, the same from a file of data and from the journal. */
#include "cli/scores_csv.h"

#include <inttypes.h>

#include "cli/digits.h"

void scores_csv_head(FILE *file)
{
    fprintf(file, "seq,ts,score,g,level,alarm\n");
}

int scores_csv_row(FILE *file, uint64_t seq, bool has_ts, int64_t ts_ns,
                   const struct celltap_score *score)
{
    char numbers[3][DIGITS_DOUBLE_MAX], ts[24] = "";
    digits_double(score->score, numbers[0]);
    digits_double(score->g, numbers[1]);
    digits_double(score->level, numbers[2]);
    if (has_ts)
        snprintf(ts, sizeof ts, "%" PRId64, ts_ns);
    int n = fprintf(file, "%" PRIu64 ",%s,%s,%s,%s,%d\n", seq, ts, numbers[0], numbers[1],
                    numbers[2], score->alarm);
    return n < 0 ? -1 : 0;
}
