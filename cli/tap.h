/* tap.h - a tap opened on the running daemon, and its records.
 *
 *     tap_open: control tap.open -> URL -> subscribe     tap_take: message -> records -> tensors
 *     tap_close: control tap.close
 */
#ifndef CLI_TAP_H
#define CLI_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/records.h"

struct tap;

/* What is wanted: globs, separated by commas. */
struct tap_selection {
    const char *kind; /* "activations", "scores" or "anomalies" */
    const char *streams, *layers, *tensors;
    uint64_t every;
};

/* 0, or -1 with the reason in ret_error [CONTROL_ERROR_MAX]. */
int tap_open(const char *control_url, const struct tap_selection *selection, struct tap **ret_tap,
             char *ret_error);
void tap_close(struct tap *tap); /* NULL is fine */

int tap_fd(struct tap *tap); /* readable when tap_take has something */

/* Takes one message, if one is there: 1, 0, or -1 with the reason (on_tensor's false: 0). */
int tap_take(struct tap *tap, records_on_tensor on_tensor, void *arg, char *ret_error);

/* The same with records of any kind, a map each. */
typedef bool (*tap_on_map)(void *arg, const unsigned char *map, const unsigned char *end);
int tap_take_maps(struct tap *tap, tap_on_map on_map, void *arg, char *ret_error);

bool tap_is_connected(const struct tap *tap);

/* The names of all tensors of all the daemon's models but those of @input and @output, each once,
 * ended by NULL; `output` first.  free() the list.  NULL: could not be asked. */
char **tap_tensor_names(struct tap *tap);

#endif
