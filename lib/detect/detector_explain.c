/* detector_explain.c - which channels and which units make a timestep unusual.
 *
 *     channels   out of range:   by how far beyond it, in ranges
 *                else forecasts: d_i (C^-1 d)_i, a channel's part of the squared distance d' C^-1 d
 *                else:           squared standard deviations from the mean
 *     units      |y_i| of the whitened states y = L^-1 (u - mean)
 *
 * Worked out when somebody asks, from what the timestep left behind. */
#include <math.h>
#include <string.h>

#include "lib/detect/detector.h"
#include "lib/model/model.h"
#include "lib/stream/stream.h"

/* ---- channels ----------------------------------------------------------------------------- */

/* A channel's part of the error view's squared distance, over all horizons: e_i times the i-th
 * element of L^-T L^-1 e. */
static double explain_error(const struct celltap_detector *detector, size_t channel_ix)
{
    const struct view *view = &detector->views[CELLTAP_VIEW_ERROR];
    double part = 0;
    for (size_t i = channel_ix; i < view->d; i += detector->n_channels) {
        double sum = 0;
        for (size_t k = i; k < view->d; k++) {
            double y = 0;
            for (size_t j = 0; j <= k; j++)
                y += (double)*view_at(view, k, j) * (double)detector->u[j];
            sum += (double)*view_at(view, k, i) * y;
        }
        part += (double)detector->u[i] * sum;
    }
    return part;
}

static bool explain_is_beyond(const struct celltap_detector *detector)
{
    for (size_t i = 0; i < detector->n_channels; i++)
        if (detector->channels[i].range.excess > 0)
            return true;
    return false;
}

/* What a channel contributes, in the terms of what was unusual. */
static double explain_weight(const struct celltap_detector *detector, size_t channel_ix,
                             bool is_beyond, float value)
{
    double v = detector_standard(detector, channel_ix, value), weight;
    if (is_beyond)
        return detector->channels[channel_ix].range.excess;
    if (detector->views[CELLTAP_VIEW_ERROR].d > 0)
        weight = explain_error(detector, channel_ix);
    else
        weight = v * v;
    return weight > 0 ? weight : 0;
}

/* What the value should have been: the mean, or what was forecast with the shortest horizon. */
static double explain_expected(const struct celltap_detector *detector, size_t channel_ix,
                               float value)
{
    const struct detector_channel *channel = &detector->channels[channel_ix];
    bool scaled = detector->options.scale != CELLTAP_SCALE_NONE;
    if (detector->views[CELLTAP_VIEW_ERROR].d > 0 && isfinite(detector->errors[channel_ix]))
        return (double)value -
               (double)detector->errors[channel_ix] * (scaled ? channel->deviation : 1);
    return channel->mean;
}

/* Puts a share into a list that is sorted by size and keeps n_max. */
static size_t explain_put_channel(struct celltap_channel_share *shares, size_t n, size_t n_max,
                                  const struct celltap_channel_share *share)
{
    size_t at = n;
    while (at > 0 && shares[at - 1].share < share->share)
        at--;
    if (at == n_max)
        return n;
    n = n < n_max ? n + 1 : n;
    memmove(shares + at + 1, shares + at, (n - 1 - at) * sizeof *shares);
    shares[at] = *share;
    return n;
}

size_t celltap_detector_channels(celltap_detector *detector, const float *values,
                                 struct celltap_channel_share *ret_shares, size_t n_max)
{
    const struct view *view = &detector->views[CELLTAP_VIEW_ERROR];
    bool is_beyond = explain_is_beyond(detector);
    size_t n = 0;
    double total = 0;
    if (detector->phase != CELLTAP_PHASE_SCORE)
        return 0;
    if (view->d > 0 && !is_beyond) {
        detector_centre(detector, CELLTAP_VIEW_ERROR, NULL);
    }
    for (size_t i = 0; i < detector->n_channels; i++) {
        if (!isfinite(values[i]))
            continue;
        struct celltap_channel_share share = {
            .channel_ix = i,
            .value = (double)values[i],
            .expected = explain_expected(detector, i, values[i]),
            .share = explain_weight(detector, i, is_beyond, values[i]),
        };
        total += share.share;
        n = explain_put_channel(ret_shares, n, n_max, &share);
    }
    for (size_t i = 0; i < n; i++)
        ret_shares[i].share = total > 0 ? ret_shares[i].share / total : 0;
    return n;
}

/* ---- units -------------------------------------------------------------------------------- */

static size_t explain_put_unit(struct celltap_unit_share *shares, size_t n, size_t n_max,
                               const struct celltap_unit_share *share)
{
    size_t at = n;
    while (at > 0 && fabs(shares[at - 1].deviation) < fabs(share->deviation))
        at--;
    if (at == n_max)
        return n;
    n = n < n_max ? n + 1 : n;
    memmove(shares + at + 1, shares + at, (n - 1 - at) * sizeof *shares);
    shares[at] = *share;
    return n;
}

/* The i-th whitened state. */
static double explain_whitened(const struct view *view, const float *u, size_t i)
{
    double y = 0;
    for (size_t j = 0; j <= i; j++)
        y += (double)*view_at(view, i, j) * (double)u[j];
    return isfinite(y) ? y : 0;
}

size_t celltap_detector_units(celltap_detector *detector, const celltap_panel *panel,
                              size_t column_ix, struct celltap_unit_share *ret_shares, size_t n_max)
{
    const struct view *view = &detector->views[CELLTAP_VIEW_STATE];
    const float *column = panel_column(panel, detector->model, column_ix);
    size_t n = 0, i = 0;
    if (detector->phase != CELLTAP_PHASE_SCORE || view->d == 0 || column == NULL)
        return 0;
    detector_centre(detector, CELLTAP_VIEW_STATE, column);
    for (size_t k = 0; k < detector->n_taps; k++)
        for (size_t unit = 0; unit < detector->taps[k].n; unit++, i++) {
            struct celltap_unit_share share = {
                .layer_ix = detector->taps[k].layer_ix,
                .tensor_ix = detector->taps[k].tensor_ix,
                .unit_ix = unit,
                .deviation = explain_whitened(view, detector->u, i),
            };
            n = explain_put_unit(ret_shares, n, n_max, &share);
        }
    return n;
}
