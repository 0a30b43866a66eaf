/* detector_save.c - a detector as bytes, and back: one list of what it consists of, walked both ways.
 *
 *     | "ctapD3" | model's hash | phase | length | scale, clock, forecast | all else ... | check |
 *
 * All little-endian.  Loading looks at length, check, model and options first; then only memory can
 * be missing, and nothing has changed yet. */
#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/detect/detector.h"
#include "lib/model/model.h"
#include "lib/model/reservoir.h"

#define SAVE_MAGIC       0x334470617463u /* "ctapD3", the version with it */
#define SAVE_HEAD_WORDS  8
#define SAVE_MODEL       1 /* of the words */
#define SAVE_PHASE       2
#define SAVE_LENGTH      3
#define SAVE_SCALE       4
#define SAVE_CLOCK       5
#define SAVE_FORECAST    6
#define SAVE_N_HORIZONS  7
#define SAVE_CHECK_BYTES 8

enum save_way { SAVE_COUNT, SAVE_PUT, SAVE_GET };

struct save {
    enum save_way way;
    unsigned char *to;         /* SAVE_PUT */
    const unsigned char *from; /* SAVE_GET */
    size_t n_bytes;            /* so far */
};

/* n_items of item_bytes (4 or 8) each. */
static void save_items(struct save *save, void *items, size_t n_items, size_t item_bytes)
{
    unsigned char *item = items;
    for (size_t i = 0; i < n_items && save->way != SAVE_COUNT; i++, item += item_bytes) {
        size_t at = save->n_bytes + i * item_bytes;
        uint64_t bits = 0;
        uint32_t half;
        if (save->way == SAVE_GET) {
            for (size_t k = 0; k < item_bytes; k++)
                bits |= (uint64_t)save->from[at + k] << (8 * k);
            half = (uint32_t)bits;
            memcpy(item, item_bytes == 8 ? (void *)&bits : (void *)&half, item_bytes);
            continue;
        }
        memcpy(item_bytes == 8 ? (void *)&bits : (void *)&half, item, item_bytes);
        bits = item_bytes == 8 ? bits : half;
        for (size_t k = 0; k < item_bytes; k++)
            save->to[at + k] = (unsigned char)(bits >> (8 * k));
    }
    save->n_bytes += n_items * item_bytes;
}

#define SAVE(save, items, n) save_items(save, items, n, sizeof *(items))

static void save_bool(struct save *save, bool *flag)
{
    uint32_t word = *flag;
    SAVE(save, &word, 1);
    *flag = word != 0;
}

/* Rows by eight, of these column by column, those of the diagonal whole; whatever the kernel's order
 * is. */
static void save_whiten(struct save *save, struct view *view)
{
    float lanes[VIEW_LANES];
    for (size_t row = 0; row < view->d; row += VIEW_LANES)
        for (size_t j = 0; j < row + VIEW_LANES; j++) {
            for (size_t k = 0; k < VIEW_LANES && save->way == SAVE_PUT; k++)
                lanes[k] = *view_at(view, row + k, j);
            SAVE(save, lanes, VIEW_LANES);
            for (size_t k = 0; k < VIEW_LANES && save->way == SAVE_GET; k++)
                *view_at(view, row + k, j) = lanes[k];
        }
}

static void save_view(struct save *save, struct view *view)
{
    SAVE(save, view->mean, view->d);
    save_whiten(save, view);
    SAVE(save, &view->s, 1);
    SAVE(save, &view->g, 1);
    SAVE(save, &view->level, 1);
    save_bool(save, &view->is_high);
    SAVE(save, view->tail.bins, TAIL_BINS);
    SAVE(save, view->tail.groups, TAIL_GROUPS);
    SAVE(save, &view->tail.weight, 1);
}

static void save_warm(struct save *save, const struct celltap_detector *detector,
                      struct detector_warm *warm)
{
    for (size_t v = 0; v < CELLTAP_N_VIEWS; v++) {
        SAVE(save, &warm->views[v].n, 1);
        SAVE(save, warm->views[v].mean, detector->views[v].d);
        SAVE(save, warm->views[v].scatter, view_n_scatter(detector->views[v].d));
        SAVE(save, warm->levels[v], DETECTOR_LEVELS);
    }
    SAVE(save, &warm->n_levels, 1);
}

