/* latency.c - the kernel's "PM QoS" request: who holds the file open limits all processors' sleep.
 *
 *     write(int32_t us) --held--> idle states that take longer to leave are not entered
 *
 * 0 makes idle processors poll.  (Documentation/power/pm_qos_interface.rst) */
#include "daemon/latency.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "daemon/conf.h"
#include "daemon/log.h"

#define LATENCY_FILE "/dev/cpu_dma_latency"

int latency_take(uint64_t us)
{
    int32_t value = (int32_t)us;
    if (us == CONF_LATENCY_ANY)
        return -1;
    int fd = open(LATENCY_FILE, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, &value, sizeof(value)) == sizeof(value))
        return fd;
    log_line(LOG_LEVEL_WARNING,
             "cpu_dma_latency_us: " LATENCY_FILE ": %s; processors sleep as without it "
             "(celltapd(8) shows how to allow it)",
             strerror(errno));
    latency_put(fd);
    return -1;
}

void latency_put(int fd)
{
    if (fd >= 0)
        close(fd);
}
