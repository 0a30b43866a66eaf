/* tap.c - one tap: what it selects of each model, and the messages it is writing.
 *
 *     group     topic                        messages being written at a time
 *     tap       <tap>/                       1
 *     stream    <tap>/<stream>/              one per slot
 *     layer     <tap>/<stream>/<layer>/      one per slot and selected layer
 *
 * A message is allocated for as many records as the turn may still bring to it and cut to what was
 * written, so nothing is copied on the way.  Nothing that two shards write lies in one place. */
#include "daemon/tap.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/doors.h"
#include "daemon/tap_priv.h"

#define TAP_RECEIVE_BYTES 64 /* a subscriber has nothing to say */

struct tap_layer {
    const char *name; /* borrowed from the model */
    size_t layer_ix;
    size_t n_tensors;
    size_t *tensor_ix;                    /* [n_tensors] owned */
    struct celltap_record_tensor *record; /* [n_tensors] owned: names and sizes, values per step */
    size_t bytes_max;                     /* of a record with an empty stream name */
};

struct tap_plan {
    celltap_model *model; /* ref: names are borrowed from it, and a reload may free the serving's */
    size_t n_layers;
    struct tap_layer *layers; /* [n_layers] owned: those of which a tensor is selected */
    size_t bytes_max;         /* of all records of a frame */
};

/* ---- compiling the selection -------------------------------------------------------------- */

static bool tap_selects_tensor(const struct conf_tap *conf, const char *layer, const char *tensor)
{
    for (size_t i = 0; i < conf->tensors.n; i++) {
        const char *glob = conf->tensors.items[i];
        if (fnmatch(glob, tensor, 0) == 0)
            return true;
        if (strcmp(layer, "@output") == 0 && fnmatch(glob, "output", 0) == 0)
            return true;
    }
    return false;
}

static int tap_compile_layer(struct tap_layer *layer, const struct conf_tap *conf,
                             const celltap_model *model, size_t layer_ix)
{
    size_t n = celltap_layer_n_tensors(model, layer_ix);
    layer->name = celltap_layer_name(model, layer_ix);
    layer->layer_ix = layer_ix;
    layer->tensor_ix = calloc(n + 1, sizeof(*layer->tensor_ix));
    layer->record = calloc(n + 1, sizeof(*layer->record));
    if (layer->tensor_ix == NULL || layer->record == NULL)
        return -1;
    for (size_t i = 0; i < n; i++) {
        const char *name = celltap_tensor_name(model, layer_ix, i);
        if (!tap_selects_tensor(conf, layer->name, name))
            continue;
        layer->tensor_ix[layer->n_tensors] = i;
        layer->record[layer->n_tensors].name = name;
        layer->record[layer->n_tensors++].n_values = celltap_tensor_size(model, layer_ix, i);
    }
    struct celltap_record record = {.stream = "",
                                    .layer = layer->name,
                                    .n_tensors = layer->n_tensors,
                                    .tensors = layer->record};
    layer->bytes_max = celltap_record_bytes_max(&record, conf->encoding);
    return 0;
}

static void tap_layer_done(struct tap_layer *layer)
{
    free(layer->tensor_ix);
    free(layer->record);
    *layer = (struct tap_layer){0};
}

static void tap_plan_done(struct tap_plan *plan)
{
    for (size_t i = 0; plan->layers != NULL && i < plan->n_layers; i++)
        tap_layer_done(&plan->layers[i]);
    free(plan->layers);
    celltap_model_unref(plan->model);
}

static int tap_compile(struct tap_plan *plan, const struct conf_tap *conf, celltap_model *model)
{
    size_t n = celltap_model_n_layers(model);
    plan->model = celltap_model_ref(model);
    if (conf->kind != CONF_KIND_ACTIVATIONS)
        return 0;
    plan->layers = calloc(n + 1, sizeof(*plan->layers));
    if (plan->layers == NULL)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (!conf_match(&conf->layers, celltap_layer_name(model, i)))
            continue;
        struct tap_layer *layer = &plan->layers[plan->n_layers++];
        if (tap_compile_layer(layer, conf, model, i) != 0)
            return -1;
        if (layer->n_tensors == 0)
            tap_layer_done(&plan->layers[--plan->n_layers]);
        else
            plan->bytes_max += layer->bytes_max;
    }
    return 0;
}

static int tap_make_building(struct tap_shard *shard, enum conf_group group)
{
    size_t most = 1;
    for (size_t i = 0; i < shard->n_plans; i++)
        if (shard->plans[i].n_layers > most)
            most = shard->plans[i].n_layers;
    shard->n_per_slot = group == CONF_GROUP_LAYER ? most : 1;
    shard->n_building = group == CONF_GROUP_TAP ? 1 : shard->n_per_slot * SERVING_PANEL_WIDTH;
    shard->building = calloc(shard->n_building, sizeof(*shard->building));
    return shard->building != NULL ? 0 : -1;
}

