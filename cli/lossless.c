/* lossless.c - a tap's records without holes: what was lost is replayed by the daemon.
 *
 * Hole: a layer's record comes and its seq is not the one that is due.  All that the stream is
 *    behind is asked for and given out before the record.
 * Lost and nothing after it: every LOSSLESS_ASK_NS the daemon is asked how far its streams are.  What
 *    was published by then has come, or never will, once a record from later comes (of any stream:
 *    the tap keeps the order) or nothing has come for LOSSLESS_SILENT_NS.
 * Given out already: a record that a replay was faster with, is left out.
 * A producer that leaves out seqs: the first of its holes turns out to be none; from then on a hole
 *    is filled up to the daemon's present, so that it costs one request, not one for every seq.
 * Not held any more, or damaged: said, counted, and passed over. */
#include "cli/lossless.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/marks.h"
#include "cli/progress.h"
#include "cli/recall.h"
#include "cli/say.h"
#include "cli/select.h"

#define LOSSLESS_ASK_NS    UINT64_C(1000000000) /* between two rounds */
#define LOSSLESS_SILENT_NS UINT64_C(300000000)
#define LOSSLESS_PAGE      1000 /* streams of one answer */

enum lossless_round { LOSSLESS_PAUSE, LOSSLESS_ASK, LOSSLESS_WAIT };

struct lossless {
    struct lossless_options options;
    struct control *control; /* owned */
    struct marks marks;
    struct records values; /* of what is replayed */
    bool is_passed;        /* the record being taken is given out */
    uint64_t n_unfilled, n_replayed;
    bool has_failed, is_full; /* is_full: on_tensor wanted no more */
    char error[CONTROL_ERROR_MAX];

    enum lossless_round round;
    uint64_t round_ns, record_ns; /* when the round began, when the last record came */
    uint64_t cursor;              /* of the round's next page */
    bool is_past;                 /* a record from behind the round has come */

    /* The hole being filled. */
    struct marks_stream *stream;
    bool again; /* a layer was not known: from further back */
};

static bool lossless_fail(struct lossless *lossless, const char *text)
{
    lossless->has_failed = true;
    if (text)
        snprintf(lossless->error, sizeof lossless->error, "%s", text);
    return false;
}

/* ---- filling ------------------------------------------------------------------------------- */

static bool lossless_on_replayed(void *arg, const struct celltap_record_view *record,
                                 size_t tensor_ix, const char *name, size_t name_bytes,
                                 const float *values, size_t n_values)
{
    struct lossless *lossless = arg;
    const struct lossless_options *options = &lossless->options;
    uint64_t every = options->selection->every;
    if (tensor_ix == 0) {
        size_t n_layers = lossless->stream->n_layers;
        struct marks_layer *layer =
            marks_layer(lossless->stream, record->layer, record->layer_bytes);
        if (!layer)
            return lossless_fail(lossless, "out of memory");
        lossless->again = lossless->stream->n_layers > n_layers &&
                          record->seq > (layer->last / every + 1) * every;
        if (lossless->again)
            return false;
        lossless->is_passed = record->seq > layer->last;
        if (lossless->is_passed)
            layer->last = record->seq;
        lossless->n_replayed++;
    }
    if (!lossless->is_passed)
        return true;
    lossless->is_full =
        !options->on_tensor(options->arg, record, tensor_ix, name, name_bytes, values, n_values);
    return !lossless->is_full;
}

/* A part cannot be had: it is passed over.  The seq up to which. */
static uint64_t lossless_pass_over(struct lossless *lossless, uint64_t from, uint64_t to,
                                   uint64_t held_from, const char *why)
{
    struct marks_stream *stream = lossless->stream;
    uint64_t until = held_from > from && held_from <= to ? held_from - 1 : to;
    char name[300];
    say_note("%s: seq %" PRIu64 "..%" PRIu64 " cannot be filled: %s",
             say_clean(stream->name, strlen(stream->name), name, sizeof name), from, until, why);
    lossless->n_unfilled += (until - from) / lossless->options.selection->every + 1;
    return until;
}

/* One replay.  1: `to` is reached, 0: ask again, -1: failed or full. */
static int lossless_replay(struct lossless *lossless, struct recall_range *range, uint64_t to)
{
    struct recall_slice slice;
    const struct lossless_options *options = &lossless->options;
    uint64_t from = range->from_seq;
    int code = recall_send(lossless->control, range, lossless->error);
    while (code == 0) {
        if ((code = recall_receive(lossless->control, range, &slice, lossless->error)) < 0)
            break;
        code = records_each(&lossless->values, slice.records, slice.end, lossless_on_replayed,
                            lossless);
        if (lossless->again)
            return 0;
        if (code < 0)
            lossless_fail(lossless, "out of memory");
        lossless->is_full |= !options->goes_on(options->arg);
        if (lossless->has_failed || lossless->is_full)
            return -1;
        if (!slice.more || range->from_seq > to) {
            marks_raise(lossless->stream, slice.more ? range->from_seq - 1 : to);
            return 1;
        }
        code = recall_send(lossless->control, range, lossless->error);
    }
    if (code == CONTROL_REFUSED) {
        marks_raise(lossless->stream,
                    lossless_pass_over(lossless, from, to, slice.held_from, lossless->error));
        return marks_due(lossless->stream, options->selection->every) > to;
    }
    lossless_fail(lossless, NULL);
    return -1;
}

