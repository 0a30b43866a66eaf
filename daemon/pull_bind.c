/* pull_bind.c - from a URL to a socket that listens.
 *
 *     ipc:///path        AF_UNIX, bound to the path
 *     tcp://host:port    the first address that the host's name has; of `*` any */
#include "daemon/pull_bind.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int bind_fail(int fd, const char **reterr_why)
{
    *reterr_why = strerror(errno);
    if (fd >= 0)
        close(fd);
    return -1;
}

static int bind_address(const struct sockaddr *address, socklen_t n_bytes, const char **reterr_why)
{
    int on = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        (address->sa_family != AF_UNIX &&
         setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) ||
        bind(fd, address, n_bytes) != 0 || listen(fd, SOMAXCONN) != 0)
        return bind_fail(fd, reterr_why);
    return fd;
}

static int bind_ipc(const char *path, const char **reterr_why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return bind_fail(-1, reterr_why);
    }
    memcpy(address.sun_path, path, strlen(path));
    return bind_address((struct sockaddr *)&address, sizeof(address), reterr_why);
}

static int bind_tcp(const char *address, const char **reterr_why)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_ADDRCONFIG};
    struct addrinfo *found;
    char *host = strdup(address);
    char *colon = host != NULL ? strrchr(host, ':') : NULL;
    if (colon == NULL) {
        errno = host != NULL ? EINVAL : ENOMEM;
        free(host);
        return bind_fail(-1, reterr_why);
    }
    *colon = '\0';
    char *name = host;
    if (colon > host + 1 && host[0] == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        name = host + 1;
    }
    int code = getaddrinfo(strcmp(name, "*") == 0 ? NULL : name, colon + 1, &hints, &found);
    free(host);
    if (code != 0) {
        *reterr_why = gai_strerror(code);
        return -1;
    }
    int fd = bind_address(found->ai_addr, found->ai_addrlen, reterr_why);
    freeaddrinfo(found);
    return fd;
}

int pull_bind(const char *url, const char **reterr_why)
{
    if (strncmp(url, "ipc://", 6) == 0)
        return bind_ipc(url + 6, reterr_why);
    if (strncmp(url, "tcp://", 6) == 0)
        return bind_tcp(url + 6, reterr_why);
    errno = EPROTONOSUPPORT;
    return bind_fail(-1, reterr_why);
}
