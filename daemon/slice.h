/* slice.h - short turns on the CPU for all threads of the process.
 *
 *     a frame comes --> its thread is woken on a CPU where another process computes
 *                       turns as long as that one's: when its turn ends      shorter ones: at once
 *
 * Nobody's share of the CPU changes.  Linux 6.12 and later; elsewhere nothing happens. */
#ifndef DAEMON_SLICE_H
#define DAEMON_SLICE_H

/* For the calling thread and those that it starts from now on: the first thing to do.  A scheduling
 * policy that somebody else has chosen (chrt) stays. */
void slice_init(void);

#endif
