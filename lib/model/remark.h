/* remark.h - what a user may want to know of a model that loads. */
#ifndef LIB_MODEL_REMARK_H
#define LIB_MODEL_REMARK_H

#include "lib/model/lower.h"
#include "lib/model/model.h"

/* Fills model->remarks from the attempt that it was made by.  CELLTAP_ENOMEM. */
int remark_model(struct lower *lower, struct celltap_model *model);

#endif
