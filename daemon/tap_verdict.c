/* tap_verdict.c - what the detector says of a timestep, as records of taps.
 *
 *     scores      as verdict.h says
 *     anomalies   stream seq ts event score threshold channels units | since peak from to replay
 *
 * What made a timestep unusual is asked for only when there is an event to tell. */
#include "daemon/tap_verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/tap_priv.h"
#include "daemon/taps.h"
#include "daemon/verdict.h"

#define ANOMALY_BYTES                                                                              \
    512 /* a record without the stream's name, channels and units, and without what is to be run */
#define SHARE_BYTES   96  /* a channel or unit without its name */
#define SHARES_MAX    8   /* channels and units that are named */
#define MARGIN        100 /* timesteps before and behind, to be looked at again */
#define CHANNEL_BYTES 24  /* a number as a channel's name */
#define REPLAY_BYTES  (CELLTAP_STREAM_NAME_MAX + 128) /* without where control listens */

static struct verdict_head verdict_of(const struct engine_column *column)
{
    return (struct verdict_head){column->stream->name, column->stream->name_bytes, column->seq,
                                 column->ts_ns};
}

/* ---- scores ------------------------------------------------------------------------------- */

void tap_verdict_score(struct tap *tap, size_t shard_ix, const struct serving *serving,
                       size_t column_ix, const struct engine_column *column, size_t n_left)
{
    struct tap_shard *shard = &tap->shards[shard_ix];
    const struct celltap_score *score = column->score;
    size_t n_bytes = VERDICT_BYTES + TAP_NAME_BYTES(column->stream->name_bytes);
    (void)column_ix, (void)serving;
    if (score == NULL)
        return;
    struct celltap_writer *writer =
        tap_room(tap, shard, tap_building_ix(tap, shard, column->slot), column->stream, "", n_bytes,
                 n_bytes, n_left / tap->conf->every + 1);
    if (writer == NULL)
        return;
    struct verdict_head head = verdict_of(column);
    verdict_put_score(writer, &head, score, column->stream->state);
}

/* ---- anomalies ---------------------------------------------------------------------------- */

struct anomaly {
    const struct engine_column *column;
    const struct serving *serving;
    struct celltap_channel_share channels[SHARES_MAX];
    struct celltap_unit_share units[SHARES_MAX];
    size_t n_channels, n_units;
    uint64_t from, to; /* seq */
};

static void anomaly_look(struct anomaly *anomaly, const celltap_panel *panel, size_t column_ix)
{
    const struct engine_column *column = anomaly->column;
    uint64_t since = column->stream->alarm_since != 0 ? column->stream->alarm_since : column->seq;
    celltap_detector *detector = celltap_stream_detector(column->stream->state);
    anomaly->from = since > MARGIN ? since - MARGIN : 1;
    anomaly->to = column->seq <= UINT64_MAX - MARGIN ? column->seq + MARGIN : UINT64_MAX;
    if (column->score->phase != CELLTAP_PHASE_SCORE)
        return;
    anomaly->n_channels =
        celltap_detector_channels(detector, column->values, anomaly->channels, SHARES_MAX);
    anomaly->n_units =
        celltap_detector_units(detector, panel, column_ix, anomaly->units, SHARES_MAX);
}

/* Without a name, a channel's number. */
static const char *anomaly_channel(const struct anomaly *anomaly, size_t channel_ix,
                                   char ret_text[CHANNEL_BYTES])
{
    const struct conf_texts *names = &anomaly->serving->conf->channels;
    if (channel_ix < names->n)
        return names->items[channel_ix];
    snprintf(ret_text, CHANNEL_BYTES, "%zu", channel_ix);
    return ret_text;
}

static size_t anomaly_bytes_max(const struct anomaly *anomaly)
{
    char text[CHANNEL_BYTES];
    size_t n = ANOMALY_BYTES + REPLAY_BYTES + TAPS_CONTROL_BYTES +
               TAP_NAME_BYTES(anomaly->column->stream->name_bytes);
    for (size_t i = 0; i < anomaly->n_channels; i++)
        n += SHARE_BYTES + strlen(anomaly_channel(anomaly, anomaly->channels[i].channel_ix, text));
    for (size_t i = 0; i < anomaly->n_units; i++) {
        const struct celltap_unit_share *unit = &anomaly->units[i];
        n += SHARE_BYTES + strlen(celltap_layer_name(anomaly->serving->model, unit->layer_ix));
    }
    return n;
}

