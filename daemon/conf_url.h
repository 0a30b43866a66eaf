/* conf_url.h - URLs that the daemon may listen on: ipc:///absolute/path and tcp://host:port.
 *
 * Nothing here allocates or resolves a name. */
#ifndef DAEMON_CONF_URL_H
#define DAEMON_CONF_URL_H

#include <stdbool.h>

/* Bytes of an ipc path: sun_path holds 108 with its NUL, and a listener is bound at PATH~ first. */
#define CONF_URL_PATH_MAX 106

/* What is wrong with a URL, and what to do; NULL: nothing. */
const char *conf_url_fault(const char *url);

/* True if other machines can reach a URL (one without fault). */
bool conf_url_is_remote(const char *url);

#endif
