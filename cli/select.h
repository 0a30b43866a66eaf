/* select.h - which tensors of a model are meant by globs of layers and of tensors.
 *
 *     --layers 'lstm*,fc'  --tensors output,c   -->   tensors[n] in the model's order
 *
 * The rule is a tap's: the tensor `output` also means all tensors of the layer @output. */
#ifndef CLI_SELECT_H
#define CLI_SELECT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/celltap.h"

#define SELECT_ERROR_MAX 1024 /* bytes */

struct select_tensor {
    size_t layer_ix, tensor_ix;
    const char *layer, *tensor; /* borrowed: the model's, or those that were selected among */
    size_t n_values;
};

/* True if one of the globs (separated by commas) matches; `*` also matches `/`. */
bool select_match(const char *globs, const char *text);

/* *ret_tensors is new, free() it.  NULL globs: all.  A glob that matches nothing is an error that
 * says what there is, in ret_error [SELECT_ERROR_MAX].  0 or -1. */
int select_tensors(const celltap_model *model, const char *layers, const char *tensors,
                   struct select_tensor **ret_tensors, size_t *ret_n, char *ret_error);

/* The same of a list of all tensors there are, layer by layer. */
int select_among(const struct select_tensor *all, size_t n_all, const char *layers,
                 const char *tensors, struct select_tensor **ret_tensors, size_t *ret_n,
                 char *ret_error);

#endif
