/* detector.c - how streams are watched, as a file that the journal keeps: options, and what they
 * begin with.
 *
 *     | "CELLTAPW" | version 4 | scale 4 | clock 4 | missing 4 | history 4 | 0, 4 |
 *     | warmup 8 | numbers, 7 doubles | n_horizons 4 | forecast_bytes 4 | learnt_bytes 8 | horizons, 8 each | forecast | learnt |
 *
 * Little-endian.  Its name is the hash of all of it, by which entries and snapshots refer to it. */
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/le.h"
#include "lib/journal/folder.h"

#define DETECTOR_MAGIC        "CELLTAPW"
#define DETECTOR_VERSION      2
#define DETECTOR_NUMBERS_AT   40
#define DETECTOR_JUDGING_END  80 /* numbers of judging; the others decide what is learnt */
#define DETECTOR_HEAD_BYTES   112
#define DETECTOR_HORIZONS_MAX 64
#define DETECTOR_FORECAST_MAX 65536 /* bytes of an output's name */

struct celltap_journal_detector {
    size_t n_refs;
    uint64_t hash;
    struct celltap_detector_options options; /* borrows from below */
    size_t horizons[DETECTOR_HORIZONS_MAX];
    const unsigned char *learnt; /* [learnt_bytes] in bytes */
    size_t learnt_bytes;
    char *forecast; /* owned */
    size_t n_bytes;
    unsigned char bytes[];
};

