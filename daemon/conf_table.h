/* conf_table.h - every option there is: one row each.
 *
 *     conf_table_root --rows--> models, ingest, taps, control --rows--> ...
 *
 * The reader, conf_free, the reload, config/celltapd.yaml and the manual follow this table. */
#ifndef DAEMON_CONF_TABLE_H
#define DAEMON_CONF_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/conf.h"

enum conf_type {                   /* the field in the section's struct: */
                 CONF_TYPE_NAME,   /* char *: printable, without `/` */
                 CONF_TYPE_DIR,    /* char *: an absolute path */
                 CONF_TYPE_TEXT,   /* char *: printable */
                 CONF_TYPE_FILE,   /* char *: a file that can be read, or one of choices */
                 CONF_TYPE_BOOL,   /* bool */
                 CONF_TYPE_COUNT,  /* uint64_t, min to max */
                 CONF_TYPE_BYTES,  /* uint64_t, K M G */
                 CONF_TYPE_MS,     /* uint64_t, milliseconds; ms s m h */
                 CONF_TYPE_REAL,   /* double, low to high, and 0 where that is the default */
                 CONF_TYPE_SPAN,   /* struct conf_span: timesteps, min to max, or a time */
                 CONF_TYPE_CHOICE, /* an enum: one of choices */
                 CONF_TYPE_SPANS,  /* struct conf_spans, n_max of them, each min to max */
                 CONF_TYPE_NAMES,  /* struct conf_texts, min to max of them, unique */
                 CONF_TYPE_GLOBS,  /* struct conf_texts */
                 CONF_TYPE_URLS, /* struct conf_texts; when not given, conf_listen.c derives one */
                 CONF_TYPE_SECTION, /* a map whose fields are in the same struct */
                 CONF_TYPE_LIST, /* a list of maps: pointer at offset, their number at n_offset */
                 CONF_TYPE_LATER /* none: of a later release, refused by name */
};

struct conf_choice { /* lists end with a NULL text */
    const char *text;
    unsigned value;
    bool later; /* of a later release, refused by name */
};

struct conf_section;

struct conf_option {
    const char *key;
    enum conf_type type;
    size_t offset, n_offset;
    const char *fallback; /* the default, as YAML; of URLs only told; NULL: must be given */
    const char *example;  /* for messages; NULL: the default is one */
    uint64_t min, max;
    double low, high; /* of a real number */
    size_t n_max;     /* of spans */
    const struct conf_choice *choices;
    const struct conf_section *section; /* of a section or a list's items */
    size_t off_offset;    /* of a section that may be `off`: its bool; 0: it may not */
    size_t given_offset;  /* of a bool: the key is there; 0: nobody asks */
    bool restart;         /* a reload cannot change it */
    const char *sentence; /* what it does; of a later one, what to do instead */
};

struct conf_section {
    const char *name; /* as in messages: "a tap" */
    size_t n_options;
    const struct conf_option *options;
    size_t n_bytes;     /* of a list's item */
    size_t line_offset; /* of its `unsigned line` */
};

#define CONF_TABLE_OPTIONS_MAX 64 /* of a section */

extern const struct conf_section conf_table_root;

const char *conf_table_type_name(enum conf_type type);            /* as in the manual */
const char *conf_table_example(const struct conf_option *option); /* a right value, as YAML */

#endif
