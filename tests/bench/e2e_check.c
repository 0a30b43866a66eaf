/* e2e_check.c - subscribers that check every record, and say how late it came.
 *
 *     last[stream][layer]    the seq of the last record: the next one is one more, exactly
 *     twin[stream][layer]    of the first streams: a stream of the library's, stepped to that seq
 *
 * There is a twin per layer because a tap may send many timesteps of one layer before another's.
 * A fault is kept as a line (the first one counts), so that the main thread can end with it. */
#include "tests/bench/e2e_check.h"

#include <errno.h>
#include <fnmatch.h>
#include <nng/nng.h>
#include <nng/protocol/pubsub0/sub.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/celltap_wire.h"
#include "tests/bench/e2e_load.h"

#define CHECK_STREAMS_SAMPLED 4
#define CHECK_LAYERS_MAX      16
#define CHECK_TENSORS_MAX     8
#define CHECK_VALUES_MAX      1024
#define CHECK_STALLED_S       5
#define CHECK_QUEUE           8192 /* messages; nng's maximum */
#define CHECK_MESSAGE_MAX     ((size_t)64 << 20)

struct check_layer {
    const char *name;
    size_t ix; /* in the model */
    size_t n_tensors;
    struct {
        const char *name;
        size_t ix, n_values;
    } tensors[CHECK_TENSORS_MAX];
};

struct subscriber {
    struct e2e_check *check; /* borrowed */
    nng_socket socket;
    nng_aio *aio; /* owned */
    bool first;
    atomic_bool connected;
    atomic_uint_fast64_t n_frames;
    uint64_t n_records, n_messages, n_bytes, n_compared;
    uint32_t *last;                                                /* [n_streams][n_layers] owned */
    celltap_stream *twin[CHECK_STREAMS_SAMPLED][CHECK_LAYERS_MAX]; /* owned; of the first */
};

struct e2e_check {
    struct e2e_check_options options;
    size_t n_layers;
    struct check_layer layers[CHECK_LAYERS_MAX];
    celltap_panel *panel; /* owned; the first subscriber's */
    uint32_t *late_ns;    /* [n_frames] owned; the first subscriber's */
    size_t n_late;
    atomic_bool keeps;
    pthread_mutex_t lock;
    pthread_cond_t moved; /* some subscriber has more frames */
    atomic_bool failed;
    char fault[256];                 /* behind the lock */
    struct subscriber subscribers[]; /* [n_subscribers] */
};

static void check_fail(struct e2e_check *check, const char *text, const char *stream, uint64_t seq,
                       const char *layer)
{
    pthread_mutex_lock(&check->lock);
    if (!atomic_exchange(&check->failed, true))
        snprintf(check->fault, sizeof check->fault, "%s: stream %s, seq %llu, layer %s", text,
                 stream, (unsigned long long)seq, layer);
    pthread_cond_broadcast(&check->moved);
    pthread_mutex_unlock(&check->lock);
}

/* ---- one record ---------------------------------------------------------------------------- */

static size_t check_layer_ix(const struct e2e_check *check, const struct celltap_record_view *view)
{
    size_t i = 0;
    while (i < check->n_layers && (strlen(check->layers[i].name) != view->layer_bytes ||
                                   memcmp(check->layers[i].name, view->layer, view->layer_bytes)))
        i++;
    return i;
}

/* "s12" is stream 12; any other name is beyond all streams. */
static size_t check_stream_ix(const struct celltap_record_view *view)
{
    size_t ix = 0;
    if (view->stream_bytes < 2 || view->stream[0] != 's')
        return SIZE_MAX;
    for (size_t i = 1; i < view->stream_bytes; i++)
        ix = 10 * ix + (size_t)(view->stream[i] - '0');
    return ix;
}

