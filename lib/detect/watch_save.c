/* watch_save.c - a watched stream's part of its bytes, and back.
 *
 *     | hash 8 | flags 8 | n_bytes 8 | learnt: a detector, as celltap_detector_save writes it
 *                                    | else: frames, each  ts 8 | reset 4 | values, 4 each
 *
 * All little-endian.  The hash is of the options that decide what is learnt: these must be the same.  What the detector
 * of a warm-up knows follows from its frames. */
#include <string.h>

#include "lib/detect/watch.h"

#define SAVE_HEAD_BYTES 24
#define SAVE_LEARNT     1u /* flags */
#define SAVE_RESET_NEXT 2u

static unsigned char *save_put(unsigned char *at, uint64_t value, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        at[i] = (unsigned char)(value >> (8 * i));
    return at + n_bytes;
}

static const unsigned char *save_get(const unsigned char *at, size_t n_bytes, uint64_t *ret_value)
{
    *ret_value = 0;
    for (size_t i = 0; i < n_bytes; i++)
        *ret_value |= (uint64_t)at[i] << (8 * i);
    return at + n_bytes;
}

/* ---- options ------------------------------------------------------------------------------ */

static uint64_t save_mix(uint64_t hash, uint64_t word)
{
    for (size_t i = 0; i < 8; i++)
        hash = (hash ^ (word >> (8 * i) & 0xff)) * 0x100000001b3u; /* FNV-1a */
    return hash;
}

uint64_t watch_hash(const struct celltap_detector *detector)
{
    const struct celltap_detector_options *options = &detector->options;
    const uint64_t words[] = {detector->model->hash, options->warmup,     options->scale,
                              options->clock,        options->missing,    detector->forecast_ix,
                              detector->n_channels,  options->n_horizons, options->history};
    uint64_t hash = 0xcbf29ce484222325u, word;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        hash = save_mix(hash, words[i]);
    for (size_t i = 0; i < options->n_horizons; i++)
        hash = save_mix(hash, options->horizons[i]);
    const double numbers[] = {options->smooth, options->range_smooth};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        memcpy(&word, &numbers[i], sizeof word);
        hash = save_mix(hash, word);
    }
    return hash;
}

/* ---- frames ------------------------------------------------------------------------------- */

static size_t save_frame_bytes(const struct stream_watch *head)
{
    return 8 + 4 + head->n_values * sizeof(float);
}

static void save_frames(const struct watch *watch, unsigned char *at)
{
    const struct watch_frames *frames = &watch->frames;
    size_t n_values = watch->head.n_values;
    for (size_t i = 0; i < frames->n; i++) {
        at = save_put(at, (uint64_t)frames->ts_ns[i], 8);
        at = save_put(at, frames->resets[i], 4);
        for (size_t j = 0; j < n_values; j++) {
            uint32_t bits;
            memcpy(&bits, &frames->values[i * n_values + j], sizeof bits);
            at = save_put(at, bits, 4);
        }
    }
}

/* n_frames of them, each into the detector too. */
static void save_get_frames(struct watch *watch, const unsigned char *at, size_t n_frames)
{
    struct watch_frames *frames = &watch->frames;
    size_t n_values = watch->head.n_values;
    for (size_t i = 0; i < n_frames; i++) {
        uint64_t ts_ns, reset, word;
        float *values = frames->values + i * n_values;
        at = save_get(save_get(at, 8, &ts_ns), 4, &reset);
        for (size_t j = 0; j < n_values; j++) {
            at = save_get(at, 4, &word);
            uint32_t bits = (uint32_t)word;
            memcpy(&values[j], &bits, sizeof bits);
        }
        if (reset != 0)
            celltap_detector_resume(watch->detector);
        detector_hold(watch->detector, values);
        detector_scale(watch->detector, values);
        frames->ts_ns[i] = (int64_t)ts_ns;
        frames->resets[i] = reset != 0;
    }
    frames->n = n_frames;
}

static int save_load_frames(struct watch *watch, const unsigned char *bytes, size_t n_bytes,
                            bool reset_next)
{
    struct watch_frames none = {0}, frames;
    size_t n = n_bytes / save_frame_bytes(&watch->head);
    if (n_bytes % save_frame_bytes(&watch->head) != 0 || n > watch->detector->options.warmup)
        return CELLTAP_ESTATE;
    int err = watch_frames_copy(&none, watch->head.n_values, n, &frames);
    if (err < 0)
        return err;
    watch_frames_done(&watch->frames);
    watch->frames = frames;
    watch_begin(watch);
    save_get_frames(watch, bytes, n);
    watch->reset_next = reset_next;
    if (reset_next)
        celltap_detector_resume(watch->detector);
    return 0;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static size_t save_payload_bytes(const struct watch *watch)
{
    return watch->is_learnt ? celltap_detector_save_bytes(watch->detector)
                            : watch->frames.n * save_frame_bytes(&watch->head);
}

size_t watch_save_bytes(const struct stream_watch *head)
{
    return SAVE_HEAD_BYTES + save_payload_bytes((const struct watch *)head);
}

void watch_save(const struct stream_watch *head, unsigned char *ret_bytes)
{
    const struct watch *watch = (const struct watch *)head;
    uint64_t flags =
        (watch->is_learnt ? SAVE_LEARNT : 0) | (watch->reset_next ? SAVE_RESET_NEXT : 0);
    unsigned char *at = save_put(ret_bytes, watch_hash(watch->detector), 8);
    at = save_put(save_put(at, flags, 8), save_payload_bytes(watch), 8);
    if (watch->is_learnt)
        celltap_detector_save(watch->detector, at);
    else
        save_frames(watch, at);
}

int watch_load(struct stream_watch *head, const unsigned char *bytes, size_t n_bytes)
{
    struct watch *watch = (struct watch *)head;
    uint64_t hash, flags, n_payload;
    if (n_bytes < SAVE_HEAD_BYTES)
        return CELLTAP_ESTATE;
    bytes = save_get(save_get(save_get(bytes, 8, &hash), 8, &flags), 8, &n_payload);
    if (hash != watch_hash(watch->detector) || n_payload != n_bytes - SAVE_HEAD_BYTES ||
        (flags & ~(uint64_t)(SAVE_LEARNT | SAVE_RESET_NEXT)) != 0)
        return CELLTAP_ESTATE;
    if (!(flags & SAVE_LEARNT))
        return save_load_frames(watch, bytes, n_payload, (flags & SAVE_RESET_NEXT) != 0);
    int err = detector_load_learnt(watch->detector, bytes, n_payload, NULL);
    if (err < 0)
        return err;
    watch_learnt(watch);
    watch->reset_next = false;
    head->score = (struct celltap_score){0};
    return 0;
}
