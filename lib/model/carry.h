/* carry.h - states that the graph takes in and gives out: what the model's metadata says of them. */
#ifndef LIB_MODEL_CARRY_H
#define LIB_MODEL_CARRY_H

#include "lib/model/graph.h"

#define CARRY_KEY "celltap.states" /* in ModelProto.metadata_props */

/* Reads "h=h_out c=c_out" (input=output; blanks or commas between) into graph->carries; text NULL:
 * none.  CELLTAP_EMODEL: a name that the graph does not have, or has twice; CELLTAP_ENOMEM. */
int carry_find(struct load *load, const char *text, struct graph *graph);

#endif