/* The twin of this stream and layer is stepped to seq; the panel shows that timestep. */
static void check_step(struct e2e_check *check, celltap_stream *twin, size_t stream_ix,
                       uint64_t seq)
{
    float x[E2E_VALUES_MAX];
    size_t n_values = celltap_model_n_values(check->options.model);
    e2e_values(stream_ix, seq, x, n_values);
    celltap_step(check->panel, twin, x, n_values);
}

/* NULL, or what is wrong with the record's tensors. */
static const char *check_tensors(struct subscriber *subscriber, const struct check_layer *layer,
                                 const struct celltap_record_view *view, const unsigned char *end,
                                 bool sampled)
{
    const unsigned char *cursor = view->tensors;
    if (view->n_tensors != layer->n_tensors)
        return "another number of tensors";
    for (size_t i = 0; i < view->n_tensors; i++) {
        float values[CHECK_VALUES_MAX];
        const char *name;
        size_t name_bytes, n_values;
        if (celltap_record_tensor_read(view, &cursor, end, &name, &name_bytes, values,
                                       sampled ? CHECK_VALUES_MAX : 0, &n_values) != 0)
            return "a tensor cannot be read";
        if (strlen(layer->tensors[i].name) != name_bytes ||
            memcmp(layer->tensors[i].name, name, name_bytes) != 0)
            return "another tensor";
        if (n_values != layer->tensors[i].n_values)
            return "another number of values";
        if (!sampled)
            continue;
        if (memcmp(
                values,
                celltap_panel_tensor(subscriber->check->panel, 0, layer->ix, layer->tensors[i].ix),
                n_values * sizeof *values) != 0)
            return "not the bits that the library computes";
        subscriber->n_compared++;
    }
    return NULL;
}

static void check_late(struct e2e_check *check, int64_t late_ns)
{
    if (!atomic_load_explicit(&check->keeps, memory_order_relaxed) ||
        check->n_late == check->options.n_frames)
        return;
    check->late_ns[check->n_late++] = late_ns < UINT32_MAX ? (uint32_t)late_ns : UINT32_MAX;
}

static const char *check_record(struct subscriber *subscriber,
                                const struct celltap_record_view *view, const unsigned char *end,
                                int64_t now_ns)
{
    struct e2e_check *check = subscriber->check;
    size_t stream_ix = check_stream_ix(view), layer_ix = check_layer_ix(check, view);
    if (stream_ix >= check->options.n_streams)
        return "no such stream";
    if (layer_ix == check->n_layers)
        return "no such layer";
    uint32_t *last = &subscriber->last[stream_ix * check->n_layers + layer_ix];
    if (view->seq != *last + 1)
        return *last < view->seq ? "records are lost before this one" : "a record came again";
    *last = (uint32_t)view->seq;
    bool sampled = subscriber->first && stream_ix < CHECK_STREAMS_SAMPLED &&
                   view->seq <= check->options.n_sampled;
    if (sampled)
        check_step(check, subscriber->twin[stream_ix][layer_ix], stream_ix, view->seq);
    if (layer_ix == check->n_layers - 1) { /* every tap sends a frame's layers in their order */
        if (subscriber->first)
            check_late(check, now_ns - view->ts_ns);
        atomic_fetch_add_explicit(&subscriber->n_frames, 1, memory_order_relaxed);
    }
    return check_tensors(subscriber, &check->layers[layer_ix], view, end, sampled);
}

static void check_message(struct subscriber *subscriber, nng_msg *message)
{
    const unsigned char *body = nng_msg_body(message);
    const unsigned char *end = body + nng_msg_len(message);
    const unsigned char *cursor = memchr(body, 0, nng_msg_len(message));
    int64_t now_ns = e2e_now_ns();
    cursor = cursor != NULL ? cursor + 1 : end;
    while (cursor < end) {
        char stream[CELLTAP_STREAM_NAME_MAX + 1] = "?", layer[64] = "?";
        struct celltap_record_view view = {.seq = 0};
        const char *fault = "not a record";
        if (celltap_record_read(&cursor, end, &view) == 0) {
            if (view.stream_bytes == 4 && memcmp(view.stream, "warm", 4) == 0) {
                atomic_store(&subscriber->connected, true);
                continue;
            }
            fault = check_record(subscriber, &view, end, now_ns);
            if (fault != NULL) {
                snprintf(stream, sizeof stream, "%.*s", (int)view.stream_bytes, view.stream);
                snprintf(layer, sizeof layer, "%.*s", (int)view.layer_bytes, view.layer);
            }
        }
        if (fault != NULL)
            check_fail(subscriber->check, fault, stream, view.seq, layer);
        subscriber->n_records++;
    }
    subscriber->n_messages++;
    subscriber->n_bytes += nng_msg_len(message);
}

