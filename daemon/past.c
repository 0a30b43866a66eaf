/* past.c - past timesteps of streams, computed again a slice at a time.
 *
 *     open[]   stream, range, next seq | replay          the one used longest ago makes room
 *     reply    {"records", "cursor", "model", "bytes", "total"}     or {"error", "from"}
 *
 * A slice ends when 1 MiB of records is full, after PAST_SLICE_NS (so that a client hears something
 * also while the timesteps before its range are stepped, and clients take turns), where the
 * stream's model changes, and where the range does.  A range without an end stays open behind its
 * last timestep: who follows a stream asks for what has come since. */
#include "daemon/past.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/verdict.h"
#include "lib/celltap_journal.h"
#include "lib/celltap_wire.h"

#define PAST_OPEN     4   /* each holds a model and a window of the journal */
#define PAST_HEAD     14  /* bytes before a reply's records: a map, "records", a bin's header */
#define PAST_TAIL     100 /* bytes behind them */
#define PAST_TENSORS  64  /* of a record; more are left out */
#define PAST_SLICE_NS INT64_C(100000000)  /* 100 ms */
#define PAST_IDLE_NS  INT64_C(5000000000) /* 5 s */

struct past_open {
    celltap_replay *replay; /* owned; NULL: this place is free */
    struct past_wish wish;  /* its texts are not kept */
    uint64_t next;          /* the seq from which it goes on */
    int64_t used_ns;
    uint64_t model_hash; /* of the last timestep */
    uint64_t *selected;  /* owned, [n_layers]: a bit for each tensor */
    size_t n_layers;
    bool ahead; /* `step` was taken, but is not yet in a reply */
    struct celltap_replay_step step;
};

struct past {
    const char *directory; /* borrowed */
    const atomic_bool *stopping;
    struct past_open open[PAST_OPEN];
};

/* A reply being made. */
struct past_reply {
    const struct past_wish *wish;
    struct celltap_writer records;
    uint64_t n_steps; /* written */
    struct celltap_journal_error error;
};

static int64_t past_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- open replays -------------------------------------------------------------------------- */

static void past_close(struct past_open *open)
{
    celltap_replay_close(open->replay);
    free(open->selected);
    *open = (struct past_open){0};
}

static bool past_goes_on(const struct past_open *open, const struct past_wish *wish)
{
    return open->replay != NULL && open->next == wish->from && open->wish.to == wish->to &&
           open->wish.by_time == wish->by_time && open->wish.from_ts == wish->from_ts &&
           open->wish.to_ts == wish->to_ts && strcmp(open->wish.stream, wish->stream) == 0;
}

/* The replay that the wish goes on with, or a new one in the place used longest ago.  *ret_open is
 * the place, also of one that could not be opened. */
static int past_find(struct past *past, const struct past_wish *wish, struct past_open **ret_open,
                     struct celltap_journal_error *reterr)
{
    struct past_open *oldest = &past->open[0];
    for (size_t i = 0; i < PAST_OPEN; i++) {
        *ret_open = &past->open[i];
        if (past_goes_on(*ret_open, wish))
            return 0;
        if (past->open[i].used_ns < oldest->used_ns)
            oldest = &past->open[i];
    }
    struct celltap_replay_options options = {
        .files = celltap_files_posix(),
        .directory = past->directory,
        .stream = wish->stream,
        .from_seq = wish->from,
        .to_seq = wish->to,
        .by_time = wish->by_time,
        .from_ts = wish->from_ts,
        .to_ts = wish->to_ts,
    };
    *ret_open = oldest;
    past_close(oldest);
    oldest->wish = *wish;
    oldest->next = wish->from;
    return celltap_replay_open(&options, &oldest->replay, reterr);
}

void past_forget(struct past *past)
{
    int64_t now_ns = past_now_ns();
    for (size_t i = 0; i < PAST_OPEN; i++) {
        if (past->open[i].replay != NULL && now_ns - past->open[i].used_ns >= PAST_IDLE_NS)
            past_close(&past->open[i]);
    }
}

/* ---- records ------------------------------------------------------------------------------- */

