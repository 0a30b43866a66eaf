/* verdict.h - records of scores and anomalies as lines. */
#ifndef CLI_VERDICT_H
#define CLI_VERDICT_H

#include <stdbool.h>
#include <stdio.h>

struct verdict_options {
    bool anomalies;  /* else scores */
    bool jsonl, csv; /* else for people */
};

void verdict_head(FILE *file, const struct verdict_options *options);

/* One record: a map of MessagePack. */
void verdict_print(FILE *file, const struct verdict_options *options, const unsigned char *map,
                   const unsigned char *end);

#endif
