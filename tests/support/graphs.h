/* graphs.h - the small ONNX graphs of tests/unit/data, loaded and stepped. */
#ifndef TESTS_SUPPORT_GRAPHS_H
#define TESTS_SUPPORT_GRAPHS_H

#include "lib/celltap.h"

/* The file's bytes, to be freed; ends the program when it cannot be read. */
unsigned char *graphs_bytes(const char *name, size_t *ret_n_bytes);

/* Loads tests/unit/data/NAME.onnx. */
int graphs_load(const char *name, celltap_model **ret_model, struct celltap_diagnosis *reterr);

/* The layers between "@input" and "@output" as "name:kind name:kind"; text of at least 512. */
char *graphs_layers(const celltap_model *model, char *text);

/* Steps a fresh stream n_steps times with the values 1, 2, 3, ..; the numbers of the first output
 * tensor after the last step as "1 2.5 3"; text of at least 512. */
char *graphs_run(celltap_model *model, size_t n_steps, char *text);

#endif
