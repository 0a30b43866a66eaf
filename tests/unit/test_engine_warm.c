/* test_engine_warm.c - frames that wait for a warm-up: engine, journal and snapshots, without sockets.
 *
 *     random frames, warm-ups taken up late, snapshots, resets, crashes --> scores
 *     the same frames into one stream of the library --> scores, must be the same bits
 *
 * A crash is that everything is dropped but the journal's directory. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "daemon/engine.h"
#include "daemon/journal.h"
#include "daemon/log.h"
#include "lib/celltap_wire.h"
#include "tests/support/conf_text.h"
#include "tests/support/rig.h"
#include "tests/support/suite.h"

#define STREAMS    3
#define FRAMES_MAX 2000 /* of a stream */
#define CHANNELS   2
#define WARMUP     40
#define STEPS      120 /* of a run */

/* A frame as it was accepted, and what is said of it. */
struct past {
    float values[CHANNELS];
    bool reset, rewarm;
    double score, g;
};

struct world {
    char directory[32];
    struct conf *conf;
    struct engine *engine;
    struct journal *journal;
    uv_loop_t uv;
    uint64_t seed;
    struct past past[STREAMS][FRAMES_MAX];
    size_t n[STREAMS];         /* accepted */
    size_t n_stepped[STREAMS]; /* since the start of this engine: the next seq that comes, or 0 */
    bool rewarm_next[STREAMS], reset_next[STREAMS];
    struct oracle {
        celltap_stream *stream;
        celltap_panel *panel;
    } oracles[STREAMS];
    celltap_warmup *warmups[STREAMS]; /* taken up, and not ended */
    size_t n_checked, n_late, n_snapshots;
};

static size_t one_of(struct world *world, size_t n)
{
    return (size_t)(rig_random(&world->seed) % n);
}

/* ---- life --------------------------------------------------------------------------------- */