static int tap_make_shard(struct tap_shard *shard, const struct conf_tap *conf,
                          struct serving *const *servings, size_t n_servings)
{
    shard->sender = sock_sender_new();
    shard->n_plans = serving_count(servings, n_servings);
    shard->plans = calloc(shard->n_plans + 1, sizeof(*shard->plans));
    if (shard->sender == NULL || shard->plans == NULL)
        return -1;
    for (struct serving *serving = NULL;
         (serving = serving_each(servings, n_servings, serving)) != NULL;)
        if (tap_compile(&shard->plans[serving->ix], conf, serving->model) != 0)
            return -1;
    return tap_make_building(shard, conf->group);
}

/* A chain's servings have the same layers, so there are as many messages as before.  What is left
 * of a serving that could not be made is done away with. */
static int tap_grow_shard(struct tap_shard *shard, const struct conf_tap *conf,
                          const struct serving *serving)
{
    while (shard->n_plans > serving->ix)
        tap_plan_done(&shard->plans[--shard->n_plans]);
    struct tap_plan *plans = realloc(shard->plans, (serving->ix + 1) * sizeof(*plans));
    if (plans == NULL)
        return -1;
    shard->plans = plans;
    shard->plans[shard->n_plans] = (struct tap_plan){0};
    return tap_compile(&shard->plans[shard->n_plans++], conf, serving->model);
}

int tap_grow(struct tap *tap, const struct serving *serving)
{
    for (size_t i = 0; i < tap->n_shards; i++)
        if (tap_grow_shard(&tap->shards[i], tap->conf, serving) != 0)
            return -1;
    return 0;
}

struct tap *tap_new(const struct conf_tap *conf, struct serving *const *servings, size_t n_servings)
{
    struct tap *tap = calloc(1, sizeof(*tap));
    if (tap == NULL)
        return NULL;
    tap->conf = conf;
    tap->shards = calloc(servings[0]->n_shards, sizeof(*tap->shards));
    if (tap->shards == NULL)
        goto fail;
    while (tap->n_shards < servings[0]->n_shards)
        if (tap_make_shard(&tap->shards[tap->n_shards++], conf, servings, n_servings) != 0)
            goto fail;
    return tap;
fail:
    tap_free(tap);
    return NULL;
}

struct sock_options tap_options(const struct conf_tap *conf)
{
    return (struct sock_options){
        .kind = SOCK_PUB,
        .recv_max_bytes = TAP_RECEIVE_BYTES,
        .queue = (size_t)conf->queue,
    };
}

int tap_open(struct tap *tap, struct sock_error *reterr)
{
    struct sock_options options = tap_options(tap->conf);
    return doors_open_sock(&options, &tap->conf->listen, &tap->sock, reterr);
}

static void tap_texts_free(struct conf_texts *texts)
{
    for (size_t i = 0; i < texts->n; i++)
        free(texts->items[i]);
    free(texts->items);
}

void tap_conf_free(struct conf_tap *owned)
{
    if (owned == NULL)
        return;
    tap_texts_free(&owned->listen);
    tap_texts_free(&owned->streams);
    tap_texts_free(&owned->layers);
    tap_texts_free(&owned->tensors);
    free(owned->name);
    free(owned);
}

static void tap_shard_done(struct tap_shard *shard)
{
    for (size_t i = 0; shard->plans != NULL && i < shard->n_plans; i++)
        tap_plan_done(&shard->plans[i]);
    for (size_t i = 0; shard->building != NULL && i < shard->n_building; i++)
        sock_message_free(shard->building[i].message);
    free(shard->plans);
    free(shard->building);
    sock_sender_free(shard->sender);
}

void tap_free(struct tap *tap)
{
    if (tap == NULL)
        return;
    sock_close(tap->sock);
    for (size_t i = 0; i < tap->n_shards; i++)
        tap_shard_done(&tap->shards[i]);
    free(tap->shards);
    tap_conf_free(tap->owned);
    free(tap);
}

/* ---- messages being written --------------------------------------------------------------- */

static void tap_send(struct tap *tap, struct tap_shard *shard, struct tap_building *building)
{
    if (building->message == NULL)
        return;
    unsigned char *body = sock_message_body(building->message);
    size_t n_bytes = (size_t)(building->writer.at - body);
    sock_message_cut(building->message, n_bytes);
    sock_publish(tap->sock, shard->sender, building->message);
    building->message = NULL;
    shard->counts.n_messages++;
    shard->counts.n_bytes += n_bytes;
    shard->counts.n_records += building->n_records;
}

static size_t tap_topic(const struct tap *tap, const struct stream *stream, const char *layer,
                        unsigned char *ret_topic)
{
    const char *levels[3] = {tap->conf->name, stream->name, layer};
    size_t n_levels = tap->conf->group == CONF_GROUP_TAP      ? 1
                      : tap->conf->group == CONF_GROUP_STREAM ? 2
                                                              : 3;
    size_t n = 0;
    for (size_t i = 0; i < n_levels; i++) {
        size_t n_bytes = strlen(levels[i]);
        if (ret_topic != NULL) {
            memcpy(ret_topic + n, levels[i], n_bytes);
            ret_topic[n + n_bytes] = '/';
        }
        n += n_bytes + 1;
    }
    if (ret_topic != NULL)
        ret_topic[n] = '\0';
    return n + 1;
}

