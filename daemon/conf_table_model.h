/* conf_table_model.h - every option of a model: its part of the table. */
#ifndef DAEMON_CONF_TABLE_MODEL_H
#define DAEMON_CONF_TABLE_MODEL_H

#include "daemon/conf_table.h"

extern const struct conf_section conf_table_model;

#endif
