/* sock_listen.c - a socket's listeners: bound beside their path, renamed into place, kept alive.
 *
 *     ipc:///run/x.ipc   nng binds /run/x.ipc~  --rename-->  /run/x.ipc      (commit)
 *     tcp://host:port    nng binds host:port
 *
 * The rename lets a new socket take a path over from an old one without a moment in which nobody
 * listens; nng, which unlinks the name it has bound when it closes, then finds nothing.
 *
 * nng 1.5.2 can stop taking connections from a listener for ever while the kernel still accepts
 * them (sock_send.c keeps away the known cause).  So each listener is asked now and then: a raw
 * connection shakes hands as protocol 0, which every socket rejects by closing the connection,
 * without a subscriber having been there.  Happy path: connect, send, their 8 bytes, end of file.
 * Refused or missing: re-open at once.  No end of file within PROBE_LOOKS: re-open; this closes the
 * connections that came through it, and their owners come back by themselves.
 *
 * nng 1.5.2 also loses what shakes hands while its listener closes: the memory of the connection and
 * of the listener, and the descriptor.  (Its ipc_pipe_neg_cb goes on after ipc_ep_close and then is
 * neither called again nor freed; one that is done stays in wait_pipes, which nobody empties.)  So
 * before a listener closes our own connection comes to its end, and of ipc:// one that is the last:
 *
 *     end the probe under way  -->  connect  -->  remove the name  -->  their end of file  -->  close
 *
 * nng accepts in order: those before it have then been answered too, unless they keep silent, and
 * silence is freed well.  A port has no name to remove: somebody who connects to it in the 100 us in
 * which it closes is lost. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/sock_priv.h"

/* Looks, one every SOCK_PROBE_MS, without an answer: counted instead of timed, so that on a machine
 * that keeps all threads waiting a slow listener is not taken for a deaf one. */
#define PROBE_LOOKS   12
/* A closing listener is looked at as often, but waited for: nng pauses it for 100 ms after somebody
 * has broken off a handshake. */
#define CLOSE_LOOK_MS 50

static int listen_fail(struct sock_error *reterr, const char *url, const char *why)
{
    snprintf(reterr->text, sizeof(reterr->text), "cannot listen on %s: %s", url, why);
    return -1;
}

static const char *listen_why(int nng_code)
{
    switch (nng_code) {
    case NNG_ENOENT:
        return "its directory does not exist; make it";
    case NNG_EADDRINUSE:
        return "another process listens there; stop it, or choose another port";
    case NNG_EADDRINVAL:
        return "the host is no address of this machine, or a name that is not known";
    default:
        return nng_strerror(nng_code);
    }
}

/* ---- paths -------------------------------------------------------------------------------- */

static int listen_address(const char *path, struct sockaddr_un *ret_address)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(ret_address->sun_path))
        return -1;
    memcpy(ret_address->sun_path, path, strlen(path));
    return 0;
}

/* The process that listens at path: 0 for none. */
static pid_t listen_owner(const char *path)
{
    struct sockaddr_un address;
    struct ucred peer = {0};
    socklen_t n_bytes = sizeof(peer);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return 0;
    if (listen_address(path, &address) == 0 &&
        connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n_bytes);
    close(fd);
    return peer.pid;
}

/* The path may be taken: free, a dead socket, or a socket of our own. */
static int listen_path_check(const char *url, const char *path, struct sock_error *reterr)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return 0;
    if (!S_ISSOCK(status.st_mode))
        return listen_fail(reterr, url, "the path exists and is not a socket; remove it");
    pid_t owner = listen_owner(path);
    if (owner != 0 && owner != getpid())
        return listen_fail(reterr, url, "another process listens there; stop it");
    return 0;
}

/* ---- one listener ------------------------------------------------------------------------- */

static void listener_free(struct sock_listener *listener)
{
    if (listener == NULL)
        return;
    if (listener->probe_fd >= 0)
        close(listener->probe_fd);
    free(listener->url);
    free(listener->path);
    free(listener->beside);
    free(listener);
}

static struct sock_listener *listener_new(const char *url)
{
    struct sock_listener *listener = calloc(1, sizeof(*listener));
    if (listener == NULL)
        return NULL;
    listener->probe_fd = -1;
    listener->url = strdup(url);
    bool good = listener->url != NULL;
    if (strncmp(url, "ipc://", 6) == 0) {
        listener->path = strdup(url + 6);
        if (asprintf(&listener->beside, "%s~", url + 6) < 0)
            listener->beside = NULL;
        good = good && listener->path != NULL && listener->beside != NULL;
    }
    if (good)
        return listener;
    listener_free(listener);
    return NULL;
}

