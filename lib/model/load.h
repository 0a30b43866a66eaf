/* load.h - what one attempt to load a model may use, and how it says why it failed.
 *
 * Memory comes from an arena with a budget, so that a small file that claims huge tensors is
 * refused instead of served.  A failing function fills the diagnosis once and passes its code up.
 */
#ifndef LIB_MODEL_LOAD_H
#define LIB_MODEL_LOAD_H

#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/celltap.h"

struct load {
    struct arena arena;               /* owned: everything of this attempt */
    size_t budget_bytes;              /* what may still be taken */
    const char *node;                 /* borrowed: node at work; NULL: none */
    struct celltap_diagnosis *reterr; /* borrowed */
};

/* An empty attempt that may take budget_bytes. */
void load_init(struct load *load, size_t budget_bytes, struct celltap_diagnosis *reterr);
void load_done(struct load *load);

/* Zeroed memory from the budget.  0; CELLTAP_ENOMEM; CELLTAP_EREFUSED when the budget is spent. */
int load_take(struct load *load, size_t n_items, size_t item_bytes, void *ret_memory);

/* Makes text a line that a terminal and a log can show: names in a file may hold anything. */
void load_printable(char *text);

/* Fill the diagnosis with the node at work and a line, and return the code:
 * CELLTAP_EREFUSED (cannot stream), CELLTAP_EMODEL (not ONNX), CELLTAP_EFILE, CELLTAP_ENOMEM. */
int load_refuse(struct load *load, const char *format, ...) __attribute__((format(printf, 2, 3)));
int load_invalid(struct load *load, const char *format, ...) __attribute__((format(printf, 2, 3)));
int load_unreadable(struct load *load, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int load_no_memory(struct load *load);

#endif
