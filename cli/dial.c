/* dial.c - the door to nng: connections to the daemon.
 *
 *     happy path   open socket -> dialer -> connected -> ask / push / take -> close
 *     not there    try again every DIAL_AGAIN_MS until the time is up, then say so
 *     lost         nng dials again by itself; n_lost counts it, a request is sent again
 *
 * A push socket without a buffer takes a message only when the one before has been written to the
 * kernel, and is writable again once that is true of the last: so nothing is left behind in this
 * process when it ends. */
#include "cli/dial.h"

#include <nng/nng.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/req.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/progress.h"
#include "cli/stop.h"

#define DIAL_AGAIN_MS   100 /* between two tries to connect */
#define DIAL_LOOK_MS    200 /* between two looks at whether to stop */
#define DIAL_RESEND_MS  60000
#define DIAL_RECV_MAX   (64 * 1024 * 1024) /* bytes of one message */
#define DIAL_RECV_QUEUE 1024               /* records waiting to be taken, messages */
#define DIAL_NS_A_MS    1000000

struct dial {
    char *url; /* owned */
    nng_socket socket;
    bool is_open;
    enum dial_kind kind;
    atomic_int n_pipes;
    atomic_bool was_connected; /* to a socket that understands this one */
    atomic_uint n_lost;
    nng_msg *message; /* owned: the one that was given out last */
};

/* ---- opening ------------------------------------------------------------------------------- */

static void dial_on_pipe(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    struct dial *dial = arg;
    (void)pipe;
    atomic_fetch_add(&dial->n_pipes, event == NNG_PIPE_EV_ADD_POST ? 1 : -1);
    if (event == NNG_PIPE_EV_REM_POST)
        atomic_fetch_add(&dial->n_lost, 1);
    else
        atomic_store(&dial->was_connected, true);
}

static int dial_fail(const struct dial *dial, int code, char *ret_error)
{
    snprintf(ret_error, DIAL_ERROR_MAX, "%.256s: %s", dial->url, nng_strerror(code));
    return -1;
}

static int dial_open_socket(struct dial *dial, enum dial_kind kind)
{
    static int (*const open[])(nng_socket *) = {
        [DIAL_REQUEST] = nng_req0_open,
        [DIAL_PUSH] = nng_push0_open,
        [DIAL_SUBSCRIBE] = nng_sub0_open,
    };
    int code = open[kind](&dial->socket);
    if (code)
        return code;
    dial->is_open = true;
    dial->kind = kind;
    nng_pipe_notify(dial->socket, NNG_PIPE_EV_ADD_POST, dial_on_pipe, dial);
    nng_pipe_notify(dial->socket, NNG_PIPE_EV_REM_POST, dial_on_pipe, dial);
    nng_socket_set_size(dial->socket, NNG_OPT_RECVMAXSZ, DIAL_RECV_MAX);
    nng_socket_set_ms(dial->socket, NNG_OPT_SENDTIMEO, DIAL_LOOK_MS);
    nng_socket_set_ms(dial->socket, NNG_OPT_RECONNMINT, DIAL_AGAIN_MS);
    nng_socket_set_ms(dial->socket, NNG_OPT_RECONNMAXT, DIAL_AGAIN_MS);
    if (kind == DIAL_REQUEST)
        nng_socket_set_ms(dial->socket, NNG_OPT_REQ_RESENDTIME, DIAL_RESEND_MS);
    if (kind == DIAL_SUBSCRIBE) {
        nng_socket_set_int(dial->socket, NNG_OPT_RECVBUF, DIAL_RECV_QUEUE);
        code = nng_socket_set(dial->socket, NNG_OPT_SUB_SUBSCRIBE, "", 0);
    }
    return code;
}

/* Tries until it is connected, the time is up, or it can never be. */
static int dial_connect(struct dial *dial, unsigned wait_ms, void (*on_wait)(const char *url))
{
    uint64_t end = progress_now_ns() + (uint64_t)wait_ms * DIAL_NS_A_MS;
    nng_dialer dialer;
    int code = nng_dialer_create(&dialer, dial->socket, dial->url);
    if (code)
        return code;
    for (bool first = true;; first = false) {
        code = nng_dialer_start(dialer, 0);
        if ((code != NNG_ECONNREFUSED && code != NNG_ENOENT && code != NNG_ETIMEDOUT &&
             code != NNG_ECLOSED && code != NNG_ECONNSHUT && code != NNG_ECONNRESET) ||
            stop_asked() || progress_now_ns() >= end)
            return code;
        if (first && on_wait)
            on_wait(dial->url);
        poll(NULL, 0, DIAL_AGAIN_MS);
    }
}

