/* status.h - a reply to `status` as a page for people. */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include <stdio.h>

#include "cli/control.h"

void status_print(FILE *file, const struct control_reply *reply);

#endif
