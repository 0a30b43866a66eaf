/* pull.c - a PULL socket of the Scalability Protocols that the loop reads itself.
 *
 *     hello        00 'S' 'P' 00 protocol(be16) 00 00       both ways, first
 *     ipc          01 length(be64) body                     tcp: without the 01
 *
 *     connection   | hello | head | body | head | body | ...
 *     bytes[]      what one read has brought: heads and bodies, or the end of a body
 *
 * Life of a connection: accepted, hello sent and read; bytes are read as they come, cut into
 * messages and delivered; the producer closes.  A long body is read to its place at once.  No room:
 * all connections pause, and what was read of this one is held until pull_resume; the producers' own
 * queues fill, which is the back-pressure.  A hello is read meanwhile, too, as whoever probes the
 * listener waits for an answer.  Not the protocol, a message too long, no hello for a while, no
 * memory: the connection is closed.  No descriptors: nothing is accepted until the next pull_tick. */
#include "daemon/pull.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "daemon/pull_bind.h"

#define PULL_CONNS_MAX 1024 /* more are closed at once */
#define PULL_BYTES     ((size_t)64 << 10)
#define PULL_DIRECT    (PULL_BYTES / 4) /* rest of a body that is not worth a copy */
#define PULL_HELLO     8
#define PULL_HEAD_IPC  9
#define PULL_HEAD_TCP  8
#define PULL_HELLO_MS  10000 /* as nng waits for it */
#define PULL_ACCEPTS   64    /* of one look at a listener */
#define PULL_PROTOCOL  0x51
#define PULL_PRODUCER  0x50

struct pull_conn {
    uv_poll_t poll;
    TAILQ_ENTRY(pull_conn) link;
    struct pull_door *door; /* borrowed */
    int fd;
    bool greeted;
    uint64_t since_ms;
    unsigned char head[PULL_HEAD_IPC]; /* of a message, or the hello */
    size_t n_head;
    sock_message *message; /* owned; its first n_body bytes have come */
    size_t n_body;
    unsigned char *held; /* owned; read and not yet taken */
    size_t held_at, held_end;
};

struct pull_door {
    uv_poll_t poll;
    TAILQ_ENTRY(pull_door) link;
    struct pull *pull; /* borrowed */
    int fd;
    char *path; /* owned; of ipc:// */
    size_t head_bytes;
    bool waits; /* for descriptors */
};

struct pull {
    uv_loop_t *uv;
    size_t recv_max_bytes;
    bool (*on_message)(void *arg, sock_message *message);
    void *arg;
    TAILQ_HEAD(pull_doors, pull_door) doors;
    TAILQ_HEAD(pull_conns, pull_conn) conns;
    size_t n_conns;
    bool paused, deaf, refuses;
    unsigned char bytes[PULL_BYTES];
};

/* ---- messages ----------------------------------------------------------------------------- */

static void conn_on_poll(uv_poll_t *poll, int status, int events);

static void conn_watch(struct pull_conn *conn)
{
    if (conn->greeted && conn->door->pull->paused)
        uv_poll_stop(&conn->poll);
    else
        uv_poll_start(&conn->poll, UV_READABLE, conn_on_poll);
}

static void pull_watch(struct pull *pull)
{
    struct pull_conn *conn;
    for (conn = TAILQ_FIRST(&pull->conns); conn != NULL; conn = TAILQ_NEXT(conn, link))
        conn_watch(conn);
}

/* The message is delivered if it is whole. */
static void conn_deliver(struct pull_conn *conn)
{
    struct pull *pull = conn->door->pull;
    sock_message *message = conn->message;
    if (conn->n_body < sock_message_bytes(message))
        return;
    conn->message = NULL;
    if (pull->on_message(pull->arg, message))
        return;
    pull->paused = true;
    pull_watch(pull);
}

/* A message as long as its head says. */
static int conn_begin(struct pull_conn *conn)
{
    const struct pull_door *door = conn->door;
    const unsigned char *length = conn->head + door->head_bytes - 8;
    uint64_t n_bytes = 0;
    for (size_t i = 0; i < 8; i++)
        n_bytes = n_bytes << 8 | length[i];
    if ((length != conn->head && conn->head[0] != 1) || n_bytes > door->pull->recv_max_bytes)
        return -1;
    conn->n_head = conn->n_body = 0;
    conn->message = sock_message_new((size_t)n_bytes);
    return conn->message != NULL ? 0 : -1;
}

/* Cuts bytes into messages until the socket pauses: how many were taken, or -1. */
static ssize_t conn_take(struct pull_conn *conn, const unsigned char *bytes, size_t n)
{
    size_t at = 0, some;
    while (at < n && !conn->door->pull->paused) {
        if (conn->message == NULL) {
            size_t missing = conn->door->head_bytes - conn->n_head;
            some = n - at < missing ? n - at : missing;
            memcpy(conn->head + conn->n_head, bytes + at, some);
            conn->n_head += some;
            at += some;
            if (some < missing)
                break;
            if (conn_begin(conn) != 0)
                return -1;
        }
        size_t missing = sock_message_bytes(conn->message) - conn->n_body;
        some = n - at < missing ? n - at : missing;
        memcpy(sock_message_body(conn->message) + conn->n_body, bytes + at, some);
        conn->n_body += some;
        at += some;
        conn_deliver(conn);
    }
    return (ssize_t)at;
}

