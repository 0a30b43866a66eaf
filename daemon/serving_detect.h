/* serving_detect.h - what a model's detectors are made of, and whether they can be. */
#ifndef DAEMON_SERVING_DETECT_H
#define DAEMON_SERVING_DETECT_H

#include "daemon/serving.h"

/* Fills detector, n_channels and statistics of a serving whose model is loaded.  -1: reterr says why
 * it cannot be watched as the configuration asks. */
int serving_detect_make(struct serving *serving, char *reterr, size_t reterr_bytes);
void serving_detect_done(struct serving *serving);

#endif
