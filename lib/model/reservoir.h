/* reservoir.h - the built-in model: is this it? */
#ifndef LIB_MODEL_RESERVOIR_H
#define LIB_MODEL_RESERVOIR_H

#include <stdbool.h>

#include "lib/celltap.h"

/* True for what celltap_model_reservoir makes, from memory or from its file. */
bool reservoir_is(const celltap_model *model);

#endif
