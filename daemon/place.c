/* place.c - the threads that hand a frame on stay on one CPU while one is enough for them.
 *
 *     apart      wherever they may run          one is enough, and some time has passed
 *     together   where the loop was just then   they take all of it, or now and then for a tick:
 *                                               the scheduler may find a better one for the loop
 *
 * How much they take is the time of the whole process.  All its other threads may run anywhere, also
 * those that were started while the loop was bound.  If anybody else changes where the loop may run
 * (taskset, a cpuset), that is how it stays. */
#include "daemon/place.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PLACE_ENOUGH   0.95 /* of one CPU, while apart, where they take more */
#define PLACE_FULL     0.97 /* of one CPU, while together */
#define PLACE_FULL_FOR 16   /* ticks apart when it was full */
#define PLACE_LOOK     32   /* ticks together before the next one apart */

static uint64_t place_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* nng's poller and its threads for callbacks, as nng names them. */
static bool place_is_nng(const char *tid)
{
    char path[64], name[16] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", tid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    bool good = fgets(name, sizeof(name), file) != NULL;
    fclose(file);
    return good && (strncmp(name, "nng:poll", 8) == 0 || strncmp(name, "nng:task", 8) == 0);
}

/* The loop's thread and nng's to `ours`, all others to where they may run. */
static void place_put(struct place *place, const cpu_set_t *ours)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *task;
    pid_t loop = gettid();
    if (tasks == NULL || sched_setaffinity(loop, sizeof(*ours), ours) != 0) {
        place->left = true;
        ours = &place->allowed;
    }
    while (tasks != NULL && (task = readdir(tasks)) != NULL) {
        pid_t tid = atoi(task->d_name);
        if (tid != 0 && tid != loop)
            sched_setaffinity(tid, sizeof(*ours),
                              place_is_nng(task->d_name) ? ours : &place->allowed);
    }
    if (tasks != NULL)
        closedir(tasks);
    place->set = *ours;
}

void place_init(struct place *place)
{
    *place = (struct place){.since_ns = place_ns(CLOCK_MONOTONIC)};
    if (sched_getaffinity(0, sizeof(place->allowed), &place->allowed) != 0 ||
        CPU_COUNT(&place->allowed) < 2)
        place->left = true;
    place->set = place->allowed;
}

static void place_change(struct place *place, bool together, unsigned n_ticks)
{
    cpu_set_t now, ours = place->allowed;
    int cpu = sched_getcpu();
    place->left |= sched_getaffinity(0, sizeof(now), &now) != 0 || !CPU_EQUAL(&now, &place->set);
    if (place->left || cpu < 0)
        return;
    if (together) {
        CPU_ZERO(&ours);
        CPU_SET((size_t)cpu, &ours);
    }
    place_put(place, &ours);
    place->together = together;
    place->n_ticks = n_ticks;
}

void place_tick(struct place *place)
{
    uint64_t now_ns = place_ns(CLOCK_MONOTONIC), used_ns = place_ns(CLOCK_PROCESS_CPUTIME_ID);
    double used = (double)(used_ns - place->used_ns) / (double)(now_ns - place->since_ns + 1);
    place->since_ns = now_ns;
    place->used_ns = used_ns;
    if (place->left)
        return;
    if (place->n_ticks > 0)
        place->n_ticks--;
    if (place->together && used > PLACE_FULL)
        place_change(place, false, PLACE_FULL_FOR);
    else if (place->together && place->n_ticks == 0)
        place_change(place, false, 0);
    else if (!place->together && place->n_ticks == 0 && used < PLACE_ENOUGH)
        place_change(place, true, PLACE_LOOK);
}