static uint64_t detector_hash(const unsigned char *bytes, size_t n_bytes)
{
    uint64_t hash = 0xcbf29ce484222325u ^ n_bytes;
    for (size_t i = 0; i < n_bytes; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

/* ---- bytes to options --------------------------------------------------------------------- */

static double *detector_number(struct celltap_detector_options *options, size_t ix)
{
    double *const numbers[] = {&options->threshold,   &options->level_state, &options->level_error,
                               &options->refractory,  &options->forget,      &options->smooth,
                               &options->range_smooth};
    return ix < sizeof numbers / sizeof *numbers ? numbers[ix] : NULL;
}

/* True if the bytes are whole; fills all but forecast. */
static bool detector_parse(struct celltap_journal_detector *detector)
{
    const unsigned char *at = detector->bytes, *end = at + detector->n_bytes;
    struct celltap_detector_options *options = &detector->options;
    if (detector->n_bytes < DETECTOR_HEAD_BYTES || memcmp(at, DETECTOR_MAGIC, 8) != 0 ||
        le_get32(at + 8) != DETECTOR_VERSION)
        return false;
    options->scale = (enum celltap_scale)le_get32(at + 12);
    options->clock = (enum celltap_clock)le_get32(at + 16);
    options->missing = (enum celltap_missing)le_get32(at + 20);
    options->history = (enum celltap_history)le_get32(at + 24);
    options->warmup = le_get64(at + 32);
    at += DETECTOR_NUMBERS_AT;
    for (size_t i = 0; detector_number(options, i) != NULL; i++, at += 8) {
        uint64_t bits = le_get64(at);
        memcpy(detector_number(options, i), &bits, sizeof bits);
    }
    size_t n_horizons = le_get32(at), forecast_bytes = le_get32(at + 4);
    uint64_t learnt_bytes = le_get64(at + 8);
    at += 16;
    if (n_horizons > DETECTOR_HORIZONS_MAX || forecast_bytes > DETECTOR_FORECAST_MAX ||
        (size_t)(end - at) < n_horizons * 8 + forecast_bytes ||
        (size_t)(end - at) - n_horizons * 8 - forecast_bytes != learnt_bytes)
        return false;
    for (size_t i = 0; i < n_horizons; i++, at += 8)
        detector->horizons[i] = le_get64(at);
    options->n_horizons = n_horizons;
    options->horizons = detector->horizons;
    detector->learnt_bytes = learnt_bytes;
    detector->learnt = end - learnt_bytes;
    return true;
}

/* Of bytes that are in place.  CELLTAP_EDAMAGED, CELLTAP_ENOMEM. */
static int detector_finish(struct celltap_journal_detector *detector)
{
    if (!detector_parse(detector))
        return CELLTAP_EDAMAGED;
    size_t n = (size_t)(detector->learnt - detector->bytes) - DETECTOR_HEAD_BYTES -
               detector->options.n_horizons * 8;
    detector->forecast = alloc_new(n + 1, 1);
    if (detector->forecast == NULL)
        return CELLTAP_ENOMEM;
    memcpy(detector->forecast, detector->learnt - n, n);
    detector->options.forecast = detector->forecast;
    detector->hash = detector_hash(detector->bytes, detector->n_bytes);
    return 0;
}

/* ---- options to bytes --------------------------------------------------------------------- */

static void detector_put(unsigned char *at, const struct celltap_detector_options *options,
                         const void *learnt, size_t learnt_bytes)
{
    struct celltap_detector_options copy = *options;
    size_t forecast_bytes = strlen(options->forecast);
    memcpy(at, DETECTOR_MAGIC, 8);
    le_put32(at + 8, DETECTOR_VERSION);
    le_put32(at + 12, options->scale);
    le_put32(at + 16, options->clock);
    le_put32(at + 20, options->missing);
    le_put32(at + 24, options->history);
    le_put32(at + 28, 0);
    le_put64(at + 32, options->warmup);
    at += DETECTOR_NUMBERS_AT;
    for (size_t i = 0; detector_number(&copy, i) != NULL; i++, at += 8) {
        uint64_t bits;
        memcpy(&bits, detector_number(&copy, i), sizeof bits);
        le_put64(at, bits);
    }
    le_put32(at, (uint32_t)options->n_horizons);
    le_put32(at + 4, (uint32_t)forecast_bytes);
    le_put64(at + 8, learnt_bytes);
    at += 16;
    for (size_t i = 0; i < options->n_horizons; i++, at += 8)
        le_put64(at, options->horizons[i]);
    memcpy(at, options->forecast, forecast_bytes);
    if (learnt_bytes > 0)
        memcpy(at + forecast_bytes, learnt, learnt_bytes);
}

/* ---- the public face ---------------------------------------------------------------------- */

static struct celltap_journal_detector *detector_make(size_t n_bytes)
{
    struct celltap_journal_detector *detector = alloc_new(1, sizeof *detector + n_bytes);
    if (detector != NULL) {
        detector->n_refs = 1;
        detector->n_bytes = n_bytes;
    }
    return detector;
}

/* The options as the library completes them, for which a stream is watched and let go. */
int celltap_journal_detector_new(celltap_model *model,
                                 const struct celltap_detector_options *options, const void *learnt,
                                 size_t learnt_bytes, celltap_journal_detector **ret_detector,
                                 struct celltap_diagnosis *reterr)
{
    celltap_stream *stream;
    struct celltap_journal_detector *detector = NULL;
    if (reterr != NULL)
        *reterr = (struct celltap_diagnosis){"", "out of memory"};
    int code = celltap_stream_new(model, &stream);
    if (code != 0)
        return code;
    code = celltap_stream_watch(stream, options, reterr);
    if (code != 0)
        goto done;
    options = celltap_detector_get_options(celltap_stream_detector(stream));
    size_t forecast_bytes = strlen(options->forecast);
    code = CELLTAP_ENOMEM;
    if (forecast_bytes <= DETECTOR_FORECAST_MAX)
        detector = detector_make(DETECTOR_HEAD_BYTES + options->n_horizons * 8 + forecast_bytes +
                                 learnt_bytes);
    if (detector == NULL)
        goto done;
    detector_put(detector->bytes, options, learnt, learnt_bytes);
    code = detector_finish(detector);
    if (code == 0 && learnt_bytes > 0)
        code = celltap_stream_learn(stream, learnt, learnt_bytes, reterr);
done:
    celltap_stream_free(stream);
    if (code == 0)
        *ret_detector = detector;
    else
        celltap_journal_detector_unref(detector);
    return code;
}

celltap_journal_detector *celltap_journal_detector_ref(celltap_journal_detector *detector)
{
    if (detector != NULL)
        detector->n_refs++;
    return detector;
}

void celltap_journal_detector_unref(celltap_journal_detector *detector)
{
    if (detector == NULL || --detector->n_refs > 0)
        return;
    alloc_free(detector->forecast);
    alloc_free(detector);
}

uint64_t celltap_journal_detector_hash(const celltap_journal_detector *detector)
{
    return detector != NULL ? detector->hash : 0;
}

const struct celltap_detector_options *
celltap_journal_detector_options(const celltap_journal_detector *detector)
{
    return &detector->options;
}

int celltap_journal_detector_watch(const celltap_journal_detector *detector, celltap_stream *stream)
{
    int code = celltap_stream_watch(stream, &detector->options, NULL);
    if (code == 0)
        code = celltap_journal_detector_begin(detector, stream);
    return code;
}

int celltap_journal_detector_begin(const celltap_journal_detector *detector, celltap_stream *stream)
{
    int code = celltap_journal_detector_tune(detector, stream);
    if (code != 0)
        return code;
    celltap_stream_rewarm(stream);
    if (detector->learnt_bytes == 0)
        return 0;
    return celltap_stream_learn(stream, detector->learnt, detector->learnt_bytes, NULL);
}

int celltap_journal_detector_tune(const celltap_journal_detector *detector, celltap_stream *stream)
{
    celltap_detector *watching = celltap_stream_detector(stream);
    return watching == NULL ? CELLTAP_EINVAL : celltap_detector_tune(watching, &detector->options);
}

/* All bytes but the numbers of judging. */
bool celltap_journal_detector_learns_as(const celltap_journal_detector *detector,
                                        const celltap_journal_detector *other)
{
    if (detector == NULL || other == NULL || detector == other)
        return detector == other;
    return detector->n_bytes == other->n_bytes &&
           memcmp(detector->bytes, other->bytes, DETECTOR_NUMBERS_AT) == 0 &&
           memcmp(detector->bytes + DETECTOR_JUDGING_END, other->bytes + DETECTOR_JUDGING_END,
                  detector->n_bytes - DETECTOR_JUDGING_END) == 0;
}

/* ---- files -------------------------------------------------------------------------------- */

int celltap_journal_keep_detector(const struct celltap_files *files, const char *directory,
                                  const celltap_journal_detector *detector,
                                  struct celltap_journal_error *reterr)
{
    return folder_keep(files, directory, detector->hash, FOLDER_DETECTOR, detector->bytes,
                       detector->n_bytes, reterr);
}

int celltap_journal_load_detector(const struct celltap_files *files, const char *directory,
                                  uint64_t hash, celltap_journal_detector **ret_detector,
                                  struct celltap_journal_error *reterr)
{
    char path[FOLDER_PATH_MAX];
    unsigned char *bytes;
    size_t n_bytes;
    folder_path(path, directory, hash, FOLDER_DETECTOR);
    int code = folder_read(files, path, &bytes, &n_bytes, reterr);
    if (code != 0)
        return code;
    struct celltap_journal_detector *detector = detector_make(n_bytes);
    code = CELLTAP_ENOMEM;
    if (detector != NULL) {
        memcpy(detector->bytes, bytes, n_bytes);
        code = detector_finish(detector);
    }
    if (code == 0 && detector->hash != hash)
        code = CELLTAP_EDAMAGED;
    alloc_free(bytes);
    if (code == 0) {
        *ret_detector = detector;
        return 0;
    }
    celltap_journal_detector_unref(detector);
    return folder_fail(reterr, code, 0, "%s %s", path,
                       code == CELLTAP_ENOMEM ? "needs memory" : "is not the file of that name");
}