static void anomaly_put_channels(const struct anomaly *anomaly, struct celltap_writer *writer)
{
    celltap_put_str(writer, "channels");
    celltap_put_array(writer, anomaly->n_channels);
    for (size_t i = 0; i < anomaly->n_channels; i++) {
        char text[CHANNEL_BYTES];
        const struct celltap_channel_share *channel = &anomaly->channels[i];
        celltap_put_map(writer, 4);
        verdict_put_text(writer, "name", anomaly_channel(anomaly, channel->channel_ix, text));
        verdict_put_number(writer, "value", channel->value);
        verdict_put_number(writer, "expected", channel->expected);
        verdict_put_number(writer, "share", channel->share);
    }
}

static void anomaly_put_units(const struct anomaly *anomaly, struct celltap_writer *writer)
{
    const celltap_model *model = anomaly->serving->model;
    celltap_put_str(writer, "units");
    celltap_put_array(writer, anomaly->n_units);
    for (size_t i = 0; i < anomaly->n_units; i++) {
        const struct celltap_unit_share *unit = &anomaly->units[i];
        celltap_put_map(writer, 4);
        verdict_put_text(writer, "layer", celltap_layer_name(model, unit->layer_ix));
        verdict_put_text(writer, "tensor",
                         celltap_tensor_name(model, unit->layer_ix, unit->tensor_ix));
        verdict_put_uint(writer, "unit", unit->unit_ix);
        verdict_put_number(writer, "deviation", unit->deviation);
    }
}

/* A line for the shell.  A stream's name needs no quotes, but it may look like an option. */
static void anomaly_put_replay(const struct anomaly *anomaly, const char *control,
                               struct celltap_writer *writer)
{
    char range[REPLAY_BYTES], options[TAPS_CONTROL_BYTES + 64];
    char replay[sizeof(range) + sizeof(options) + 32];
    const char *name = anomaly->column->stream->name;
    celltap_put_str(writer, "replay");
    if (control == NULL) {
        celltap_put_nil(writer);
        return;
    }
    snprintf(range, sizeof(range), "%s %" PRIu64 "..%" PRIu64, name, anomaly->from, anomaly->to);
    snprintf(options, sizeof(options), "%s-o anomaly-%" PRIu64, control, anomaly->column->seq);
    if (name[0] == '-')
        snprintf(replay, sizeof(replay), "celltap replay %s -- %s", options, range);
    else
        snprintf(replay, sizeof(replay), "celltap replay %s %s", range, options);
    celltap_put_str(writer, replay);
}

static void anomaly_put(const struct anomaly *anomaly, const char *control,
                        struct celltap_writer *writer)
{
    const struct engine_column *column = anomaly->column;
    struct verdict_head head = verdict_of(column);
    verdict_put_head(writer, 14, &head);
    verdict_put_text(writer, "event", column->event == STREAM_EVENT_BEGIN ? "begin" : "end");
    verdict_put_number(writer, "score", column->score->score);
    verdict_put_threshold(writer, column->stream->state);
    verdict_put_number(writer, "level", column->score->level);
    anomaly_put_channels(anomaly, writer);
    anomaly_put_units(anomaly, writer);
    celltap_put_str(writer, "since");
    if (column->stream->alarm_since != 0)
        celltap_put_uint(writer, column->stream->alarm_since);
    else
        celltap_put_nil(writer);
    verdict_put_number(writer, "peak", column->stream->alarm_peak);
    verdict_put_uint(writer, "from", anomaly->from);
    verdict_put_uint(writer, "to", anomaly->to);
    anomaly_put_replay(anomaly, control, writer);
}

void tap_verdict_anomaly(struct tap *tap, size_t shard_ix, const struct serving *serving,
                         size_t column_ix, const struct engine_column *column, size_t n_left)
{
    struct tap_shard *shard = &tap->shards[shard_ix];
    struct anomaly anomaly = {.column = column, .serving = serving};
    (void)n_left;
    if (column->event == STREAM_EVENT_NONE)
        return;
    anomaly_look(&anomaly, serving->shards[shard_ix].panel, column_ix);
    size_t n_bytes = anomaly_bytes_max(&anomaly);
    struct celltap_writer *writer = tap_room(tap, shard, tap_building_ix(tap, shard, column->slot),
                                             column->stream, "", n_bytes, n_bytes, 1);
    if (writer != NULL)
        anomaly_put(&anomaly, tap->control, writer);
}
