/* conf_text.h - a configuration given as text, for tests: written to a file and read. */
#ifndef TESTS_SUPPORT_CONF_TEXT_H
#define TESTS_SUPPORT_CONF_TEXT_H

#include <stddef.h>

#include "daemon/conf.h"

/* Writes c.yaml into a new directory that also holds an empty m.onnx, reads it, removes all.
 * Returns what conf_load returned; in the errors the path is "c.yaml". */
int conf_text_load(const char *text, size_t n_bytes, struct conf **ret_conf,
                   struct conf_errors *reterr);

#endif
