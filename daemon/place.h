/* place.h - the threads that hand a frame on stay on one CPU while one is enough for them.
 *
 *     poller --> callbacks --> loop        woken on the same CPU: 4 us; on another one: 20 to 30
 *
 * Linux wakes a thread on an idle CPU if there is one, so that a single frame wanders from CPU to
 * CPU.  Together they take less CPU, too.  The loop's thread only. */
#ifndef DAEMON_PLACE_H
#define DAEMON_PLACE_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

struct place {
    cpu_set_t allowed;   /* at the start */
    cpu_set_t set;       /* what was set last */
    bool together, left; /* left: somebody else places them */
    uint64_t since_ns, used_ns;
    unsigned n_ticks;
};

void place_init(struct place *place);
void place_tick(struct place *place); /* every 250 ms */

#endif