static void on_fault(void *arg, const char *text)
{
    (void)arg;
    ck_abort_msg("%s", text);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void world_start(struct world *world)
{
    struct serving **servings;
    char error[1024];
    ck_assert_int_eq(serving_load_all(world->conf, on_fault, NULL, &servings), 0);
    world->engine = engine_new(servings, world->conf->n_models, 100);
    ck_assert_int_eq(uv_loop_init(&world->uv), 0);
    ck_assert_int_eq(journal_open(world->conf, world->engine, &world->journal), 0);
    ck_assert_int_eq(journal_start(world->journal, &world->uv, NULL, NULL), 0);
    ck_assert_int_eq(journal_keep(world->journal, servings[0], error, sizeof error), 0);
    memset(world->n_stepped, 0, sizeof world->n_stepped);
}

static void world_stop(struct world *world)
{
    for (size_t i = 0; i < STREAMS; i++) {
        celltap_warmup_free(world->warmups[i]);
        world->warmups[i] = NULL;
    }
    journal_stop(world->journal);
    engine_free(world->engine);
    uv_walk(&world->uv, close_handle, NULL);
    uv_run(&world->uv, UV_RUN_DEFAULT);
    journal_close(world->journal);
    ck_assert_int_eq(uv_loop_close(&world->uv), 0);
}

static void remove_all(const char *directory)
{
    DIR *open = opendir(directory);
    struct dirent *entry;
    char path[512];
    while (open != NULL && (entry = readdir(open)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (unlink(path) != 0)
            remove_all(path);
    }
    closedir(open);
    rmdir(directory);
}

static void world_init(struct world *world, uint64_t seed)
{
    char text[1024];
    struct conf_errors errors = {0};
    log_init(LOG_LEVEL_ERR);
    *world = (struct world){.directory = "/tmp/celltap-warm-XXXXXX", .seed = seed};
    ck_assert_ptr_nonnull(mkdtemp(world->directory));
    int n = snprintf(text, sizeof text,
                     "{runtime_dir: %s, state_dir: %s, models: [{name: m, file: "
                     "\"builtin:reservoir\", units: 8, channels: [a, b], streams: [\"*\"], "
                     "detector: {warmup: %d}}], journal: {sync: off, segment_bytes: 4K}}",
                     world->directory, world->directory, WARMUP);
    int code = conf_text_load(text, (size_t)n, &world->conf, &errors);
    ck_assert_msg(code == 0, "%s", errors.text);
    world_start(world);
    size_t n_servings;
    struct serving *serving = engine_servings(world->engine, &n_servings)[0];
    for (size_t i = 0; i < STREAMS; i++) {
        ck_assert_int_eq(celltap_stream_new(serving->model, &world->oracles[i].stream), 0);
        ck_assert_int_eq(celltap_panel_new(serving->model, 1, &world->oracles[i].panel), 0);
        ck_assert_int_eq(celltap_stream_watch(world->oracles[i].stream, serving->detector, NULL),
                         0);
    }
}

static void world_done(struct world *world)
{
    for (size_t i = 0; i < STREAMS; i++) {
        celltap_stream_free(world->oracles[i].stream);
        celltap_panel_free(world->oracles[i].panel);
    }
    world_stop(world);
    conf_free(world->conf);
    remove_all(world->directory);
}

/* ---- frames ------------------------------------------------------------------------------- */

/* The frame into the library's stream. */
static void oracle_step(struct world *world, size_t s, struct past *past, size_t t)
{
    struct oracle *oracle = &world->oracles[s];
    if (past->rewarm)
        celltap_stream_rewarm(oracle->stream);
    else if (past->reset)
        celltap_stream_reset(oracle->stream);
    celltap_stream_at(oracle->stream, (int64_t)t);
    ck_assert_int_eq(celltap_step(oracle->panel, oracle->stream, past->values, CHANNELS), 0);
    const struct celltap_score *score = celltap_panel_score(oracle->panel, 0);
    past->score = score->score;
    past->g = score->g;
}

static void put_frame(struct world *world, struct celltap_writer *writer, size_t s)
{
    size_t t = world->n[s]++;
    struct past *past = &world->past[s][t];
    char name[2] = {(char)('a' + s), '\0'};
    ck_assert_uint_lt(t, FRAMES_MAX);
    for (size_t k = 0; k < CHANNELS; k++) {
        past->values[k] = 10 + sinf((float)t / 3) + rig_uniform(&world->seed, -0.2f, 0.2f);
        if (one_of(world, 20) == 0)
            past->values[k] = NAN;
    }
    bool said = one_of(world, 60) == 0;
    past->reset = said || world->reset_next[s];
    past->rewarm = world->rewarm_next[s];
    world->reset_next[s] = world->rewarm_next[s] = false;
    oracle_step(world, s, past, t);
    celltap_put_map(writer, 5);
    celltap_put_str(writer, "stream");
    celltap_put_str(writer, name);
    celltap_put_str(writer, "seq");
    celltap_put_uint(writer, t + 1);
    celltap_put_str(writer, "ts");
    celltap_put_uint(writer, t);
    celltap_put_str(writer, "reset");
    celltap_put_bool(writer, said);
    celltap_put_str(writer, "values");
    celltap_put_array(writer, CHANNELS);
    for (size_t k = 0; k < CHANNELS; k++) {
        if (isnan(past->values[k]))
            celltap_put_nil(writer);
        else
            celltap_put_float(writer, past->values[k]);
    }
}

/* Every stream's frames come in order and without a hole, with the library's verdict. */
static void on_stepped(void *arg, size_t shard_ix, const struct serving *serving,
                       const struct engine_column *columns, size_t n_columns, size_t n_left)
{
    struct world *world = arg;
    (void)shard_ix, (void)serving, (void)n_left;
    for (size_t i = 0; i < n_columns; i++) {
        size_t s = (size_t)(columns[i].stream->name[0] - 'a'), seq = columns[i].seq;
        const struct past *past = &world->past[s][seq - 1];
        if (world->n_stepped[s] != 0)
            ck_assert_uint_eq(seq, world->n_stepped[s] + 1);
        world->n_stepped[s] = seq;
        ck_assert(memcmp(&columns[i].score->score, &past->score, sizeof past->score) == 0);
        ck_assert(memcmp(&columns[i].score->g, &past->g, sizeof past->g) == 0);
        for (size_t k = 0; k < CHANNELS; k++)
            ck_assert(isnan(past->values[k]) ? isnan(columns[i].values[k])
                                             : columns[i].values[k] == past->values[k]);
        world->n_checked += past->g > 0;
    }
}

static void on_left(void *arg, size_t shard_ix, size_t slot)
{
    (void)arg, (void)shard_ix, (void)slot;
}

static void turn(struct world *world, size_t n_frames)
{
    static unsigned char bytes[64 * 1024];
    struct engine_sink sink = {world, on_stepped, on_left};
    struct celltap_writer writer = {.at = bytes, .end = bytes + sizeof bytes};
    engine_release(world->engine);
    size_t s = one_of(world, STREAMS);
    for (size_t i = 0; i < n_frames; i++)
        put_frame(world, &writer, one_of(world, 3) == 0 ? one_of(world, STREAMS) : s);
    ck_assert(!writer.full);
    struct engine_batch batch = {.cursor = bytes, .end = writer.at};
    ck_assert(engine_take(world->engine, &batch));
    ck_assert_uint_eq(batch.n_accepted, n_frames);
    journal_commit(world->journal);
    engine_step(world->engine, &sink);
    engine_batch_done(&batch);
    world->n_late += engine_n_late(world->engine) > 0;
}

/* ---- what happens beside ------------------------------------------------------------------ */

static void warm_some(struct world *world)
{
    struct stream *stream = engine_due(world->engine);
    if (stream != NULL && one_of(world, 4) == 0) {
        engine_postpone(world->engine, stream);
    } else if (stream != NULL) {
        celltap_warmup **warmup = &world->warmups[stream->name[0] - 'a'];
        ck_assert_ptr_null(*warmup);
        ck_assert_int_eq(celltap_warmup_new(stream->state, warmup), 0);
    }
    for (size_t s = 0; s < STREAMS; s++) {
        char name[2] = {(char)('a' + s), '\0'};
        if (world->warmups[s] == NULL || one_of(world, 2) == 0 ||
            celltap_warmup_run(world->warmups[s], 25))
            continue;
        stream = streams_find(engine_streams(world->engine), name, 1);
        if (celltap_warmup_end(world->warmups[s], stream->state) == 0)
            engine_warmed(world->engine, stream);
        celltap_warmup_free(world->warmups[s]);
        world->warmups[s] = NULL;
    }
}

static void reset(struct world *world, bool rewarm)
{
    size_t s = one_of(world, STREAMS);
    char name[2] = {(char)('a' + s), '\0'};
    if (engine_reset(world->engine, name, 1, rewarm) != 0)
        return;
    world->reset_next[s] = true;
    world->rewarm_next[s] |= rewarm;
    journal_put_reset(world->journal, streams_find(engine_streams(world->engine), name, 1), rewarm);
}

static void snapshot(struct world *world)
{
    uint64_t before = journal_look(world->journal).n_snapshots;
    journal_save(world->journal);
    while (journal_work(world->journal))
        ;
    while (uv_run(&world->uv, UV_RUN_NOWAIT) != 0 &&
           journal_look(world->journal).n_snapshots == before)
        ;
    world->n_snapshots += journal_look(world->journal).n_snapshots - before;
}

static void happen(struct world *world)
{
    switch (one_of(world, 24)) {
    case 0:
    case 1:
        snapshot(world);
        break;
    case 2:
        world_stop(world);
        world_start(world);
        break;
    case 3:
        reset(world, false);
        break;
    case 4:
        reset(world, one_of(world, 3) == 0);
        break;
    case 5:
        if (one_of(world, 4) == 0)
            ck_assert_int_eq(engine_settle(world->engine), 0);
        break;
    case 6:
    case 7:
    case 8:
    case 9:
        warm_some(world);
        break;
    default:
        turn(world, one_of(world, 12));
    }
}

START_TEST(test_frames_that_wait_when_anything_happens_then_scores_are_those_of_the_library)
{
    static struct world world;
    size_t n_checked = 0, n_late = 0, n_snapshots = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        world_init(&world, seed);
        for (size_t i = 0; i < STEPS; i++)
            happen(&world);
        ck_assert_int_eq(engine_settle(world.engine), 0);
        while (engine_n_late(world.engine) > 0) {
            turn(&world, 0);
            ck_assert_int_eq(engine_settle(world.engine), 0);
        }
        turn(&world, 9);
        world_done(&world);
        n_checked += world.n_checked;
        n_late += world.n_late;
        n_snapshots += world.n_snapshots;
    }
    ck_assert_uint_gt(n_checked, 500);
    ck_assert_uint_gt(n_late, 100);
    ck_assert_uint_gt(n_snapshots, 50);
}
END_TEST

/* Nobody checks these frames. */
static void skip_step(void *arg, size_t shard_ix, const struct serving *serving,
                      const struct engine_column *columns, size_t n_columns, size_t n_left)
{
    (void)arg, (void)shard_ix, (void)serving, (void)columns, (void)n_columns, (void)n_left;
}

/* A frame of stream a: true: it was taken. */
static bool feed_one(struct engine *engine)
{
    unsigned char bytes[64];
    struct engine_sink sink = {NULL, skip_step, on_left};
    struct celltap_writer writer = {.at = bytes, .end = bytes + sizeof bytes};
    celltap_put_map(&writer, 2);
    celltap_put_str(&writer, "stream");
    celltap_put_str(&writer, "a");
    celltap_put_str(&writer, "values");
    celltap_put_array(&writer, CHANNELS);
    celltap_put_float(&writer, 1);
    celltap_put_float(&writer, 2);
    struct engine_batch batch = {.cursor = bytes, .end = writer.at};
    bool taken = engine_take(engine, &batch);
    ck_assert(batch.n_accepted == taken && (taken || batch.cursor == bytes));
    engine_batch_done(&batch);
    engine_step(engine, &sink);
    return taken;
}

START_TEST(test_frames_that_wait_when_too_many_then_no_more_are_taken)
{
    static struct world world;
    size_t n = 0;
    world_init(&world, 99);
    engine_set_log(world.engine, &(struct engine_log){NULL, NULL, NULL});
    for (size_t i = 0; i < WARMUP; i++)
        ck_assert(feed_one(world.engine));
    ck_assert_uint_eq(engine_n_late(world.engine), 0);
    while (feed_one(world.engine))
        n++;
    ck_assert(engine_is_behind(world.engine));
    ck_assert_uint_eq(engine_n_late(world.engine), n);
    ck_assert_uint_lt(n, ENGINE_LATE_BYTES / (CHANNELS * sizeof(float)));
    ck_assert_int_eq(engine_settle(world.engine), 0);
    ck_assert(engine_release(world.engine));
    ck_assert(!engine_is_behind(world.engine));
    ck_assert_uint_lt(engine_n_late(world.engine), n);
    world_done(&world);
}
END_TEST

START_TEST(test_frames_that_wait_when_a_reload_changes_what_is_learnt_then_they_go)
{
    static struct world world, other;
    struct serving **servings;
    struct engine_change change;
    world_init(&world, 98);
    for (size_t i = 0; i < WARMUP + 5; i++)
        ck_assert(feed_one(world.engine));
    world_init(&other, 97);
    for (int same = 2; same >= 0; same--) {
        struct conf_detector *detector = &other.conf->models[0].detector;
        detector->threshold = same == 2 ? 2.7 : 3; /* of judging */
        detector->smooth_given = same == 0;
        ck_assert_int_eq(serving_load_all(other.conf, on_fault, NULL, &servings), 0);
        ck_assert_int_eq(engine_replace(world.engine, servings, 1, 100, &change), 0);
        ck_assert_uint_eq(change.n_late, same ? 0 : 5);
        ck_assert_uint_eq(change.n_afresh, same ? 0 : 1);
        ck_assert_uint_eq(engine_n_late(world.engine), same ? 5 : 0);
    }
    ck_assert_ptr_null(engine_due(world.engine));
    for (size_t i = 0; i < WARMUP; i++)
        ck_assert(feed_one(world.engine));
    ck_assert_uint_eq(engine_n_late(world.engine), 0);
    ck_assert_ptr_nonnull(engine_due(world.engine));
    world_done(&world);
    world_done(&other);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_frames_that_wait_when_anything_happens_then_scores_are_those_of_the_library,
        test_frames_that_wait_when_too_many_then_no_more_are_taken,
        test_frames_that_wait_when_a_reload_changes_what_is_learnt_then_they_go,
        NULL,
    };
    return suite_run("engine_warm", tests, 60);
}
