/* model_check.h - what the library remarks of models that can serve. */
#ifndef DAEMON_MODEL_CHECK_H
#define DAEMON_MODEL_CHECK_H

#include "daemon/conf.h"
#include "daemon/serving.h"

/* warn(arg, text) for each remark of the configuration's models, loaded in servings
 * [conf->n_models]: "FILE:LINE:1: model NAME: what". */
void model_check(const struct conf *conf, struct serving *const *servings,
                 void (*warn)(void *arg, const char *text), void *arg);

/* The same, as warnings in the log. */
void model_check_log(const struct conf *conf, struct serving *const *servings);

#endif