static bool past_selects(const struct past_wish *wish, const char *layer, const char *tensor)
{
    return conf_match(&wish->tensors, tensor) ||
           (strcmp(layer, "@output") == 0 && conf_match(&wish->tensors, "output"));
}

/* Notes which tensors of the model the wish means. */
static int past_select(struct past_open *open, const struct past_wish *wish)
{
    const celltap_model *model = open->step.model;
    size_t n = celltap_model_n_layers(model);
    if (n > open->n_layers || open->selected == NULL) {
        free(open->selected);
        open->n_layers = n;
        open->selected = malloc((n + 1) * sizeof(*open->selected));
        if (open->selected == NULL)
            return CELLTAP_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const char *layer = celltap_layer_name(model, i);
        open->selected[i] = 0;
        for (size_t j = 0; j < celltap_layer_n_tensors(model, i) && j < PAST_TENSORS; j++)
            if (conf_match(&wish->layers, layer) &&
                past_selects(wish, layer, celltap_tensor_name(model, i, j)))
                open->selected[i] |= UINT64_C(1) << j;
    }
    return 0;
}

static void past_put_layer(const struct past_open *open, size_t layer_ix,
                           struct celltap_writer *writer)
{
    struct celltap_record_tensor tensors[PAST_TENSORS];
    const struct celltap_replay_step *step = &open->step;
    struct celltap_record record = {
        .stream = open->wish.stream,
        .stream_bytes = strlen(open->wish.stream),
        .seq = step->seq,
        .ts_ns = step->ts_ns,
        .layer = celltap_layer_name(step->model, layer_ix),
        .tensors = tensors,
    };
    for (uint64_t left = open->selected[layer_ix]; left != 0; left &= left - 1) {
        size_t ix = (size_t)__builtin_ctzll(left);
        tensors[record.n_tensors++] =
            (struct celltap_record_tensor){celltap_tensor_name(step->model, layer_ix, ix),
                                           celltap_panel_tensor(step->panel, 0, layer_ix, ix),
                                           celltap_tensor_size(step->model, layer_ix, ix)};
    }
    celltap_put_record(writer, &record, CELLTAP_ENCODING_F4);
}

/* Nothing, if the stream was not watched then. */
static void past_put_score(const struct past_open *open, struct celltap_writer *writer)
{
    const struct celltap_replay_step *step = &open->step;
    const struct celltap_score *score = celltap_panel_score(step->panel, 0);
    struct verdict_head head = {open->wish.stream, strlen(open->wish.stream), step->seq,
                                step->ts_ns};
    if (score != NULL)
        verdict_put_score(writer, &head, score, step->stream);
}

/* The records of one timestep.  False: they do not fit, and nothing was written. */
static bool past_put(const struct past_open *open, const struct past_wish *wish,
                     struct celltap_writer *writer)
{
    unsigned char *before = writer->at;
    if (wish->scores)
        past_put_score(open, writer);
    for (size_t i = 0; !wish->scores && i < celltap_model_n_layers(open->step.model); i++)
        if (open->selected[i] != 0)
            past_put_layer(open, i, writer);
    if (!writer->full)
        return true;
    writer->at = before;
    writer->full = false;
    return false;
}

/* ---- one slice ----------------------------------------------------------------------------- */

/* Takes a timestep into the reply.  1: it is in; 0: it waits for the next reply; or a code. */
static int past_take(struct past_open *open, struct past_reply *reply)
{
    const struct celltap_replay_step *step = &open->step;
    open->next = step->seq;
    if (step->seq % reply->wish->every == 0) {
        if (reply->n_steps == 0 && past_select(open, reply->wish) != 0)
            return CELLTAP_ENOMEM;
        if (reply->n_steps > 0 && step->model_hash != open->model_hash)
            return 0;
        if (!past_put(open, reply->wish, &reply->records)) {
            if (reply->n_steps > 0)
                return 0;
            snprintf(reply->error.text, sizeof(reply->error.text),
                     "one timestep is larger than a reply; select fewer layers or tensors");
            return CELLTAP_ERANGE;
        }
        open->model_hash = step->model_hash;
        reply->n_steps++;
    }
    open->ahead = false;
    open->next = step->seq + 1;
    return 1;
}

