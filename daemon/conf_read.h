/* conf_read.h - fills a struct from YAML by the table, defaults included, all faults reported. */
#ifndef DAEMON_CONF_READ_H
#define DAEMON_CONF_READ_H

#include <stddef.h>

#include "daemon/conf_report.h"
#include "daemon/conf_table.h"
#include "daemon/conf_yaml.h"

/* What reading one file needs to remember. */
struct conf_read {
    struct conf_report *report; /* borrowed */
    const char *path;           /* borrowed: relative files are looked for beside it */
    size_t budget_bytes;        /* left for texts: aliases may repeat them, but not without end */
    struct conf_yaml *yaml;     /* borrowed: of the file, or of a default */
    const struct conf_place *fixed_place; /* borrowed: while reading a default; else NULL */
    struct conf_read_spot {
        const void *what; /* borrowed: a text that was read, or a field of another type */
        struct conf_place place;
    } * spots; /* [n_spots] owned: where it stands in the file */
    size_t n_spots, spots_size;
};

/* Reads the file's root into a zeroed struct.  Faults go to the report; what was read until then
 * is in *conf, for conf_free. */
void conf_read_root(struct conf_read *read, struct conf_yaml *yaml, struct conf *conf);

/* Where a text (by the text) or another value (by its field) stands; if it was not read but
 * derived, the line given. */
struct conf_place conf_read_place(const struct conf_read *read, const void *what, unsigned line);

void conf_read_done(struct conf_read *read);

#endif
