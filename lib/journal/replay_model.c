/* replay_model.c - what a replay's frames are stepped with: the model and the detector of then.
 *
 *     frame --hashes--> the same:            states go on
 *                       it judges otherwise: states go on, judged by that
 *                       another one:         a fresh stream, watched by its detector
 *
 * Another model, given by who asks, stays; only how its stream is watched follows the frames. */
#include "lib/journal/replay_model.h"

#include "lib/base/alloc.h"
#include "lib/journal/folder.h"

#define REPLAY_CLOCK 2 /* inputs that a clock makes */

void replay_model_drop(struct celltap_replay *replay)
{
    celltap_panel_free(replay->panel);
    celltap_stream_free(replay->stream);
    celltap_model_unref(replay->model);
    celltap_journal_detector_unref(replay->detector);
    alloc_free(replay->values);
    replay->panel = NULL;
    replay->detector = NULL;
    replay->stream = NULL;
    replay->model = NULL;
    replay->values = NULL;
    replay->known = false;
}

int replay_model_take(struct celltap_replay *replay, celltap_model *model)
{
    replay_model_drop(replay);
    replay->model = model;
    replay->values = alloc_new(celltap_model_n_values(model) + 1, sizeof(float));
    int code = replay->values != NULL ? 0 : CELLTAP_ENOMEM;
    if (code == 0)
        code = celltap_stream_new(model, &replay->stream);
    if (code == 0)
        code = celltap_panel_new(model, 1, &replay->panel);
    return code;
}

int replay_model_load(struct celltap_replay *replay, uint64_t hash, uint64_t detector_hash,
                      struct celltap_journal_error *reterr)
{
    celltap_model *model;
    int code = celltap_journal_load_model(replay->files, replay->directory, hash, &model, reterr);
    if (code != 0)
        return code;
    replay->model_hash = hash;
    replay->detector_hash = detector_hash;
    code = replay_model_take(replay, model);
    if (code == 0 && detector_hash != 0) {
        code = celltap_journal_load_detector(replay->files, replay->directory, detector_hash,
                                             &replay->detector, reterr);
        if (code != 0)
            return code;
        code = celltap_journal_detector_watch(replay->detector, replay->stream);
    }
    return code == 0 ? 0 : folder_fail(reterr, code, 0, "%s", celltap_strerror(code));
}

/* The frame's detector, in place of one that learns alike.  1; 0: it does not. */
static int model_tune(struct celltap_replay *replay, uint64_t detector_hash,
                      struct celltap_journal_error *reterr)
{
    celltap_journal_detector *detector;
    if (replay->detector == NULL || detector_hash == 0)
        return 0;
    int code = celltap_journal_load_detector(replay->files, replay->directory, detector_hash,
                                             &detector, reterr);
    if (code != 0)
        return code;
    if (!celltap_journal_detector_learns_as(detector, replay->detector)) {
        celltap_journal_detector_unref(detector);
        return 0;
    }
    celltap_journal_detector_unref(replay->detector);
    replay->detector = detector;
    replay->detector_hash = detector_hash;
    code = celltap_journal_detector_tune(detector, replay->stream);
    return code == 0 ? 1 : folder_fail(reterr, code, 0, "%s", celltap_strerror(code));
}

/* Of another model: its stream is made anew, watched with the options of the frame's detector, but for
 * what is the model's own: forecasts, what was learnt before, and whether it takes a clock. */
static int model_watch_other(struct celltap_replay *replay,
                             const struct celltap_journal_entry *entry,
                             struct celltap_journal_error *reterr)
{
    celltap_journal_detector *detector = NULL, *before = replay->detector;
    size_t n_values = celltap_model_n_values(replay->model);
    int code = entry->detector_hash == 0
                   ? 0
                   : celltap_journal_load_detector(replay->files, replay->directory,
                                                   entry->detector_hash, &detector, reterr);
    if (code != 0)
        return code;
    bool alike = celltap_journal_detector_learns_as(detector, before);
    replay->detector = detector;
    replay->detector_hash = entry->detector_hash;
    celltap_journal_detector_unref(before);
    if (alike)
        return 0;
    celltap_stream_free(replay->stream);
    replay->stream = NULL;
    code = celltap_stream_new(replay->model, &replay->stream);
    if (code == 0 && detector != NULL) {
        struct celltap_detector_options options = *celltap_journal_detector_options(detector);
        options.forecast = NULL;
        options.n_horizons = 0;
        if (n_values != entry->n_values + REPLAY_CLOCK)
            options.clock = CELLTAP_CLOCK_NONE;
        code = celltap_stream_watch(replay->stream, &options, NULL);
    }
    replay->watched = code == 0 && detector != NULL;
    if (code == 0 || code == CELLTAP_EINVAL) /* nothing in it can be watched */
        return 0;
    return folder_fail(reterr, code, 0, "%s", celltap_strerror(code));
}

int replay_model_prepare(struct celltap_replay *replay, const struct celltap_journal_entry *entry,
                         struct celltap_journal_error *reterr)
{
    bool same =
        replay->model != NULL && (replay->fixed_model || entry->model_hash == replay->model_hash);
    if (same && entry->detector_hash == replay->detector_hash)
        return 0;
    if (replay->fixed_model)
        return model_watch_other(replay, entry, reterr);
    int code = same ? model_tune(replay, entry->detector_hash, reterr) : 0;
    if (code != 0)
        return code < 0 ? code : 0;
    return replay_model_load(replay, entry->model_hash, entry->detector_hash, reterr);
}
