/* check.h - whether the daemon would start: the configuration, and the models it names. */
#ifndef DAEMON_CHECK_H
#define DAEMON_CHECK_H

#define CHECK_EXIT_CONFIG 78 /* EX_CONFIG of sysexits(3) */

/* Prints every error to stderr, or one line to stdout.  Returns the exit code: 0 or 78. */
int check_run(const char *path);

#endif