static void check_on_message(void *arg)
{
    struct subscriber *subscriber = arg;
    struct e2e_check *check = subscriber->check;
    if (nng_aio_result(subscriber->aio) != 0)
        return;
    nng_msg *message = nng_aio_get_msg(subscriber->aio);
    check_message(subscriber, message);
    nng_msg_free(message);
    pthread_mutex_lock(&check->lock);
    pthread_cond_broadcast(&check->moved);
    pthread_mutex_unlock(&check->lock);
    nng_recv_aio(subscriber->socket, subscriber->aio);
}

/* ---- birth --------------------------------------------------------------------------------- */

/* What a tap of `output`, `h` and `c` selects of a layer; false: nothing. */
static bool check_layer_init(struct check_layer *layer, const celltap_model *model, size_t ix)
{
    *layer = (struct check_layer){.name = celltap_layer_name(model, ix), .ix = ix};
    bool output = strcmp(layer->name, "@output") == 0;
    for (size_t i = 0; i < celltap_layer_n_tensors(model, ix); i++) {
        const char *name = celltap_tensor_name(model, ix, i);
        if (!output && strcmp(name, "output") != 0 && strcmp(name, "h") != 0 &&
            strcmp(name, "c") != 0)
            continue;
        layer->tensors[layer->n_tensors].name = name;
        layer->tensors[layer->n_tensors].ix = i;
        layer->tensors[layer->n_tensors++].n_values = celltap_tensor_size(model, ix, i);
    }
    return layer->n_tensors > 0;
}

static int check_subscribe(struct subscriber *subscriber)
{
    const struct e2e_check *check = subscriber->check;
    size_t n_last = check->options.n_streams * check->n_layers;
    subscriber->last = calloc(n_last, sizeof *subscriber->last);
    if (subscriber->last == NULL)
        return NNG_ENOMEM;
    for (size_t i = 0; subscriber->first && i < CHECK_STREAMS_SAMPLED; i++)
        for (size_t j = 0; j < check->n_layers; j++)
            if (celltap_stream_new(check->options.model, &subscriber->twin[i][j]) != 0)
                return NNG_ENOMEM;
    int err = nng_aio_alloc(&subscriber->aio, check_on_message, subscriber);
    if (err != 0 || (err = nng_sub0_open(&subscriber->socket)) != 0 ||
        (err = nng_socket_set_int(subscriber->socket, NNG_OPT_RECVBUF, CHECK_QUEUE)) != 0 ||
        (err = nng_socket_set_size(subscriber->socket, NNG_OPT_RECVMAXSZ, CHECK_MESSAGE_MAX)) ||
        (err = nng_socket_set(subscriber->socket, NNG_OPT_SUB_SUBSCRIBE, "", 0)) != 0 ||
        (err = nng_dial(subscriber->socket, check->options.url, NULL, 0)) != 0)
        return err;
    nng_recv_aio(subscriber->socket, subscriber->aio);
    return 0;
}

