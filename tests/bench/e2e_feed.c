/* e2e_feed.c - a producer: frames of many streams, batched into messages, over one PUSH socket.
 *
 *     message  | frame, ts: now | frame, ts: now | ...  cut to what was written, sent with one aio
 */
#include "tests/bench/e2e_feed.h"

#include <nng/nng.h>
#include <nng/protocol/pipeline0/push.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/celltap_wire.h"
#include "tests/bench/e2e_load.h"

#define FEED_NAME_MAX 24
#define FEED_BUFFER   64 /* messages: otherwise nng wakes the sender after each */

struct e2e_feed {
    nng_socket socket;
    nng_aio *aio;
    size_t n_streams, n_values, message_bytes;
    bool has_seq;
    uint64_t n_frames, n_warm;
};

struct e2e_feed *e2e_feed_new(const char *url, size_t n_streams, size_t n_values,
                              size_t per_message, bool has_seq)
{
    struct e2e_feed *feed = calloc(1, sizeof *feed);
    if (feed == NULL)
        return NULL;
    feed->n_streams = n_streams;
    feed->n_values = n_values;
    feed->has_seq = has_seq;
    feed->message_bytes = per_message * celltap_frame_bytes_max(FEED_NAME_MAX, n_values);
    int err = nng_push0_open(&feed->socket);
    if (err == 0)
        err = nng_aio_alloc(&feed->aio, NULL, NULL);
    if (err == 0)
        err = nng_socket_set_int(feed->socket, NNG_OPT_SENDBUF, FEED_BUFFER);
    if (err == 0)
        err = nng_dial(feed->socket, url, NULL, 0);
    if (err == 0)
        return feed;
    fprintf(stderr, "e2e: cannot dial %s: %s\n", url, nng_strerror(err));
    return NULL;
}

void e2e_feed_free(struct e2e_feed *feed)
{
    nng_aio_stop(feed->aio);
    nng_close(feed->socket);
    nng_aio_free(feed->aio);
    free(feed);
}

uint64_t e2e_feed_frames(const struct e2e_feed *feed)
{
    return feed->n_frames;
}

static void feed_put(const struct e2e_feed *feed, struct celltap_writer *writer, const char *name,
                     size_t stream_ix, uint64_t seq)
{
    float values[E2E_VALUES_MAX];
    e2e_values(stream_ix, seq, values, feed->n_values);
    struct celltap_frame frame = {.stream = name,
                                  .stream_bytes = strlen(name),
                                  .seq = seq,
                                  .has_seq = feed->has_seq,
                                  .ts_ns = e2e_now_ns(),
                                  .has_ts = true,
                                  .n_values = feed->n_values};
    celltap_put_frame(writer, &frame, values);
}

static void feed_message(struct e2e_feed *feed, size_t n_frames)
{
    nng_msg *message;
    if (nng_msg_alloc(&message, feed->message_bytes) != 0)
        abort();
    unsigned char *body = nng_msg_body(message);
    struct celltap_writer writer = {.at = body, .end = body + feed->message_bytes};
    if (n_frames == 0)
        feed_put(feed, &writer, "warm", 0, ++feed->n_warm);
    for (size_t i = 0; i < n_frames; i++, feed->n_frames++) {
        char name[FEED_NAME_MAX];
        size_t stream_ix = (size_t)(feed->n_frames % feed->n_streams);
        snprintf(name, sizeof name, "s%zu", stream_ix);
        feed_put(feed, &writer, name, stream_ix, 1 + feed->n_frames / feed->n_streams);
    }
    nng_msg_chop(message, feed->message_bytes - (size_t)(writer.at - body));
    nng_aio_set_msg(feed->aio, message);
    nng_send_aio(feed->socket, feed->aio);
    nng_aio_wait(feed->aio);
    if (nng_aio_result(feed->aio) != 0) {
        fprintf(stderr, "e2e: cannot send: %s\n", nng_strerror(nng_aio_result(feed->aio)));
        exit(1);
    }
}

void e2e_feed_warm(struct e2e_feed *feed)
{
    feed_message(feed, 0);
}

void e2e_feed_send(struct e2e_feed *feed, size_t n_frames)
{
    feed_message(feed, n_frames);
}
