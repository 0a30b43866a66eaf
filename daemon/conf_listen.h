/* conf_listen.h - the URLs of the whole configuration: derived where none are given, and checked
 * against each other. */
#ifndef DAEMON_CONF_LISTEN_H
#define DAEMON_CONF_LISTEN_H

#include "daemon/conf.h"
#include "daemon/conf_read.h"

/* Gives every listener without a URL its own in runtime_dir; then reports URLs that are listened
 * on twice, derived paths that are too long, and tcp:// beyond loopback that nobody allowed. */
void conf_listen_check(struct conf_read *read, struct conf *conf);

#endif
