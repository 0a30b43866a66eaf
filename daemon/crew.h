/* crew.h - threads that share one piece of work at a time with the thread that asks for it.
 *
 *     crew_run --> work(arg, 0) here, work(arg, 1) .. work(arg, n - 1) on the others --> all done
 *
 * Between two calls nothing of the crew runs, and what the work has written is seen by the caller;
 * so everything it touches needs no lock but what two shares of it touch. */
#ifndef DAEMON_CREW_H
#define DAEMON_CREW_H

#include <stddef.h>

struct crew;

/* n_shares - 1 threads, which take no signals.  NULL: there is no memory, or no more threads. */
struct crew *crew_new(size_t n_shares);
void crew_free(struct crew *crew); /* ends its threads; NULL is fine */

void crew_run(struct crew *crew, void (*work)(void *arg, size_t share_ix), void *arg);

#endif
