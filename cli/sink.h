/* sink.h - tensors of one timestep after the other, into files of npy, csv or jsonl.
 *
 *     npy     DIR/<layer>/<tensor>.npy    float32 [T, n], little-endian, C order
 *     csv     DIR/<layer>/<tensor>.csv    seq,ts,u0,u1,...    ts where the data have a time
 *     jsonl   DIR/activations.jsonl       {"seq", "ts", "layers": {layer: {tensor: [...]}}}
 *
 * Constant memory however many timesteps; nothing is to be seen before sink_commit. */
#ifndef CLI_SINK_H
#define CLI_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/select.h"

#define SINK_FORMATS   "npy|csv|jsonl"
#define SINK_ERROR_MAX 1024 /* bytes */

enum sink_format { SINK_NPY, SINK_CSV, SINK_JSONL };

struct sink;

/* `tensors` [n] stays the caller's and must outlive the sink.  0, or -1 with the reason in
 * ret_error [SINK_ERROR_MAX]. */
int sink_open(const char *directory, enum sink_format format, const struct select_tensor *tensors,
              size_t n, bool has_ts, struct sink **ret_sink, char *ret_error);

/* One timestep: values[i] is tensors[i]'s. */
int sink_put(struct sink *sink, uint64_t seq, int64_t ts_ns, const float *const *values,
             char *ret_error);

int sink_commit(struct sink *sink, char *ret_error);
void sink_close(struct sink *sink); /* what was not committed disappears; NULL is fine */

#endif