/* ---- reading ------------------------------------------------------------------------------ */

static int conn_greet(struct pull_conn *conn)
{
    static const unsigned char hello[PULL_HELLO] = {0, 'S', 'P', 0, 0, PULL_PRODUCER, 0, 0};
    if (conn->n_head < PULL_HELLO)
        return 0;
    if (memcmp(conn->head, hello, PULL_HELLO) != 0)
        return -1;
    conn->n_head = 0;
    conn->greeted = true;
    conn_watch(conn);
    return 0;
}

/* What recv has returned, as 0, a number of bytes or -1 for the end of the connection. */
static ssize_t conn_recv(struct pull_conn *conn, void *to, size_t n_max)
{
    ssize_t n = recv(conn->fd, to, n_max, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return n > 0 ? n : -1;
}

static int conn_read_hello(struct pull_conn *conn)
{
    ssize_t n = conn_recv(conn, conn->head + conn->n_head, PULL_HELLO - conn->n_head);
    if (n < 0)
        return -1;
    conn->n_head += (size_t)n;
    return conn_greet(conn);
}

static int conn_read_body(struct pull_conn *conn, size_t missing)
{
    ssize_t n = conn_recv(conn, sock_message_body(conn->message) + conn->n_body, missing);
    if (n < 0)
        return -1;
    conn->n_body += (size_t)n;
    conn_deliver(conn);
    return 0;
}

static int conn_read_some(struct pull_conn *conn)
{
    unsigned char *bytes = conn->door->pull->bytes;
    ssize_t n = conn_recv(conn, bytes, PULL_BYTES);
    ssize_t n_taken = n < 0 ? -1 : conn_take(conn, bytes, (size_t)n);
    if (n_taken < 0 || n_taken == n)
        return n_taken < 0 ? -1 : 0;
    size_t n_left = (size_t)(n - n_taken);
    conn->held = malloc(n_left);
    if (conn->held == NULL)
        return -1;
    memcpy(conn->held, bytes + n_taken, n_left);
    conn->held_at = 0;
    conn->held_end = n_left;
    return 0;
}

static int conn_read(struct pull_conn *conn)
{
    if (!conn->greeted)
        return conn_read_hello(conn);
    size_t missing = conn->message != NULL ? sock_message_bytes(conn->message) - conn->n_body : 0;
    return missing >= PULL_DIRECT ? conn_read_body(conn, missing) : conn_read_some(conn);
}

/* After a pause: takes what is held, or what has come. */
static int conn_go_on(struct pull_conn *conn)
{
    if (conn->held == NULL)
        return conn_read(conn);
    ssize_t n = conn_take(conn, conn->held + conn->held_at, conn->held_end - conn->held_at);
    if (n < 0)
        return -1;
    conn->held_at += (size_t)n;
    if (conn->held_at == conn->held_end) {
        free(conn->held);
        conn->held = NULL;
        conn->held_at = conn->held_end = 0;
    }
    return 0;
}

/* ---- connections -------------------------------------------------------------------------- */

static void conn_on_close(uv_handle_t *handle)
{
    free(handle->data);
}

static void conn_close(struct pull_conn *conn)
{
    struct pull *pull = conn->door->pull;
    TAILQ_REMOVE(&pull->conns, conn, link);
    pull->n_conns--;
    uv_close((uv_handle_t *)&conn->poll, conn_on_close);
    close(conn->fd);
    sock_message_free(conn->message);
    free(conn->held);
}

static void conn_on_poll(uv_poll_t *poll, int status, int events)
{
    struct pull_conn *conn = poll->data;
    (void)events;
    if (status < 0 || conn_read(conn) != 0)
        conn_close(conn);
}

/* Takes the descriptor; it is closed if there is no room. */
static void conn_open(struct pull_door *door, int fd)
{
    static const unsigned char hello[PULL_HELLO] = {0, 'S', 'P', 0, 0, PULL_PROTOCOL, 0, 0};
    struct pull *pull = door->pull;
    struct pull_conn *conn = NULL;
    int on = 1;
    if (pull->refuses || pull->n_conns == PULL_CONNS_MAX ||
        send(fd, hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello) ||
        (conn = calloc(1, sizeof(*conn))) == NULL || uv_poll_init(pull->uv, &conn->poll, fd) != 0) {
        free(conn);
        close(fd);
        return;
    }
    if (door->path == NULL)
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    conn->poll.data = conn;
    conn->door = door;
    conn->fd = fd;
    conn->since_ms = uv_now(pull->uv);
    TAILQ_INSERT_TAIL(&pull->conns, conn, link);
    pull->n_conns++;
    conn_watch(conn);
}

/* ---- doors -------------------------------------------------------------------------------- */

static void door_on_poll(uv_poll_t *poll, int status, int events)
{
    struct pull_door *door = poll->data;
    (void)status, (void)events;
    for (int i = 0; i < PULL_ACCEPTS; i++) {
        int fd = accept4(door->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            conn_open(door, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            door->waits = true;
            uv_poll_stop(&door->poll);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

int pull_listen(struct pull *pull, const char *url, struct pull_door **ret_door,
                const char **reterr_why)
{
    bool ipc = strncmp(url, "ipc://", 6) == 0;
    struct pull_door *door = calloc(1, sizeof(*door));
    char *path = ipc ? strdup(url + 6) : NULL;
    *reterr_why = "out of memory";
    if (door == NULL || (ipc && path == NULL) || (door->fd = pull_bind(url, reterr_why)) < 0)
        goto fail;
    if (uv_poll_init(pull->uv, &door->poll, door->fd) != 0) {
        close(door->fd);
        goto fail;
    }
    door->poll.data = door;
    door->pull = pull;
    door->path = path;
    door->head_bytes = ipc ? PULL_HEAD_IPC : PULL_HEAD_TCP;
    TAILQ_INSERT_TAIL(&pull->doors, door, link);
    uv_poll_start(&door->poll, UV_READABLE, door_on_poll);
    *ret_door = door;
    return 0;
fail:
    free(path);
    free(door);
    return -1;
}

static void door_on_close(uv_handle_t *handle)
{
    free(handle->data);
}

void pull_unlisten(struct pull_door *door)
{
    struct pull *pull = door->pull;
    struct pull_conn *conn, *next;
    for (conn = TAILQ_FIRST(&pull->conns); conn != NULL; conn = next) {
        next = TAILQ_NEXT(conn, link);
        if (conn->door == door)
            conn_close(conn);
    }
    TAILQ_REMOVE(&pull->doors, door, link);
    uv_close((uv_handle_t *)&door->poll, door_on_close);
    close(door->fd);
    if (door->path != NULL)
        unlink(door->path);
    free(door->path);
}

int pull_address(const struct pull_door *door, struct sockaddr_storage *ret_address,
                 socklen_t *ret_n_bytes)
{
    *ret_n_bytes = sizeof(*ret_address);
    return getsockname(door->fd, (struct sockaddr *)ret_address, ret_n_bytes);
}

/* ---- the socket --------------------------------------------------------------------------- */

struct pull *pull_new(uv_loop_t *uv, size_t recv_max_bytes,
                      bool (*on_message)(void *arg, sock_message *message), void *arg)
{
    struct pull *pull = malloc(sizeof(*pull));
    if (pull == NULL)
        return NULL;
    pull->uv = uv;
    pull->recv_max_bytes = recv_max_bytes;
    pull->on_message = on_message;
    pull->arg = arg;
    TAILQ_INIT(&pull->doors);
    TAILQ_INIT(&pull->conns);
    pull->n_conns = 0;
    pull->paused = true;
    pull->deaf = pull->refuses = false;
    return pull;
}

void pull_free(struct pull *pull)
{
    if (pull == NULL)
        return;
    while (!TAILQ_EMPTY(&pull->doors))
        pull_unlisten(TAILQ_FIRST(&pull->doors));
    free(pull);
}

void pull_set_recv_max(struct pull *pull, size_t recv_max_bytes)
{
    pull->recv_max_bytes = recv_max_bytes;
}

/* Each in turn, and the first one last the next time: nobody waits for ever. */
void pull_resume(struct pull *pull)
{
    if (pull->deaf || !pull->paused)
        return;
    pull->paused = false;
    for (size_t n = pull->n_conns; n > 0 && !pull->paused; n--) {
        struct pull_conn *conn = TAILQ_FIRST(&pull->conns);
        TAILQ_REMOVE(&pull->conns, conn, link);
        TAILQ_INSERT_TAIL(&pull->conns, conn, link);
        if (conn_go_on(conn) != 0)
            conn_close(conn);
    }
    if (!pull->paused)
        pull_watch(pull);
}

void pull_deafen(struct pull *pull)
{
    pull->deaf = pull->paused = true;
    pull_watch(pull);
}

void pull_refuse(struct pull *pull)
{
    pull->refuses = true;
}

void pull_tick(struct pull *pull)
{
    uint64_t now_ms = uv_now(pull->uv);
    struct pull_door *door;
    struct pull_conn *conn, *next;
    TAILQ_FOREACH(door, &pull->doors, link)
    {
        if (door->waits)
            uv_poll_start(&door->poll, UV_READABLE, door_on_poll);
        door->waits = false;
    }
    for (conn = TAILQ_FIRST(&pull->conns); conn != NULL; conn = next) {
        next = TAILQ_NEXT(conn, link);
        if (!conn->greeted && now_ms - conn->since_ms >= PULL_HELLO_MS)
            conn_close(conn);
    }
}
