/* slice.c - short turns on the CPU for all threads of the process.
 *
 *     sched_getattr --normal policy: runtime = SLICE_NS--> sched_setattr        (no privilege)
 *
 * The scheduler (EEVDF) gives each thread turns; who asks for a shorter one has an earlier deadline
 * and takes the CPU from one with a longer turn when it is woken.  Kernels before 6.12 ignore the
 * runtime of a normal thread. */
#include "daemon/slice.h"

#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE_NS 100000 /* the least that Linux takes; a frame takes half of it */

/* The kernel's struct sched_attr, first version; the C library has none before 2.41. */
struct slice_attr {
    uint32_t n_bytes, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

void slice_init(void)
{
    struct slice_attr attr = {.n_bytes = sizeof(attr)};
    if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) != 0 || attr.policy != SCHED_OTHER)
        return;
    attr.runtime_ns = SLICE_NS;
    syscall(SYS_sched_setattr, 0, &attr, 0);
}