/* A journal that the disk does not take does not hold what goes on. */
static void lossless_look_at_fault(struct lossless *lossless, uint64_t from, uint64_t to)
{
    struct control_reply reply;
    struct celltap_token token;
    const unsigned char *journal;
    char fault[512], unused[CONTROL_ERROR_MAX];
    control_begin(lossless->control, "status", 0);
    if (control_ask(lossless->control, &reply, unused) == 0 &&
        celltap_map_find(reply.map, reply.end, "journal", &token, &journal) == 0 &&
        token.kind == CELLTAP_TOKEN_MAP &&
        *control_text(journal, reply.end, "fault", fault, sizeof fault))
        lossless_pass_over(lossless, from, to, 0, fault);
}

/* Gives out all that the stream is behind `to`.  False: failed or full. */
static bool lossless_fill(struct lossless *lossless, struct marks_stream *stream, uint64_t to)
{
    const struct tap_selection *selection = lossless->options.selection;
    uint64_t first = marks_due(stream, selection->every), n_unfilled = lossless->n_unfilled;
    int code = 0;
    lossless->stream = stream;
    lossless->n_replayed = 0;
    while (code == 0 && marks_due(stream, selection->every) <= to) {
        struct recall_range range = {
            .stream = stream->name,
            .layers = selection->layers,
            .tensors = selection->tensors,
            .from_seq = marks_due(stream, selection->every),
            .to_seq = stream->leaps ? UINT64_MAX : to,
            .every = selection->every,
        };
        lossless->again = false;
        code = lossless_replay(lossless, &range, to);
    }
    lossless->record_ns = progress_now_ns(); /* what came meanwhile waits */
    if (code < 0)
        return false;
    stream->is_mute = stream->n_layers == 0;
    uint64_t n_timesteps = stream->n_layers ? lossless->n_replayed / stream->n_layers : 0;
    if (!stream->is_mute && !stream->leaps && lossless->n_unfilled == n_unfilled &&
        n_timesteps < (to - first) / selection->every + 1) {
        stream->leaps = true;
        lossless_look_at_fault(lossless, first, to);
    }
    return true;
}

/* ---- records of the tap -------------------------------------------------------------------- */

/* Whether the record is given out; what is missing before it has been then. */
static bool lossless_admit(struct lossless *lossless, const struct celltap_record_view *record)
{
    struct marks_stream *stream =
        marks_stream(&lossless->marks, record->stream, record->stream_bytes);
    if (stream && stream->n_layers == 0 && record->seq <= stream->base)
        stream->base = record->seq - 1; /* it came while the daemon was asked where it is */
    struct marks_layer *layer =
        stream ? marks_layer(stream, record->layer, record->layer_bytes) : NULL;
    uint64_t every = lossless->options.selection->every;
    if (!layer)
        return lossless_fail(lossless, "out of memory");
    stream->is_mute = false;
    if (lossless->round == LOSSLESS_WAIT && stream->target && record->seq > stream->target)
        lossless->is_past = true;
    if (record->seq <= layer->live) /* the tap keeps the order, so it has begun again */
        marks_restart(stream, record->seq);
    layer->live = record->seq;
    if (record->seq <= layer->last)
        return false;
    if (record->seq > (layer->last / every + 1) * every) {
        if (!lossless_fill(lossless, stream, record->seq - 1))
            return false;
        layer = marks_layer(stream, record->layer, record->layer_bytes);
        if (!layer || record->seq <= layer->last)
            return false;
    }
    layer->last = record->seq;
    return true;
}

bool lossless_on_tensor(void *arg, const struct celltap_record_view *record, size_t tensor_ix,
                        const char *name, size_t name_bytes, const float *values, size_t n_values)
{
    struct lossless *lossless = arg;
    const struct lossless_options *options = &lossless->options;
    if (tensor_ix == 0) {
        bool is_passed = lossless_admit(lossless, record);
        lossless->is_passed = is_passed; /* filling has its own */
        lossless->record_ns = progress_now_ns();
    }
    if (lossless->has_failed || lossless->is_full)
        return false;
    return !lossless->is_passed ||
           options->on_tensor(options->arg, record, tensor_ix, name, name_bytes, values, n_values);
}

/* ---- rounds -------------------------------------------------------------------------------- */