/* nng binds and accepts; of ipc://, beside the path. */
static int listener_open(struct sock *sock, struct sock_listener *listener,
                         struct sock_error *reterr)
{
    struct sockaddr_un address;
    char url[sizeof(address.sun_path) + 8];
    const char *bound = listener->url;
    if (listener->path != NULL) {
        if (listen_address(listener->beside, &address) != 0)
            return listen_fail(reterr, listener->url, "the path is longer than 106 bytes");
        snprintf(url, sizeof(url), "ipc://%s", listener->beside);
        bound = url;
        unlink(listener->beside);
    }
    int code = nng_listen(sock->nng, bound, &listener->nng, 0);
    if (code != 0)
        return listen_fail(reterr, listener->url, listen_why(code));
    listener->open = true;
    return 0;
}

static int listener_commit(struct sock_listener *listener, struct sock_error *reterr)
{
    struct stat status;
    listener->committed = true;
    if (listener->path == NULL)
        return 0;
    if (lstat(listener->beside, &status) != 0 || rename(listener->beside, listener->path) != 0)
        return listen_fail(reterr, listener->url, strerror(errno));
    listener->device = status.st_dev;
    listener->inode = status.st_ino;
    return 0;
}

/* ---- probing ------------------------------------------------------------------------------ */

static int probe_address(const struct sock_listener *listener, struct sockaddr_storage *ret_address,
                         socklen_t *ret_n_bytes)
{
    nng_sockaddr bound;
    if (listener->path != NULL) {
        *ret_n_bytes = sizeof(struct sockaddr_un);
        return listen_address(listener->path, (struct sockaddr_un *)ret_address);
    }
    if (nng_listener_get_addr(listener->nng, NNG_OPT_LOCADDR, &bound) != 0)
        return -1;
    if (bound.s_family == NNG_AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret_address;
        in->sin_family = AF_INET;
        in->sin_port = bound.s_in.sa_port;
        in->sin_addr.s_addr = bound.s_in.sa_addr != 0 ? bound.s_in.sa_addr : htonl(INADDR_LOOPBACK);
        *ret_n_bytes = sizeof(*in);
        return 0;
    }
    if (bound.s_family == NNG_AF_INET6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_address;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = bound.s_in6.sa_port;
        in6->sin6_scope_id = bound.s_in6.sa_scope;
        memcpy(&in6->sin6_addr, bound.s_in6.sa_addr, sizeof(in6->sin6_addr));
        if (IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr))
            in6->sin6_addr = in6addr_loopback;
        *ret_n_bytes = sizeof(*in6);
        return 0;
    }
    return -1;
}

enum probe_result { PROBE_WAIT, PROBE_ALIVE, PROBE_DEAF };

static enum probe_result probe_start(struct sock_listener *listener)
{
    struct sockaddr_storage address = {0};
    socklen_t n_bytes;
    listener->probe_looks = 0;
    listener->probe_asked = false;
    if (!listener->open)
        return PROBE_DEAF;
    if (probe_address(listener, &address, &n_bytes) != 0)
        return PROBE_WAIT;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return PROBE_WAIT; /* we are short of descriptors: the listener is not to blame */
    if (connect(fd, (struct sockaddr *)&address, n_bytes) != 0 && errno != EINPROGRESS) {
        bool gone = errno == ECONNREFUSED || errno == ENOENT;
        close(fd);
        return gone ? PROBE_DEAF : PROBE_WAIT;
    }
    listener->probe_fd = fd;
    return PROBE_WAIT;
}

static enum probe_result probe_go_on(struct sock_listener *listener)
{
    static const unsigned char hello[8] = {0, 'S', 'P', 0, 0, 0, 0, 0};
    unsigned char theirs[64];
    if (!listener->probe_asked)
        listener->probe_asked =
            send(listener->probe_fd, hello, sizeof(hello), MSG_NOSIGNAL) == sizeof(hello);
    ssize_t n;
    do
        n = recv(listener->probe_fd, theirs, sizeof(theirs), 0);
    while (n > 0);
    if (n == 0 || (errno != EAGAIN && errno != EINTR && errno != ENOTCONN))
        return PROBE_ALIVE; /* they have closed it: somebody is at home */
    return ++listener->probe_looks < PROBE_LOOKS ? PROBE_WAIT : PROBE_DEAF;
}