int dial_open(enum dial_kind kind, const char *url, unsigned wait_ms,
              void (*on_wait)(const char *url), struct dial **ret_dial, char *ret_error)
{
    struct dial *dial = calloc(1, sizeof *dial);
    if (!dial || !(dial->url = strdup(url))) {
        snprintf(ret_error, DIAL_ERROR_MAX, "out of memory");
        dial_close(dial);
        return -1;
    }
    int code = dial_open_socket(dial, kind);
    if (!code)
        code = dial_connect(dial, wait_ms, on_wait);
    if (code == 0) {
        *ret_dial = dial;
        return 0;
    }
    if (code == NNG_ENOENT || code == NNG_ECONNREFUSED)
        snprintf(ret_error, DIAL_ERROR_MAX,
                 "no daemon at %.256s; start it: celltapd --config /etc/celltap/celltapd.yaml",
                 url);
    else if (code == NNG_EPERM)
        snprintf(ret_error, DIAL_ERROR_MAX, "%.256s: permission denied; join the group celltap",
                 url);
    else if (code == NNG_EADDRINVAL && strncmp(url, "tcp", 3) == 0)
        snprintf(ret_error, DIAL_ERROR_MAX,
                 "%.256s: there is no such host, or no port; write tcp://host:port", url);
    else if (code == NNG_EAGAIN)
        snprintf(
            ret_error, DIAL_ERROR_MAX,
            "%.256s: there is no such host that is known without a name server, and none answers",
            url);
    else if (code == NNG_EADDRINVAL || code == NNG_ENOTSUP || code == NNG_EINVAL)
        snprintf(ret_error, DIAL_ERROR_MAX,
                 "\"%.256s\" is not an address; write ipc:///path or tcp://host:port", url);
    else
        dial_fail(dial, code, ret_error);
    dial_close(dial);
    return -1;
}

static void *dial_end(void *arg)
{
    struct dial *dial = arg;
    if (dial->is_open)
        nng_close(dial->socket);
    free(dial->url);
    free(dial);
    return NULL;
}

void dial_close(struct dial *dial)
{
    pthread_t thread;
    if (!dial)
        return;
    if (dial->message)
        nng_msg_free(dial->message);
    /* When a subscriber is closed while a message comes in, nng 1.5.2 now and then waits for ever, and
     * so does the close of the next socket.  On a thread of its own it may: nobody needs its end. */
    if (pthread_create(&thread, NULL, dial_end, dial) == 0)
        pthread_detach(thread);
    else
        dial_end(dial);
}

bool dial_is_connected(const struct dial *dial)
{
    return atomic_load(&dial->n_pipes) > 0;
}

unsigned dial_n_lost(const struct dial *dial)
{
    return atomic_load(&dial->n_lost);
}

/* ---- waiting ------------------------------------------------------------------------------- */

/* How long something may take. */
struct dial_deadline {
    uint64_t end_ns;
    unsigned wait_ms;
};

static struct dial_deadline dial_deadline(unsigned wait_ms)
{
    return (struct dial_deadline){progress_now_ns() + (uint64_t)wait_ms * DIAL_NS_A_MS, wait_ms};
}

/* After a call of nng's that has run into its own short timeout: true to try again. */
static bool dial_goes_on(const struct dial *dial, struct dial_deadline deadline, char *ret_error)
{
    if (stop_asked()) {
        snprintf(ret_error, DIAL_ERROR_MAX, "interrupted");
        return false;
    }
    if (progress_now_ns() < deadline.end_ns)
        return true;
    static const char *const others[] = {
        [DIAL_REQUEST] = "is neither the control socket nor an ingest of the kind rep",
        [DIAL_PUSH] = "is no ingest of the kind pull; for one of the kind rep say --ack",
        [DIAL_SUBSCRIBE] = "is no tap",
    };
    if (!atomic_load(&dial->was_connected)) {
        snprintf(ret_error, DIAL_ERROR_MAX, "%.256s: what listens there %s", dial->url,
                 others[dial->kind]);
        return false;
    }
    snprintf(ret_error, DIAL_ERROR_MAX, "%.256s: %s for %.3g s; is the daemon still running?",
             dial->url, dial_is_connected(dial) ? "no answer" : "no connection",
             deadline.wait_ms / 1000.0);
    return false;
}

static nng_msg *dial_message(const unsigned char *bytes, size_t n_bytes)
{
    nng_msg *message;
    if (nng_msg_alloc(&message, n_bytes) != 0)
        return NULL;
    memcpy(nng_msg_body(message), bytes, n_bytes);
    return message;
}

