/* subscriber.c - prints what a tap publishes: the first few numbers of tensors, or anomalies.
 *
 *     cc subscriber.c $(pkg-config --cflags --libs celltap) -lnng -o subscriber
 *     ./subscriber ipc:///run/celltap/activations.ipc [TOPIC [LIMIT]]
 *     ./subscriber ipc:///run/celltap/anomalies.ipc
 *
 *     message   topic | NUL | record | record | ...          as celltap-wire(7) says
 *
 * TOPIC is a prefix (activations/pump/7/); after LIMIT records it ends.  The connection is made
 * again when the daemon comes back.  A jump of a stream's seq is a hole: this program was too slow,
 * or the stream had a gap. */
#include <celltap_wire.h>
#include <nng/nng.h>
#include <nng/protocol/pubsub0/sub.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUES_SHOWN     4
#define QUEUE_MESSAGES   8192               /* kept here while we print; nng's maximum */
#define MESSAGE_MAX      ((size_t)64 << 20) /* bytes */
#define RECONNECT_MAX_MS 200

static int print_tensor(const struct celltap_record_view *record, const unsigned char **cursor,
                        const unsigned char *end)
{
    const char *name;
    size_t name_bytes, n_values;
    float values[VALUES_SHOWN];
    int err = celltap_record_tensor_read(record, cursor, end, &name, &name_bytes, values,
                                         VALUES_SHOWN, &n_values);
    if (err < 0)
        return err;
    printf(" %.*s[%zu]", (int)name_bytes, name, n_values);
    for (size_t i = 0; i < n_values && i < VALUES_SHOWN; i++)
        printf(" %.4f", (double)values[i]);
    if (n_values > VALUES_SHOWN)
        printf(" ...");
    return 0;
}

static int print_record(const struct celltap_record_view *record, const unsigned char *end)
{
    const unsigned char *cursor = record->tensors;
    int err = 0;
    printf("%.*s seq %llu %.*s", (int)record->stream_bytes, record->stream,
           (unsigned long long)record->seq, (int)record->layer_bytes, record->layer);
    for (size_t i = 0; err == 0 && i < record->n_tensors; i++)
        err = print_tensor(record, &cursor, end);
    printf("\n");
    return err;
}

/* A number of a map, 0 if there is none. */
static double number(const unsigned char *map, const unsigned char *end, const char *key)
{
    struct celltap_token token;
    if (celltap_map_find(map, end, key, &token, NULL) != 0)
        return 0;
    return token.kind == CELLTAP_TOKEN_FLOAT  ? token.number
           : token.kind == CELLTAP_TOKEN_UINT ? (double)token.uint
                                              : 0;
}

static void print_text(const unsigned char *map, const unsigned char *end, const char *key)
{
    struct celltap_token token;
    if (celltap_map_find(map, end, key, &token, NULL) == 0 && token.kind == CELLTAP_TOKEN_STR)
        printf("%.*s", (int)token.n_bytes, (const char *)token.bytes);
}

/* A record of a tap of anomalies, with the channel that is most unusual.  False: it is none. */
static bool print_anomaly(const unsigned char *map, const unsigned char *end)
{
    struct celltap_token event, channels;
    const unsigned char *channel;
    if (celltap_map_find(map, end, "event", &event, NULL) != 0)
        return false;
    print_text(map, end, "stream");
    printf(" seq %.0f anomaly ", number(map, end, "seq"));
    print_text(map, end, "event");
    printf(" score %.2f", number(map, end, "score"));
    if (celltap_map_find(map, end, "channels", &channels, &channel) == 0 &&
        celltap_token_read(&channel, end, &channels) == 0 && channels.kind == CELLTAP_TOKEN_ARRAY &&
        channels.n_items > 0) {
        printf(" channel ");
        print_text(channel, end, "name");
        printf(" %.4f expected %.4f", number(channel, end, "value"),
               number(channel, end, "expected"));
    }
    printf("\n");
    return true;
}

/* Prints the records of one message, at most *left of them.  One that cannot be read is left out. */
static void print_message(const unsigned char *body, size_t n_bytes, unsigned long *left)
{
    const unsigned char *end = body + n_bytes;
    const unsigned char *nul = n_bytes > 0 ? memchr(body, 0, n_bytes) : NULL;
    const unsigned char *cursor = nul != NULL ? nul + 1 : end;
    while (cursor<end && * left> 0) {
        struct celltap_record_view record;
        const unsigned char *map = cursor;
        int err = celltap_record_read(&cursor, end, &record);
        if (err != 0 && print_anomaly(map, end))
            err = 0;
        else if (err == 0)
            err = print_record(&record, cursor);
        if (err == 0)
            (*left)--;
        else
            fprintf(stderr, "subscriber: a record is left out: %s\n", celltap_strerror(err));
    }
    fflush(stdout);
}

/* A socket that subscribes to a topic and dials in the background. */
static int subscribe(const char *url, const char *topic, nng_socket *ret_socket)
{
    int err = nng_sub0_open(ret_socket);
    if (err != 0)
        return err;
    if ((err = nng_socket_set_int(*ret_socket, NNG_OPT_RECVBUF, QUEUE_MESSAGES)) != 0 ||
        (err = nng_socket_set_size(*ret_socket, NNG_OPT_RECVMAXSZ, MESSAGE_MAX)) != 0 ||
        (err = nng_socket_set_ms(*ret_socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS)) != 0 ||
        (err = nng_socket_set(*ret_socket, NNG_OPT_SUB_SUBSCRIBE, topic, strlen(topic))) != 0 ||
        (err = nng_dial(*ret_socket, url, NULL, NNG_FLAG_NONBLOCK)) != 0)
        nng_close(*ret_socket);
    return err;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: subscriber URL [TOPIC [LIMIT]]\n");
        return 2;
    }
    unsigned long left = argc > 3 ? strtoul(argv[3], NULL, 10) : (unsigned long)-1;
    nng_socket socket;
    int err = subscribe(argv[1], argc > 2 ? argv[2] : "", &socket);
    if (err != 0) {
        fprintf(stderr, "subscriber: %s: %s\n", argv[1], nng_strerror(err));
        return 1;
    }
    while (left > 0 && err == 0) {
        nng_msg *message;
        err = nng_recvmsg(socket, &message, 0);
        if (err != 0)
            break;
        print_message(nng_msg_body(message), nng_msg_len(message), &left);
        nng_msg_free(message);
    }
    /* No nng_close: nng 1.5.2 may wait in it for ever while messages come, and all ends here. */
    if (err != 0)
        fprintf(stderr, "subscriber: %s\n", nng_strerror(err));
    return err != 0 ? 1 : 0;
}
