/* pull_bind.h - from a URL to a socket that listens. */
#ifndef DAEMON_PULL_BIND_H
#define DAEMON_PULL_BIND_H

/* "ipc:///path" or "tcp://host:port", where host is a name, an address, [an address] or `*`.  The
 * descriptor, non-blocking, or -1: *reterr_why says what failed. */
int pull_bind(const char *url, const char **reterr_why);

#endif
