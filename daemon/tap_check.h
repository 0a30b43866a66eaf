/* tap_check.h - globs of taps that select nothing, which are typing errors more often than not.
 *
 *     taps x models --tap_check--> a line for each that no layer, or no tensor, answers to */
#ifndef DAEMON_TAP_CHECK_H
#define DAEMON_TAP_CHECK_H

#include "daemon/conf.h"
#include "daemon/serving.h"

/* warn(arg, text) for each glob of `layers` that selects nothing of any of the configuration's
 * models, loaded in servings [conf->n_models], and for `tensors` if none of them does:
 * "FILE:LINE:1: tap NAME: what; what there is". */
void tap_check(const struct conf *conf, struct serving *const *servings,
               void (*warn)(void *arg, const char *text), void *arg);

/* The same of one tap that is not of the configuration: "what; what there is". */
void tap_check_one(const struct conf_tap *tap, struct serving *const *servings, size_t n_servings,
                   void (*warn)(void *arg, const char *text), void *arg);

/* All of the configuration's, as warnings in the log. */
void tap_check_log(const struct conf *conf, struct serving *const *servings);

#endif
