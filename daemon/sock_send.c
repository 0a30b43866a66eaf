/* sock_send.c - the sendmsg that nng calls: EPIPE becomes ECONNRESET.
 *
 *     client connects and closes  -->  nng's first send: EPIPE  -->  NNG_ECLOSED  -->  deaf for ever
 *                                      here:        ECONNRESET  -->  NNG_ECONNRESET --> next client
 *
 * nng 1.5.2 reads the NNG_ECLOSED that it makes of EPIPE as "this listener was closed" and never
 * accepts again; both errors mean the same here, and the second it handles.  A program's own
 * definition comes before the C library's for the shared libraries too, so this is the one that
 * nng and libuv call.  Any thread. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("default"))) ssize_t sendmsg(int fd, const struct msghdr *message,
                                                       int flags)
{
    ssize_t n = syscall(SYS_sendmsg, fd, message, flags);
    if (n < 0 && errno == EPIPE)
        errno = ECONNRESET;
    return n;
}
