/* conf_check.h - what must hold between options, beyond what each row of the table says. */
#ifndef DAEMON_CONF_CHECK_H
#define DAEMON_CONF_CHECK_H

#include "daemon/conf.h"
#include "daemon/conf_read.h"

/* Names of models, of taps and of a model's channels are unique; float16 is a matter of bin. */
void conf_check(struct conf_read *read, struct conf *conf);

#endif