/* Room for a record of n_bytes, and for those of n_frames of frame_bytes that may come. */
static int tap_start(const struct tap *tap, struct tap_building *building,
                     const struct stream *stream, const char *layer, size_t n_bytes,
                     size_t frame_bytes, size_t n_frames)
{
    size_t room = TAP_MESSAGE_BYTES;
    if (n_frames < TAP_MESSAGE_BYTES / frame_bytes)
        room = n_frames * frame_bytes;
    if (room < n_bytes)
        room = n_bytes;
    size_t topic_bytes = tap_topic(tap, stream, layer, NULL);
    building->message = sock_message_new(topic_bytes + room);
    if (building->message == NULL)
        return -1;
    unsigned char *body = sock_message_body(building->message);
    tap_topic(tap, stream, layer, body);
    building->writer =
        (struct celltap_writer){.at = body + topic_bytes, .end = body + topic_bytes + room};
    building->n_records = 0;
    return 0;
}

struct celltap_writer *tap_room(struct tap *tap, struct tap_shard *shard, size_t building_ix,
                                const struct stream *stream, const char *layer, size_t n_bytes,
                                size_t frame_bytes, size_t n_frames)
{
    struct tap_building *building = &shard->building[building_ix];
    if (building->message != NULL && (size_t)(building->writer.end - building->writer.at) < n_bytes)
        tap_send(tap, shard, building);
    if (building->message == NULL &&
        tap_start(tap, building, stream, layer, n_bytes, frame_bytes, n_frames) != 0) {
        shard->counts.n_lost++;
        return NULL;
    }
    building->n_records++;
    return &building->writer;
}

size_t tap_building_ix(const struct tap *tap, const struct tap_shard *shard, size_t slot)
{
    return tap->conf->group == CONF_GROUP_TAP ? 0 : slot * shard->n_per_slot;
}

static void tap_put_layer(struct tap *tap, struct tap_shard *shard, size_t building_ix,
                          struct tap_layer *layer, const celltap_panel *panel, size_t column_ix,
                          const struct engine_column *column, size_t frame_bytes, size_t n_frames)
{
    const struct stream *stream = column->stream;
    size_t n_bytes = layer->bytes_max + TAP_NAME_BYTES(stream->name_bytes);
    struct celltap_writer *writer =
        tap_room(tap, shard, building_ix, stream, layer->name, n_bytes, frame_bytes, n_frames);
    if (writer == NULL)
        return;
    for (size_t i = 0; i < layer->n_tensors; i++)
        layer->record[i].values =
            celltap_panel_tensor(panel, column_ix, layer->layer_ix, layer->tensor_ix[i]);
    struct celltap_record record = {.stream = stream->name,
                                    .stream_bytes = stream->name_bytes,
                                    .seq = column->seq,
                                    .ts_ns = column->ts_ns,
                                    .layer = layer->name,
                                    .n_tensors = layer->n_tensors,
                                    .tensors = layer->record};
    celltap_put_record(writer, &record, tap->conf->encoding);
}

void tap_put(struct tap *tap, size_t shard_ix, const struct serving *serving, size_t column_ix,
             const struct engine_column *column, size_t n_left)
{
    struct tap_shard *shard = &tap->shards[shard_ix];
    struct tap_plan *plan = &shard->plans[serving->ix];
    size_t name_bytes = TAP_NAME_BYTES(column->stream->name_bytes);
    bool by_layer = tap->conf->group == CONF_GROUP_LAYER;
    size_t at = tap_building_ix(tap, shard, column->slot);
    for (size_t i = 0; i < plan->n_layers; i++) {
        struct tap_layer *layer = &plan->layers[i];
        size_t frame_bytes = by_layer ? layer->bytes_max + name_bytes
                                      : plan->bytes_max + plan->n_layers * name_bytes;
        tap_put_layer(tap, shard, by_layer ? at + i : at, layer, serving->shards[shard_ix].panel,
                      column_ix, column, frame_bytes, n_left / tap->conf->every + 1);
    }
}

void tap_slot_left(struct tap *tap, size_t shard_ix, size_t slot)
{
    struct tap_shard *shard = &tap->shards[shard_ix];
    if (tap->conf->group == CONF_GROUP_TAP)
        return;
    for (size_t i = 0; i < shard->n_per_slot; i++)
        tap_send(tap, shard, &shard->building[slot * shard->n_per_slot + i]);
}

void tap_turn_end(struct tap *tap, size_t shard_ix)
{
    struct tap_shard *shard = &tap->shards[shard_ix];
    if (tap->conf->group == CONF_GROUP_TAP)
        tap_send(tap, shard, &shard->building[0]);
}

struct tap_counts tap_counts(const struct tap *tap)
{
    struct tap_counts sum = tap->before;
    for (size_t i = 0; i < tap->n_shards; i++) {
        sum.n_records += tap->shards[i].counts.n_records;
        sum.n_messages += tap->shards[i].counts.n_messages;
        sum.n_bytes += tap->shards[i].counts.n_bytes;
        sum.n_lost += tap->shards[i].counts.n_lost;
    }
    return sum;
}