/* A page of streams.  at_first: they count from where they are.  1: there are more, 0, -1. */
static int lossless_ask_page(struct lossless *lossless, bool at_first)
{
    struct control_reply reply;
    struct celltap_token token;
    const unsigned char *at = NULL;
    char name[300];
    struct celltap_writer *writer = control_begin(lossless->control, "streams", 2);
    celltap_put_str(writer, "limit");
    celltap_put_uint(writer, LOSSLESS_PAGE);
    celltap_put_str(writer, "cursor");
    celltap_put_uint(writer, lossless->cursor);
    if (control_ask(lossless->control, &reply, lossless->error) < 0)
        return -1;
    for (size_t n = control_items(reply.map, reply.end, "streams", &at); n > 0; n--) {
        control_text(at, reply.end, "stream", name, sizeof name);
        if (select_match(lossless->options.selection->streams, name)) {
            struct marks_stream *stream = marks_stream(&lossless->marks, name, strlen(name));
            if (!stream) {
                lossless_fail(lossless, "out of memory");
                return -1;
            }
            stream->target = control_count(at, reply.end, "seq");
            if (at_first)
                stream->base = stream->target;
        }
        if (celltap_token_skip(&at, reply.end) < 0)
            break;
    }
    lossless->cursor = control_count(reply.map, reply.end, "cursor");
    return celltap_map_find(reply.map, reply.end, "cursor", &token, NULL) == 0 &&
           token.kind == CELLTAP_TOKEN_UINT;
}

/* What was asked about has come, or was lost. */
static bool lossless_fill_all(struct lossless *lossless)
{
    uint64_t every = lossless->options.selection->every;
    for (size_t i = 0; i < lossless->marks.n_slots; i++) {
        struct marks_stream *stream = lossless->marks.slots[i];
        if (stream && !stream->is_mute && stream->target &&
            marks_due(stream, every) <= stream->target &&
            !lossless_fill(lossless, stream, stream->target))
            return false;
    }
    return true;
}

int lossless_tick(struct lossless *lossless, char *ret_error)
{
    uint64_t now = progress_now_ns();
    int code = 0;
    if (lossless->round == LOSSLESS_PAUSE && now - lossless->round_ns >= LOSSLESS_ASK_NS) {
        lossless->round = LOSSLESS_ASK;
        lossless->round_ns = now;
        lossless->cursor = 0;
    }
    if (lossless->round == LOSSLESS_ASK && (code = lossless_ask_page(lossless, false)) == 0) {
        lossless->round = LOSSLESS_WAIT;
        lossless->record_ns = progress_now_ns();
        lossless->is_past = false;
    }
    if (lossless->round == LOSSLESS_WAIT && !lossless->has_failed &&
        (lossless->is_past || now > lossless->record_ns + LOSSLESS_SILENT_NS)) {
        lossless_fill_all(lossless);
        lossless->round = LOSSLESS_PAUSE;
    }
    if (code >= 0 && !lossless->has_failed)
        return 0;
    snprintf(ret_error, CONTROL_ERROR_MAX, "%s", lossless->error);
    return -1;
}

/* ---- life ---------------------------------------------------------------------------------- */

/* Without a journal nothing can be filled. */
static int lossless_check(struct lossless *lossless)
{
    struct control_reply reply;
    struct celltap_token token;
    control_begin(lossless->control, "status", 0);
    if (control_ask(lossless->control, &reply, lossless->error) < 0)
        return -1;
    if (celltap_map_find(reply.map, reply.end, "journal", &token, NULL) == 0 &&
        token.kind == CELLTAP_TOKEN_MAP)
        return 0;
    lossless_fail(lossless, "--lossless needs the daemon's journal, and its configuration says "
                            "`journal: off`");
    return -1;
}

int lossless_open(const struct lossless_options *options, struct lossless **ret_lossless,
                  char *ret_error)
{
    struct lossless *lossless = calloc(1, sizeof *lossless);
    if (!lossless) {
        snprintf(ret_error, CONTROL_ERROR_MAX, "out of memory");
        return -1;
    }
    lossless->options = *options;
    lossless->round_ns = progress_now_ns();
    int code = control_open(options->control, &lossless->control, lossless->error);
    if (code == 0)
        code = lossless_check(lossless);
    while (code == 0 && (code = lossless_ask_page(lossless, true)) == 1)
        code = 0;
    if (code == 0) {
        *ret_lossless = lossless;
        return 0;
    }
    snprintf(ret_error, CONTROL_ERROR_MAX, "%s", lossless->error);
    lossless_close(lossless);
    return -1;
}

void lossless_close(struct lossless *lossless)
{
    if (!lossless)
        return;
    control_close(lossless->control);
    marks_done(&lossless->marks);
    records_done(&lossless->values);
    free(lossless);
}

uint64_t lossless_n_unfilled(const struct lossless *lossless)
{
    return lossless->n_unfilled;
}