/* Sends, as long as it takes while there is a connection, otherwise until the deadline. */
static int dial_send(struct dial *dial, const unsigned char *bytes, size_t n_bytes,
                     unsigned wait_ms, char *ret_error)
{
    struct dial_deadline deadline = dial_deadline(wait_ms);
    nng_msg *message = dial_message(bytes, n_bytes);
    if (!message)
        return dial_fail(dial, NNG_ENOMEM, ret_error);
    for (;;) {
        int code = nng_sendmsg(dial->socket, message, 0);
        if (code == 0)
            return 0;
        if (dial_is_connected(dial))
            deadline = dial_deadline(wait_ms); /* it only has no room */
        if (code == NNG_ETIMEDOUT && dial_goes_on(dial, deadline, ret_error))
            continue;
        nng_msg_free(message);
        return code == NNG_ETIMEDOUT ? -1 : dial_fail(dial, code, ret_error);
    }
}

int dial_push(struct dial *dial, const unsigned char *bytes, size_t n_bytes, unsigned wait_ms,
              char *ret_error)
{
    return dial_send(dial, bytes, n_bytes, wait_ms, ret_error);
}

int dial_drain(struct dial *dial, unsigned wait_ms, char *ret_error)
{
    struct dial_deadline deadline = dial_deadline(wait_ms);
    struct pollfd writable = {.events = POLLIN}; /* nng makes its descriptor readable for it */
    int code = nng_socket_get_int(dial->socket, NNG_OPT_SENDFD, &writable.fd);
    if (code)
        return dial_fail(dial, code, ret_error);
    while (poll(&writable, 1, DIAL_LOOK_MS) <= 0) {
        if (dial_is_connected(dial))
            deadline = dial_deadline(wait_ms);
        if (!dial_goes_on(dial, deadline, ret_error))
            return -1;
    }
    return 0;
}

/* ---- messages in --------------------------------------------------------------------------- */

static void dial_keep(struct dial *dial, nng_msg *message, const unsigned char **ret_bytes,
                      size_t *ret_n_bytes)
{
    if (dial->message)
        nng_msg_free(dial->message);
    dial->message = message;
    *ret_bytes = nng_msg_body(message);
    *ret_n_bytes = nng_msg_len(message);
}

int dial_request(struct dial *dial, const unsigned char *bytes, size_t n_bytes, unsigned wait_ms,
                 char *ret_error)
{
    return dial_send(dial, bytes, n_bytes, wait_ms, ret_error);
}

int dial_reply(struct dial *dial, unsigned wait_ms, const unsigned char **ret_reply,
               size_t *ret_n_bytes, char *ret_error)
{
    struct dial_deadline deadline;
    struct pollfd readable = {.fd = dial_fd(dial), .events = POLLIN};
    nng_msg *reply;
    int code = NNG_EAGAIN;
    /* A receive that runs into its timeout gives the request up: so look first. */
    deadline = dial_deadline(wait_ms);
    while (code == NNG_EAGAIN) {
        if (poll(&readable, 1, DIAL_LOOK_MS) <= 0 && !dial_goes_on(dial, deadline, ret_error))
            return -1;
        code = nng_recvmsg(dial->socket, &reply, NNG_FLAG_NONBLOCK);
    }
    if (code)
        return dial_fail(dial, code, ret_error);
    dial_keep(dial, reply, ret_reply, ret_n_bytes);
    return 0;
}

int dial_ask(struct dial *dial, const unsigned char *bytes, size_t n_bytes, unsigned wait_ms,
             const unsigned char **ret_reply, size_t *ret_n_bytes, char *ret_error)
{
    if (dial_request(dial, bytes, n_bytes, wait_ms, ret_error) < 0)
        return -1;
    return dial_reply(dial, wait_ms, ret_reply, ret_n_bytes, ret_error);
}

int dial_take(struct dial *dial, const unsigned char **ret_message, size_t *ret_n_bytes,
              char *ret_error)
{
    nng_msg *message;
    int code = nng_recvmsg(dial->socket, &message, NNG_FLAG_NONBLOCK);
    if (code == NNG_EAGAIN)
        return 0;
    if (code)
        return dial_fail(dial, code, ret_error);
    dial_keep(dial, message, ret_message, ret_n_bytes);
    return 1;
}

int dial_fd(struct dial *dial)
{
    int fd = -1;
    return nng_socket_get_int(dial->socket, NNG_OPT_RECVFD, &fd) == 0 ? fd : -1;
}
