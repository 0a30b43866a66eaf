/* lock.h - one daemon per runtime_dir: a lock file, held until the process ends. */
#ifndef DAEMON_LOCK_H
#define DAEMON_LOCK_H

/* Makes runtime_dir if need be and locks runtime_dir/celltapd.lock.  Returns a descriptor (closing
 * it unlocks), or -1 after a line in the log. */
int lock_take(const char *runtime_dir);
void lock_put(int fd);

#endif