static enum probe_result probe_step(struct sock_listener *listener)
{
    enum probe_result result;
    if (listener->probe_fd < 0 && (result = probe_start(listener)) != PROBE_WAIT)
        return result;
    if (listener->probe_fd < 0)
        return PROBE_WAIT;
    result = probe_go_on(listener);
    if (result != PROBE_WAIT) {
        close(listener->probe_fd);
        listener->probe_fd = -1;
    }
    return result;
}

/* ---- closing ------------------------------------------------------------------------------ */

/* Until the probe under way, if any, has been answered. */
static void probe_finish(struct sock_listener *listener)
{
    if (listener->probe_fd < 0)
        return;
    listener->probe_looks = 0;
    while (probe_go_on(listener) == PROBE_WAIT) {
        struct pollfd ready = {.fd = listener->probe_fd,
                               .events = listener->probe_asked ? POLLIN : POLLOUT};
        poll(&ready, 1, CLOSE_LOOK_MS);
    }
    close(listener->probe_fd);
    listener->probe_fd = -1;
}

/* False if somebody has taken the path over. */
static bool listener_has_path(const struct sock_listener *listener)
{
    struct stat status;
    return listener->path != NULL && listener->inode != 0 && lstat(listener->path, &status) == 0 &&
           status.st_dev == listener->device && status.st_ino == listener->inode;
}

static void listener_close(struct sock_listener *listener)
{
    probe_finish(listener);
    if (listener_has_path(listener)) {
        probe_start(listener);
        unlink(listener->path);
        probe_finish(listener);
    }
    if (listener->open)
        nng_listener_close(listener->nng);
    listener->open = false;
}

/* ---- a socket's listeners ----------------------------------------------------------------- */

int sock_listen(struct sock *sock, const char *url, struct sock_error *reterr)
{
    struct sock_listener *listener = listener_new(url);
    if (listener == NULL)
        return listen_fail(reterr, url, "out of memory");
    if ((listener->path != NULL && listen_path_check(url, listener->path, reterr) != 0) ||
        listener_open(sock, listener, reterr) != 0) {
        listener_free(listener);
        return -1;
    }
    listener->next = sock->listeners;
    sock->listeners = listener;
    return 0;
}

int sock_listen_commit(struct sock *sock, struct sock_error *reterr)
{
    for (struct sock_listener *l = sock->listeners; l != NULL; l = l->next)
        if (!l->committed && listener_commit(l, reterr) != 0)
            return -1;
    return 0;
}

static void listener_remove(struct sock_listener **link)
{
    struct sock_listener *listener = *link;
    *link = listener->next;
    listener_close(listener);
    listener_free(listener);
}

void sock_listen_rollback(struct sock *sock)
{
    struct sock_listener **link = &sock->listeners;
    while (*link != NULL) {
        if ((*link)->committed)
            link = &(*link)->next;
        else
            listener_remove(link);
    }
}

void sock_unlisten(struct sock *sock, const char *url)
{
    struct sock_listener **link = &sock->listeners;
    while (*link != NULL && strcmp((*link)->url, url) != 0)
        link = &(*link)->next;
    if (*link != NULL)
        listener_remove(link);
}

void sock_listeners_close(struct sock *sock)
{
    while (sock->listeners != NULL)
        listener_remove(&sock->listeners);
}

/* ---- keeping them alive -------------------------------------------------------------------- */

static bool listener_reopen(struct sock *sock, struct sock_listener *listener)
{
    struct sock_error error;
    bool was_open = listener->open;
    nng_listener old = listener->nng;
    if (was_open && listener->path == NULL) /* a port cannot be bound twice */
        nng_listener_close(old);
    listener->open = false;
    bool good =
        listener_open(sock, listener, &error) == 0 && listener_commit(listener, &error) == 0;
    if (was_open && listener->path != NULL)
        nng_listener_close(old);
    if (good)
        log_line(LOG_LEVEL_WARNING, "%s did not answer; it listens again", listener->url);
    else if (was_open)
        log_line(LOG_LEVEL_ERR, "%s; trying again", error.text);
    return good;
}

size_t sock_probe(struct sock *sock)
{
    size_t n_reopened = 0;
    for (struct sock_listener *l = sock->listeners; l != NULL; l = l->next)
        if (l->committed && probe_step(l) == PROBE_DEAF)
            n_reopened += listener_reopen(sock, l);
    return n_reopened;
}
