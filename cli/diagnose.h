/* diagnose.h - a model from a file, or one line that says why not. */
#ifndef CLI_DIAGNOSE_H
#define CLI_DIAGNOSE_H

#include "lib/celltap.h"

/* 0 with one reference, or -1 with what was wrong in *reterr (its text is never empty). */
int diagnose_load(const char *path, celltap_model **ret_model, struct celltap_diagnosis *reterr);

/* Prints a diagnosis to stderr. */
void diagnose_say(const char *path, const struct celltap_diagnosis *why);

#endif