/* All that changes in a detector, but for its phase. */
static void save_detector(struct save *save, struct celltap_detector *detector)
{
    SAVE(save, &detector->t, 1);
    SAVE(save, &detector->n_quiet, 1);
    SAVE(save, &detector->memory, 1);
    save_bool(save, &detector->is_alarm);
    for (size_t i = 0; i < detector->n_channels; i++) {
        struct detector_channel *channel = &detector->channels[i];
        SAVE(save, &channel->mean, 1);
        SAVE(save, &channel->deviation, 1);
        for (size_t k = 0; k < RANGE_N; k++) {
            SAVE(save, &channel->range.of[k].low, 1);
            SAVE(save, &channel->range.of[k].high, 1);
        }
        SAVE(save, &channel->range.mean, 1);
        SAVE(save, &channel->range.g, 1);
        SAVE(save, &channel->range.excess, 1);
        SAVE(save, &channel->n, 1);
        SAVE(save, &channel->last, 1);
    }
    SAVE(save, detector->rings, detector->n_rings);
    SAVE(save, detector->errors, detector->views[CELLTAP_VIEW_ERROR].d);
    for (size_t v = 0; v < CELLTAP_N_VIEWS; v++)
        save_view(save, &detector->views[v]);
    if (detector->warm != NULL)
        save_warm(save, detector, detector->warm);
}

/* What must be the same in a detector that takes the bytes. */
static void save_head(struct save *save, const struct celltap_detector *detector, size_t n_bytes)
{
    const struct celltap_detector_options *options = &detector->options;
    uint64_t words[SAVE_HEAD_WORDS] = {
        SAVE_MAGIC,     detector->model->hash, detector->phase,       n_bytes,
        options->scale, options->clock,        detector->forecast_ix, options->n_horizons};
    SAVE(save, words, SAVE_HEAD_WORDS);
    for (size_t i = 0; i < options->n_horizons; i++) {
        uint64_t horizon = options->horizons[i];
        SAVE(save, &horizon, 1);
    }
}

/* FNV-1a: finds what was torn or cut, not what somebody has forged. */
static uint64_t save_check(const unsigned char *bytes, size_t n_bytes)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n_bytes; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

/* ---- the public face ---------------------------------------------------------------------- */

size_t celltap_detector_save_bytes(const celltap_detector *detector)
{
    struct celltap_detector copy = *detector;
    struct save save = {.way = SAVE_COUNT};
    save_head(&save, &copy, 0);
    save_detector(&save, &copy);
    return save.n_bytes + SAVE_CHECK_BYTES;
}

void celltap_detector_save(const celltap_detector *detector, void *ret_bytes)
{
    struct celltap_detector copy = *detector;
    struct save save = {.way = SAVE_PUT, .to = ret_bytes};
    save_head(&save, &copy, celltap_detector_save_bytes(detector));
    save_detector(&save, &copy);
    uint64_t check = save_check(ret_bytes, save.n_bytes);
    SAVE(&save, &check, 1);
}

/* n_bytes: at least a head. */
static bool save_is_whole(const unsigned char *bytes, size_t n_bytes)
{
    uint64_t check;
    struct save end = {.way = SAVE_GET, .from = bytes, .n_bytes = n_bytes - SAVE_CHECK_BYTES};
    SAVE(&end, &check, 1);
    return check == save_check(bytes, n_bytes - SAVE_CHECK_BYTES);
}

/* True if the bytes are whole and of a detector like this one. */
static bool save_fits(const struct celltap_detector *like, const unsigned char *bytes,
                      size_t n_bytes)
{
    unsigned char head[(SAVE_HEAD_WORDS + DETECTOR_HORIZONS_MAX) * sizeof(uint64_t)];
    struct save made = {.way = SAVE_PUT, .to = head};
    if (n_bytes != celltap_detector_save_bytes(like))
        return false;
    save_head(&made, like, n_bytes);
    if (memcmp(head, bytes, made.n_bytes) != 0)
        return false;
    return save_is_whole(bytes, n_bytes);
}

