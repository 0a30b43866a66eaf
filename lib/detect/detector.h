/* detector.h - the inside of a detector.
 *
 *     | celltap_detector | taps | horizons | channels | rings | mean, whiten of each view | u |
 *     | warm: scatter and scratch of each view, histograms |   only until the warm-up is over
 *
 * Each line is one allocation. */
#ifndef LIB_DETECT_DETECTOR_H
#define LIB_DETECT_DETECTOR_H

#include "lib/celltap.h"
#include "lib/detect/range.h"
#include "lib/detect/view.h"

#define DETECTOR_SKIP         20   /* timesteps from a fresh state, of which nothing is learnt */
#define DETECTOR_LEVELS       1024 /* bins for the quantile of s, over log1p(s) */
#define DETECTOR_CLIP         6.0  /* standard deviations, of what the network gets */
#define DETECTOR_CLOCK_INPUTS 2
#define DETECTOR_HORIZONS_MAX 64

/* A tensor of states, and where it is in a panel's column. */
struct detector_tap {
    size_t layer_ix, tensor_ix, n, at;
    size_t n_run; /* numbers of this and of those that lie right behind it; 0: it is one of them */
};

struct detector_channel {
    double mean, deviation; /* while they are learnt: the sum of squares */
    struct range range;
    float n;    /* values the mean is of: at most 10^7, which are exact */
    float last; /* NaN: none yet */
};

struct detector_warm {
    struct view_warm views[CELLTAP_N_VIEWS];
    uint32_t levels[CELLTAP_N_VIEWS][DETECTOR_LEVELS], n_levels;
};

struct celltap_detector {
    struct celltap_model *model; /* ref */
    struct celltap_detector_options options;
    size_t n_channels, n_taps;
    const struct detector_tap *taps;   /* [n_taps] */
    size_t forecast_ix;                /* of @output's tensors */
    size_t *horizons;                  /* [options.n_horizons] */
    struct detector_channel *channels; /* [n_channels] */
    float *rings;   /* forecasts still to come true: [horizons[0]][n_channels], [horizons[1]].. */
    size_t n_rings; /* floats */
    float *errors;  /* [n_horizons][n_channels]: now, standardised; NaN: unknown */
    struct view views[CELLTAP_N_VIEWS];
    float *u; /* scratch, as long as the longest view */
    enum celltap_phase phase;
    uint64_t t;       /* timesteps of this phase */
    uint64_t n_quiet; /* timesteps from now of which nothing is learnt and that have no score */
    double memory;    /* of the refractory rule */
    double fade;      /* of the memory, in a timestep */
    bool is_alarm;
    size_t n_bytes;             /* of this allocation */
    size_t n_warm_bytes;        /* of the other, when it is there */
    struct detector_warm *warm; /* owned; NULL: learnt */
};

/* A new phase begins, or the stream was reset: what is remembered of the moment is forgotten. */
void detector_forget_moment(struct celltap_detector *detector);

/* celltap_detector_new, with the memory of a warm-up or (lazy) without: then only phase scale, by
 * detector_scale, is possible. */
int detector_new(celltap_model *model, const struct celltap_detector_options *options, bool lazy,
                 celltap_detector **ret_detector, struct celltap_diagnosis *reterr);

/* All over again. */
void detector_begin(struct celltap_detector *detector);

/* celltap_detector_tune, of options that are in range. */
void detector_judge_by(struct celltap_detector *detector,
                       const struct celltap_detector_options *options);

/* A frame of phase scale, for which no network is needed; and the end of that phase. */
void detector_scale(struct celltap_detector *detector, const float *values);
void detector_scale_end(struct celltap_detector *detector);

/* What of a frame stands in for values that are missing later. */
void detector_hold(struct celltap_detector *detector, const float *values);

/* Takes the memory of a warm-up.  NULL: out of memory. */
struct detector_warm *detector_warm_new(const struct celltap_detector *detector);

/* celltap_detector_load, only of one that has learnt: without memory.  reterr: why not; or NULL. */
int detector_load_learnt(struct celltap_detector *detector, const void *bytes, size_t n_bytes,
                         struct celltap_diagnosis *reterr);

/* The d numbers of a view at this timestep into u.  column: of no use to the error view. */
void detector_gather(struct celltap_detector *detector, size_t view, const float *column);

/* The same minus their means, missing ones 0, as view_squares wants them. */
void detector_centre(struct celltap_detector *detector, enum celltap_view view,
                     const float *column);

/* A value in standard deviations from its mean; NaN: missing. */
double detector_standard(const struct celltap_detector *detector, size_t channel_ix, float value);

#endif
