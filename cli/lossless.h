/* lossless.h - a tap's records without holes: what was lost is replayed by the daemon.
 *
 *     tap --lossless_on_tensor--> holes filled first --> on_tensor: in order of seq, each once,
 *     lossless_tick: what was lost at the end          for every layer of every stream
 */
#ifndef CLI_LOSSLESS_H
#define CLI_LOSSLESS_H

#include "cli/tap.h"

struct lossless;

struct lossless_options {
    const char *control; /* as for control_open */
    const struct tap_selection *selection;
    records_on_tensor on_tensor;
    bool (*goes_on)(void *arg); /* asked now and then; false: stop */
    void *arg;                  /* of both */
};

/* To be called when the tap is open: records from then on are given out.  Selection and arg are
 * borrowed.  0, or -1 with the reason in ret_error [CONTROL_ERROR_MAX]. */
int lossless_open(const struct lossless_options *options, struct lossless **ret_lossless,
                  char *ret_error);
void lossless_close(struct lossless *lossless); /* NULL is fine */

/* What tap_take is to be called with, and this as its arg.  False: as on_tensor said, or failed. */
bool lossless_on_tensor(void *lossless, const struct celltap_record_view *record, size_t tensor_ix,
                        const char *name, size_t name_bytes, const float *values, size_t n_values);

/* To be called often, also when nothing comes.  0, or -1 with the reason (as for on_tensor). */
int lossless_tick(struct lossless *lossless, char *ret_error);

/* Timesteps that the journal does not hold any more. */
uint64_t lossless_n_unfilled(const struct lossless *lossless);

#endif