/* 1: there is more from open->next on; 0: that was all; or a code with the reason in the reply. */
static int past_fill(const struct past *past, struct past_open *open, struct past_reply *reply)
{
    int64_t end_ns = past_now_ns() + PAST_SLICE_NS;
    do {
        int code = 1;
        if (!open->ahead)
            code = celltap_replay_next(open->replay, &open->step, &reply->error);
        if (code <= 0)
            return code;
        if (code == CELLTAP_REPLAY_ON)
            continue;
        open->ahead = true;
        code = past_take(open, reply);
        if (code <= 0)
            return code == 0 ? 1 : code;
    } while (reply->n_steps < reply->wish->limit && past_now_ns() < end_ns &&
             !atomic_load(past->stopping));
    return 1;
}

/* {"records": bin, "cursor": seq or nil, "model", "bytes", "total"}: what stands before the records
 * is always as long, so that they can be written first. */
static size_t past_finish(const struct past_open *open, const struct past_reply *reply, bool more,
                          unsigned char *body)
{
    char hash[20];
    uint64_t n_bytes, total;
    struct celltap_writer writer = reply->records;
    uint32_t n_records = (uint32_t)(writer.at - body - PAST_HEAD);
    celltap_replay_progress(open->replay, &n_bytes, &total);
    snprintf(hash, sizeof(hash), "%016" PRIx64, open->model_hash);
    memcpy(body, "\x85\xa7records\xc6", PAST_HEAD - 4);
    for (unsigned i = 0; i < 4; i++)
        body[PAST_HEAD - 4 + i] = (unsigned char)(n_records >> (24 - 8 * i));
    writer.end += PAST_TAIL;
    celltap_put_str(&writer, "cursor");
    if (more)
        celltap_put_uint(&writer, open->next);
    else
        celltap_put_nil(&writer);
    celltap_put_str(&writer, "model");
    celltap_put_str(&writer, hash);
    celltap_put_str(&writer, "bytes");
    celltap_put_uint(&writer, n_bytes);
    celltap_put_str(&writer, "total");
    celltap_put_uint(&writer, total);
    return (size_t)(writer.at - body);
}

/* {"error": text}, with "from" where a part of the range is held. */
static size_t past_error(const char *text, uint64_t held_from, unsigned char *body)
{
    struct celltap_writer writer = {.at = body, .end = body + PAST_MESSAGE_BYTES};
    celltap_put_map(&writer, held_from != 0 ? 2 : 1);
    celltap_put_str(&writer, "error");
    celltap_put_str(&writer, text);
    if (held_from != 0) {
        celltap_put_str(&writer, "from");
        celltap_put_uint(&writer, held_from);
    }
    return (size_t)(writer.at - body);
}

void past_slice(struct past *past, const struct past_wish *wish, sock_message *message)
{
    struct past_open *open;
    unsigned char *body = sock_message_body(message);
    struct past_reply reply = {
        .wish = wish,
        .records = {.at = body + PAST_HEAD, .end = body + PAST_MESSAGE_BYTES - PAST_TAIL},
        .error = {"out of memory"},
    };
    int code = past_find(past, wish, &open, &reply.error);
    if (code == 0)
        code = past_fill(past, open, &reply);
    size_t n_bytes;
    if (code < 0) {
        bool gone = code == CELLTAP_EGONE && open->replay != NULL;
        n_bytes =
            past_error(reply.error.text, gone ? celltap_replay_held_from(open->replay) : 0, body);
    } else {
        n_bytes = past_finish(open, &reply, code == 1, body);
    }
    sock_message_cut(message, n_bytes);
    bool follows = code == 0 && wish->to == UINT64_MAX && !wish->by_time;
    if (code == 1 || follows)
        open->used_ns = past_now_ns();
    else
        past_close(open);
}

/* ---- life ---------------------------------------------------------------------------------- */

struct past *past_new(const char *directory, const atomic_bool *stopping)
{
    struct past *past = calloc(1, sizeof(*past));
    if (past == NULL)
        return NULL;
    past->directory = directory;
    past->stopping = stopping;
    return past;
}

void past_free(struct past *past)
{
    if (past == NULL)
        return;
    for (size_t i = 0; i < PAST_OPEN; i++)
        past_close(&past->open[i]);
    free(past);
}
