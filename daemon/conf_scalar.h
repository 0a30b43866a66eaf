/* conf_scalar.h - one text of the file as the value of one option, checked by the option's type. */
#ifndef DAEMON_CONF_SCALAR_H
#define DAEMON_CONF_SCALAR_H

#include <stdbool.h>

#include "daemon/conf_report.h"
#include "daemon/conf_table.h"
#include "daemon/conf_yaml.h"

/* A bool, number, size, time, span or choice into the field at `field`; a fault goes to the report. */
void conf_scalar_read(struct conf_report *report, const struct conf_option *option,
                      const struct conf_node *node, struct conf_place place, void *field);

/* True if a text may be the value of an option that holds texts; else the report says why. */
bool conf_scalar_text_ok(struct conf_report *report, const struct conf_option *option,
                         const struct conf_node *node, struct conf_place place);

/* The text as it is kept (files: absolute, those of `path`'s directory).  Owned by the caller; NULL
 * when out of memory. */
char *conf_scalar_text(const struct conf_option *option, const struct conf_node *node,
                       const char *path);

/* True if a text is one of the option's choices, and no file then. */
bool conf_scalar_is_choice(const struct conf_option *option, const char *text);

/* True if a file can be read; else the report says why. */
bool conf_scalar_file_ok(struct conf_report *report, const char *file, struct conf_place place);

#endif