struct e2e_check *e2e_check_new(const struct e2e_check_options *options)
{
    size_t n = options->n_subscribers;
    struct e2e_check *check = calloc(1, sizeof *check + n * sizeof check->subscribers[0]);
    if (check == NULL)
        return NULL;
    check->options = *options;
    pthread_mutex_init(&check->lock, NULL);
    pthread_cond_init(&check->moved, NULL);
    check->late_ns = calloc(options->n_frames, sizeof *check->late_ns);
    for (size_t i = 0; i < celltap_model_n_layers(options->model); i++)
        if (check_layer_init(&check->layers[check->n_layers], options->model, i) &&
            ++check->n_layers == CHECK_LAYERS_MAX)
            break;
    if (check->late_ns == NULL || celltap_panel_new(options->model, 1, &check->panel) != 0)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        check->subscribers[i].check = check;
        check->subscribers[i].first = i == 0;
        int err = check_subscribe(&check->subscribers[i]);
        if (err != 0) {
            fprintf(stderr, "e2e: cannot subscribe to %s: %s\n", options->url, nng_strerror(err));
            return NULL;
        }
    }
    return check;
}

void e2e_check_free(struct e2e_check *check)
{
    for (size_t i = 0; i < check->options.n_subscribers; i++) {
        struct subscriber *subscriber = &check->subscribers[i];
        nng_aio_stop(subscriber->aio);
        nng_close(subscriber->socket);
        nng_aio_free(subscriber->aio);
        free(subscriber->last);
        for (size_t j = 0; j < CHECK_STREAMS_SAMPLED; j++)
            for (size_t k = 0; k < check->n_layers; k++)
                celltap_stream_free(subscriber->twin[j][k]);
    }
    celltap_panel_free(check->panel);
    free(check->late_ns);
    free(check);
}

/* ---- how far they are ---------------------------------------------------------------------- */

bool e2e_check_connected(struct e2e_check *check)
{
    bool all = true;
    for (size_t i = 0; i < check->options.n_subscribers; i++)
        all &= atomic_load(&check->subscribers[i].connected);
    return all;
}

uint64_t e2e_check_frames(const struct e2e_check *check)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < check->options.n_subscribers; i++) {
        uint64_t n = atomic_load_explicit(&check->subscribers[i].n_frames, memory_order_relaxed);
        least = n < least ? n : least;
    }
    return least;
}

bool e2e_check_wait(struct e2e_check *check, uint64_t n_frames)
{
    uint64_t before = e2e_check_frames(check), now = before;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CHECK_STALLED_S;
    pthread_mutex_lock(&check->lock);
    while (!atomic_load(&check->failed) && (now = e2e_check_frames(check)) < n_frames) {
        if (now != before)
            clock_gettime(CLOCK_REALTIME, &until), until.tv_sec += CHECK_STALLED_S;
        before = now;
        if (pthread_cond_timedwait(&check->moved, &check->lock, &until) == ETIMEDOUT)
            break;
    }
    pthread_mutex_unlock(&check->lock);
    return now >= n_frames && !atomic_load(&check->failed);
}

void e2e_check_keep(struct e2e_check *check)
{
    atomic_store(&check->keeps, true);
}

static int check_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double check_quantile_us(const struct e2e_check *check, double q)
{
    return check->n_late == 0 ? 0 : check->late_ns[(size_t)(q * (double)(check->n_late - 1))] / 1e3;
}

struct e2e_check_result e2e_check_result(struct e2e_check *check)
{
    struct e2e_check_result result = {.n_records = 0};
    if (atomic_load(&check->failed)) {
        fprintf(stderr, "e2e: %s\n", check->fault);
        exit(1);
    }
    if (check->options.n_subscribers == 0)
        return result;
    const struct subscriber *first = &check->subscribers[0];
    qsort(check->late_ns, check->n_late, sizeof *check->late_ns, check_compare);
    return (struct e2e_check_result){.n_records = first->n_records,
                                     .n_messages = first->n_messages,
                                     .n_bytes = first->n_bytes,
                                     .n_compared = first->n_compared,
                                     .p50_us = check_quantile_us(check, 0.5),
                                     .p99_us = check_quantile_us(check, 0.99),
                                     .p999_us = check_quantile_us(check, 0.999)};
}