int celltap_detector_load(celltap_detector *detector, const void *bytes, size_t n_bytes)
{
    struct celltap_detector like = *detector;
    struct save save = {.way = SAVE_GET, .from = bytes};
    uint64_t words[SAVE_HEAD_WORDS];
    if (n_bytes < sizeof words)
        return CELLTAP_ESTATE;
    SAVE(&save, words, SAVE_HEAD_WORDS);
    if (words[SAVE_PHASE] > CELLTAP_PHASE_SCORE)
        return CELLTAP_ESTATE;
    like.phase = (enum celltap_phase)words[SAVE_PHASE];
    like.warm = like.phase == CELLTAP_PHASE_SCORE ? NULL : detector_warm_new(detector);
    if (like.phase != CELLTAP_PHASE_SCORE && like.warm == NULL)
        return CELLTAP_ENOMEM;
    if (!save_fits(&like, bytes, n_bytes)) {
        alloc_free(like.warm);
        return CELLTAP_ESTATE;
    }
    save.n_bytes += like.options.n_horizons * sizeof(uint64_t);
    save_detector(&save, &like);
    alloc_free(detector->warm);
    *detector = like;
    return 0;
}

/* ---- what another has learnt -------------------------------------------------------------- */

/* Adds one more thing that is not the same. */
static void save_differs(struct celltap_diagnosis *why, const char *what, const char *theirs,
                         const char *mine)
{
    size_t n = strlen(why->text);
    snprintf(why->text + n, sizeof why->text - n, "%s%s%s%s%s",
             n == 0 ? "it was learnt with " : ", ", what, theirs, *mine != '\0' ? ", not " : "",
             mine);
}

/* The head's words are of a file of this kind.  "": nothing differs. */
static void save_explain(const struct celltap_detector *detector, const uint64_t *words,
                         const uint64_t *horizons, struct celltap_diagnosis *why)
{
    static const char *const scales[] = {"model", "learn", "none"};
    static const char *const clocks[] = {"none", "day"};
    const struct celltap_detector_options *mine = &detector->options;
    bool same =
        words[SAVE_FORECAST] == detector->forecast_ix && words[SAVE_N_HORIZONS] == mine->n_horizons;
    *why = (struct celltap_diagnosis){0};
    if (words[SAVE_MODEL] != detector->model->hash)
        save_differs(why, "another model", "",
                     reservoir_is(detector->model) ? "a built-in one of so many values and units"
                                                   : "");
    if (words[SAVE_CLOCK] != mine->clock && words[SAVE_CLOCK] < 2)
        save_differs(why, "clock ", clocks[words[SAVE_CLOCK]], clocks[mine->clock]);
    if (words[SAVE_SCALE] != mine->scale && words[SAVE_SCALE] < 3)
        save_differs(why, "scale ", scales[words[SAVE_SCALE]], scales[mine->scale]);
    for (size_t i = 0; same && i < mine->n_horizons; i++)
        same = horizons[i] == mine->horizons[i];
    if (!same)
        save_differs(why, "another forecast or other horizons", "", "");
}

int detector_load_learnt(struct celltap_detector *detector, const void *bytes, size_t n_bytes,
                         struct celltap_diagnosis *reterr)
{
    struct celltap_diagnosis unused, *why = reterr != NULL ? reterr : &unused;
    struct save save = {.way = SAVE_GET, .from = bytes};
    uint64_t words[SAVE_HEAD_WORDS] = {0}, horizons[DETECTOR_HORIZONS_MAX] = {0};
    *why = (struct celltap_diagnosis){"", "it is not what celltap score --save has written"};
    if (n_bytes < sizeof words)
        return CELLTAP_ESTATE;
    SAVE(&save, words, SAVE_HEAD_WORDS);
    if (words[0] != SAVE_MAGIC)
        return CELLTAP_ESTATE;
    *why = (struct celltap_diagnosis){"", "it is not whole"};
    if (words[SAVE_LENGTH] != n_bytes || !save_is_whole(bytes, n_bytes) ||
        words[SAVE_N_HORIZONS] > DETECTOR_HORIZONS_MAX ||
        words[SAVE_N_HORIZONS] > (n_bytes - sizeof words) / sizeof *horizons)
        return CELLTAP_ESTATE;
    SAVE(&save, horizons, words[SAVE_N_HORIZONS]);
    save_explain(detector, words, horizons, why);
    if (why->text[0] != '\0')
        return CELLTAP_ESTATE;
    *why = (struct celltap_diagnosis){"", "it was saved before the warm-up was over"};
    if (words[SAVE_PHASE] != CELLTAP_PHASE_SCORE)
        return CELLTAP_ESTATE;
    *why = (struct celltap_diagnosis){"", "it is not whole"};
    return celltap_detector_load(detector, bytes, n_bytes);
}
