/* control_look.c - the commands that only look: status, streams, model. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/control_priv.h"

#define STREAMS_LIMIT     100
#define STREAMS_LIMIT_MAX 1000

/* ---- status ------------------------------------------------------------------------------- */

int control_status(struct control_request *request)
{
    (void)request;
    return 0;
}

/* Resident bytes of this process; 0 if the kernel does not say. */
static uint64_t control_memory_bytes(void)
{
    unsigned long long n_pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*u %llu", &n_pages) != 1)
        n_pages = 0;
    fclose(file);
    return n_pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void control_put_rejects(struct celltap_writer *writer, const struct engine_counts *counts)
{
    celltap_put_str(writer, "rejects");
    celltap_put_map(writer, ENGINE_N_REJECTS);
    for (size_t i = 0; i < ENGINE_N_REJECTS; i++)
        control_put_uint(writer, engine_reject_names[i], counts->n_rejects[i]);
}

static uint64_t control_n_streams(const struct serving *head)
{
    uint64_t n = 0;
    for (; head != NULL; head = head->next_size)
        n += head->n_streams;
    return n;
}

/* Of a frame; nil: any number. */
static void control_put_values(struct celltap_writer *writer, const struct serving *serving)
{
    celltap_put_str(writer, "values");
    if (serving->any_size)
        celltap_put_nil(writer);
    else
        celltap_put_uint(writer, serving->n_channels);
}

static void control_put_models(struct celltap_writer *writer, const struct engine *engine)
{
    size_t n;
    struct serving *const *servings = engine_servings(engine, &n);
    celltap_put_str(writer, "models");
    celltap_put_array(writer, n);
    for (size_t i = 0; i < n; i++) {
        celltap_put_map(writer, 5);
        control_put_text(writer, "name", servings[i]->conf->name);
        control_put_text(writer, "file", servings[i]->conf->file);
        control_put_values(writer, servings[i]);
        control_put_uint(writer, "streams", control_n_streams(servings[i]));
        celltap_put_str(writer, "watched");
        celltap_put_bool(writer, servings[i]->detector != NULL);
    }
}

static void control_put_tap(struct celltap_writer *writer, const struct tap *tap)
{
    static const char *const kinds[] = {[CONF_KIND_ACTIVATIONS] = "activations",
                                        [CONF_KIND_SCORES] = "scores",
                                        [CONF_KIND_ANOMALIES] = "anomalies"};
    struct tap_counts counts = tap_counts(tap);
    celltap_put_map(writer, 8);
    control_put_text(writer, "name", tap->conf->name);
    control_put_text(writer, "kind", kinds[tap->conf->kind]);
    celltap_put_str(writer, "urls");
    celltap_put_array(writer, tap->conf->listen.n);
    for (size_t i = 0; i < tap->conf->listen.n; i++)
        celltap_put_str(writer, tap->conf->listen.items[i]);
    celltap_put_str(writer, "dynamic");
    celltap_put_bool(writer, tap->owned != NULL);
    control_put_uint(writer, "subscribers", sock_n_peers(tap->sock));
    control_put_uint(writer, "records", counts.n_records);
    control_put_uint(writer, "messages", counts.n_messages);
    control_put_uint(writer, "bytes", counts.n_bytes);
}

static void control_put_detectors(struct celltap_writer *writer, const struct streams *streams)
{
    uint64_t n_watched = 0, n_warming = 0, n_alarms = 0, n_events = 0;
    for (size_t i = 0; i < streams->n; i++) {
        const struct stream *stream = streams->list[i];
        bool is_watched = celltap_stream_detector(stream->state) != NULL;
        n_watched += is_watched;
        n_warming += celltap_stream_warm_left(stream->state) != SIZE_MAX;
        n_alarms += is_watched && stream->alarm;
        n_events += stream->n_events;
    }
    celltap_put_str(writer, "detectors");
    celltap_put_map(writer, 4);
    control_put_uint(writer, "watched", n_watched);
    control_put_uint(writer, "warming", n_warming);
    control_put_uint(writer, "alarms", n_alarms);
    control_put_uint(writer, "events", n_events);
}

static void control_put_taps(struct celltap_writer *writer, const struct taps *taps)
{
    size_t n = 0;
    for (size_t i = 0; i < TAPS_MAX; i++)
        n += taps->list[i] != NULL;
    celltap_put_str(writer, "taps");
    celltap_put_array(writer, n);
    for (size_t i = 0; i < TAPS_MAX; i++)
        if (taps->list[i] != NULL)
            control_put_tap(writer, taps->list[i]);
}

static void control_put_journal(struct celltap_writer *writer, const struct journal *journal)
{
    celltap_put_str(writer, "journal");
    if (journal == NULL) {
        celltap_put_nil(writer);
        return;
    }
    struct journal_look look = journal_look(journal);
    celltap_put_map(writer, 11);
    control_put_text(writer, "directory", look.directory);
    control_put_text(writer, "sync", look.sync);
    control_put_text(writer, "fault", look.fault);
    control_put_uint(writer, "position", look.position);
    control_put_uint(writer, "synced", look.synced);
    control_put_uint(writer, "epoch", look.epoch);
    control_put_uint(writer, "snapshot", look.snapshot);
    control_put_uint(writer, "snapshots", look.n_snapshots);
    control_put_uint(writer, "syncs", look.n_syncs);
    control_put_uint(writer, "faults", look.n_faults);
    control_put_uint(writer, "waiting", look.n_waiting);
}

void control_status_write(struct control_request *request, struct celltap_writer *writer)
{
    struct loop *loop = request->loop;
    const struct engine_counts *counts = engine_counts(loop->engine);
    struct intake_level level = intake_level(loop->frames);
    celltap_put_map(writer, 23);
    control_put_text(writer, "version", CELLTAP_VERSION);
    control_put_uint(writer, "pid", (uint64_t)getpid());
    control_put_uint(writer, "uptime_ms", loop_now_ms(loop) - loop->started_ms);
    control_put_text(writer, "kernel", celltap_kernel_name());
    control_put_uint(writer, "threads", loop->conf->threads);
    control_put_text(writer, "config", loop->conf->path);
    control_put_uint(writer, "accepted", counts->n_accepted);
    control_put_uint(writer, "duplicate", counts->n_duplicates);
    control_put_uint(writer, "gaps", counts->n_gaps);
    control_put_uint(writer, "rejected", counts->n_rejected);
    celltap_put_str(writer, "per_second");
    celltap_put_double(writer, loop->frames_per_second);
    control_put_rejects(writer, counts);
    control_put_uint(writer, "queue_messages", level.n_messages);
    control_put_uint(writer, "queue_bytes", level.n_bytes);
    control_put_uint(writer, "streams", engine_streams(loop->engine)->n);
    control_put_uint(writer, "max_streams", loop->conf->max_streams);
    control_put_uint(writer, "turns", loop->turn->n_turns);
    control_put_uint(writer, "listeners_reopened", loop->n_reopened);
    control_put_uint(writer, "memory_bytes", control_memory_bytes());
    control_put_journal(writer, loop->journal);
    control_put_detectors(writer, engine_streams(loop->engine));
    control_put_models(writer, loop->engine);
    control_put_taps(writer, &loop->taps);
}

/* ---- streams ------------------------------------------------------------------------------ */

int control_streams(struct control_request *request)
{
    request->limit = STREAMS_LIMIT;
    strcpy(request->name, "*");
    if (control_get_uint(request, "limit", &request->limit, 1, STREAMS_LIMIT_MAX) < 0 ||
        control_get_uint(request, "cursor", &request->cursor, 0, UINT64_MAX) < 0 ||
        control_get_text(request, "match", request->name, sizeof(request->name)) < 0)
        return -1;
    return 0;
}

/* The next stream at or after *ix that matches; NULL: none. */
static const struct stream *control_next_stream(const struct control_request *request, size_t *ix)
{
    const struct streams *streams = engine_streams(request->loop->engine);
    for (; *ix < streams->n; (*ix)++)
        if (fnmatch(request->name, streams->list[*ix]->name, 0) == 0)
            return streams->list[*ix];
    return NULL;
}

/* Of a watched stream: how far its warm-up is, and what has been found. */
static void control_put_detector(struct celltap_writer *writer, const struct stream *stream)
{
    const struct celltap_detector_options *options = stream->serving->detector;
    size_t n_left = celltap_stream_warm_left(stream->state);
    celltap_put_str(writer, "detector");
    if (celltap_stream_detector(stream->state) == NULL || options == NULL) {
        celltap_put_nil(writer);
        return;
    }
    celltap_put_map(writer, 5);
    control_put_text(writer, "phase", n_left == SIZE_MAX ? "score" : "warmup");
    control_put_uint(writer, "warm",
                     n_left == SIZE_MAX ? options->warmup : options->warmup - n_left);
    control_put_uint(writer, "warmup", options->warmup);
    celltap_put_str(writer, "alarm");
    celltap_put_bool(writer, stream->alarm);
    control_put_uint(writer, "events", stream->n_events);
}

static void control_put_stream(struct celltap_writer *writer, const struct stream *stream)
{
    celltap_put_map(writer, 9);
    control_put_text(writer, "stream", stream->name);
    control_put_text(writer, "model", stream->serving->conf->name);
    control_put_uint(writer, "values", stream->serving->n_channels);
    control_put_uint(writer, "seq", stream->seq);
    celltap_put_str(writer, "ts");
    celltap_put_int(writer, stream->ts_ns);
    control_put_uint(writer, "frames", stream->n_frames);
    control_put_uint(writer, "duplicate", stream->n_duplicates);
    control_put_uint(writer, "gaps", stream->n_gaps);
    control_put_detector(writer, stream);
}

void control_streams_write(struct control_request *request, struct celltap_writer *writer)
{
    const struct streams *streams = engine_streams(request->loop->engine);
    const struct stream *page[STREAMS_LIMIT_MAX];
    size_t ix = request->cursor < streams->n ? (size_t)request->cursor : streams->n;
    size_t n = 0;
    const struct stream *stream;
    while (n < request->limit && (stream = control_next_stream(request, &ix)) != NULL) {
        page[n++] = stream;
        ix++;
    }
    stream = control_next_stream(request, &ix);
    celltap_put_map(writer, 3);
    celltap_put_str(writer, "streams");
    celltap_put_array(writer, n);
    for (size_t i = 0; i < n; i++)
        control_put_stream(writer, page[i]);
    control_put_uint(writer, "total", streams->n);
    celltap_put_str(writer, "cursor");
    if (stream != NULL)
        celltap_put_uint(writer, ix);
    else
        celltap_put_nil(writer);
}

/* ---- model -------------------------------------------------------------------------------- */

int control_model(struct control_request *request)
{
    size_t n;
    struct serving *const *servings = engine_servings(request->loop->engine, &n);
    int found = control_get_text(request, "model", request->name, sizeof(request->name));
    if (found < 0)
        return -1;
    if (found == 0 && n == 1)
        request->result = servings[0];
    else if (found == 0)
        return control_fail(request, "`model` is missing, and there are %zu models", n);
    for (size_t i = 0; found == 1 && i < n; i++)
        if (strcmp(servings[i]->conf->name, request->name) == 0)
            request->result = servings[i];
    if (request->result == NULL)
        return control_fail(request, "there is no model of this name; `status` lists them");
    return 0;
}

static void control_put_layer(struct celltap_writer *writer, const celltap_model *model, size_t ix)
{
    size_t n = celltap_layer_n_tensors(model, ix);
    celltap_put_map(writer, 6);
    control_put_text(writer, "name", celltap_layer_name(model, ix));
    control_put_text(writer, "kind", celltap_layer_kind(model, ix));
    control_put_uint(writer, "inputs", celltap_layer_n_inputs(model, ix));
    control_put_uint(writer, "parameters", celltap_layer_n_parameters(model, ix));
    control_put_uint(writer, "macs", celltap_layer_n_macs(model, ix));
    celltap_put_str(writer, "tensors");
    celltap_put_array(writer, n);
    for (size_t i = 0; i < n; i++) {
        celltap_put_map(writer, 2);
        control_put_text(writer, "name", celltap_tensor_name(model, ix, i));
        control_put_uint(writer, "size", celltap_tensor_size(model, ix, i));
    }
}

void control_model_write(struct control_request *request, struct celltap_writer *writer)
{
    const struct serving *serving = request->result;
    const struct conf_model *conf = serving->conf;
    size_t n_layers = celltap_model_n_layers(serving->model);
    celltap_put_map(writer, 5);
    control_put_text(writer, "name", conf->name);
    control_put_text(writer, "file", conf->file);
    control_put_values(writer, serving);
    celltap_put_str(writer, "channels");
    celltap_put_array(writer, conf->channels.n);
    for (size_t i = 0; i < conf->channels.n; i++)
        celltap_put_str(writer, conf->channels.items[i]);
    celltap_put_str(writer, "layers");
    celltap_put_array(writer, n_layers);
    for (size_t i = 0; i < n_layers; i++)
        control_put_layer(writer, serving->model, i);
}
