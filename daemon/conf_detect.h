/* conf_detect.h - what must hold between a model's options for its detector. */
#ifndef DAEMON_CONF_DETECT_H
#define DAEMON_CONF_DETECT_H

#include "daemon/conf.h"
#include "daemon/conf_read.h"

/* Turns times into timesteps, decides which models are watched, and reports what does not fit
 * together.  What only the model's file can tell is found when it is loaded. */
void conf_detect_check(struct conf_read *read, struct conf *conf);

#endif
