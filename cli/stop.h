/* stop.h - ctrl-C and its kin, noticed between two rows instead of in the middle of one.
 *
 *     SIGINT, SIGTERM, SIGHUP --> a flag --> the command cleans up --> stop_die(): the same signal
 *
 * One flag for the process; set by the handler, read by the main thread. */
#ifndef CLI_STOP_H
#define CLI_STOP_H

#include <stdbool.h>

/* From now on the signals set the flag.  They interrupt a read. */
void stop_catch(void);

/* True once one of them has come. */
bool stop_asked(void);

/* Ends the process by the signal that came, as its parent expects; returns if none came. */
void stop_die(void);

#endif
