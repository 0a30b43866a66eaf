/* kernel_body.h - the one body of all kernels.
 *
 *     vocabulary (kernel_plain.c, kernel_avx2.c, kernel_neon.c)
 *         types  vf 8 floats, vi 8 integers, vm 8 masks
 *         words  vf_load store load4 lane set1 add sub mul div fma sqrt min max abs copysign
 *                vf_pairs, vf_load_parts store_parts
 *                vf_lt vf_not_lt vf_eq -> vm;  vf_select vf_keep <- vm
 *                vi_set1 add sub and or xor shl sar;  vi_bits, vf_bits: the same bits as the other
 *     body       functions -> sums -> lstm, rows (dense), rnn, gru, reductions -> table
 *
 * Included once by each vocabulary, which has defined VOCABULARY_NAME, VOCABULARY_TABLE and
 * VOCABULARY_ROUNDS (how many of a loop over k are unrolled).  A wider instruction set is one more
 * vocabulary of 8 lanes. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/kernel/kernel.h"

#define INLINE static inline __attribute__((always_inline, unused))

#include "lib/kernel/kernel_functions.h"
#include "lib/kernel/kernel_sums.h"

#include "lib/kernel/kernel_lstm.h"
#include "lib/kernel/kernel_rows.h"

#include "lib/kernel/kernel_gru.h"
#include "lib/kernel/kernel_reduce.h"
#include "lib/kernel/kernel_rnn.h"
#include "lib/kernel/kernel_whiten.h"

extern const struct kernel VOCABULARY_TABLE;
const struct kernel VOCABULARY_TABLE = {
    .name = VOCABULARY_NAME,
    .lstm = lstm_step,
    .gru = gru_step,
    .rnn = rnn_step,
    .dense = dense_step,
    .unary = {KERNEL_FUNCTIONS(UNARY_ENTRY)},
    .binary = {KERNEL_OPERATORS(BINARY_ENTRY)},
    .reduce =
        {
            [KERNEL_SUM] = reduce_sum,
            [KERNEL_MEAN] = reduce_mean,
            [KERNEL_REDUCE_MAX] = reduce_max,
            [KERNEL_REDUCE_MIN] = reduce_min,
            [KERNEL_SOFTMAX] = reduce_softmax,
            [KERNEL_LOG_SOFTMAX] = reduce_log_softmax,
        },
    .norm = norm_step,
    .whiten = whiten_step,
};
