/* seqs.c - which timesteps of which stream have come, and how many are missing in between. */
#include "cli/seqs.h"

#include <stdlib.h>
#include <string.h>

static int seqs_find(struct seqs *seqs, const char *stream, size_t stream_bytes)
{
    for (size_t i = 0; i < seqs->n; i++)
        if (strlen(seqs->streams[i].name) == stream_bytes &&
            memcmp(seqs->streams[i].name, stream, stream_bytes) == 0)
            return (int)i;
    return -1;
}

static int seqs_add(struct seqs *seqs, const char *stream, size_t stream_bytes, uint64_t seq)
{
    if (!seqs->streams)
        seqs->streams = calloc(SEQS_STREAMS_MAX, sizeof *seqs->streams);
    if (!seqs->streams || seqs->n == SEQS_STREAMS_MAX)
        return -1;
    char *name = strndup(stream, stream_bytes);
    if (!name)
        return -1;
    seqs->streams[seqs->n] = (struct seqs_stream){.name = name, .seq = seq};
    return (int)seqs->n++;
}

int seqs_take(struct seqs *seqs, const char *stream, size_t stream_bytes, uint64_t seq)
{
    int ix = seqs_find(seqs, stream, stream_bytes);
    if (ix < 0)
        return seqs_add(seqs, stream, stream_bytes, seq);
    struct seqs_stream *known = &seqs->streams[ix];
    uint64_t expected = (known->seq / seqs->every + 1) * seqs->every;
    if (seq > expected && !known->is_paused) {
        uint64_t n_lost = (seq - expected) / seqs->every;
        known->n_lost += n_lost;
        seqs->n_lost += n_lost;
    }
    known->is_paused = false;
    known->seq = seq; /* a smaller one: the stream has begun again */
    return ix;
}

void seqs_pause(struct seqs *seqs)
{
    for (size_t i = 0; i < seqs->n; i++)
        seqs->streams[i].is_paused = true;
}

void seqs_done(struct seqs *seqs)
{
    for (size_t i = 0; i < seqs->n; i++)
        free(seqs->streams[i].name);
    free(seqs->streams);
    *seqs = (struct seqs){0};
}
