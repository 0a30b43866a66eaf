/* bits.c - prints hashes of what random cells and all functions compute, to be compared between
 * kernels and architectures.
 *
 *     bits N      N random cells, then every 9973rd float's functions, then the scores of a watched
 *                 network
 *     bits N K    the same, and each K-th cell in panels of all widths from 1 to 64
 *
 * Cell s is stepped in a panel of 1 + s % 64 columns and in a narrower one, whose columns must have
 * the same bits; of 1,000 cells each width gets 15 or 16.  The kernel is CELLTAP_KERNEL's; its name
 * goes to stderr, so that stdout is comparable. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/kernel/kernel.h"
#include "tests/bits/scores.h"
#include "tests/support/shapes.h"

#define BITS_WIDTH  64
#define BITS_STRIDE 9973
#define BITS_CHUNK  4096

/* The first n columns again, in a panel of no more than these. */
static void bits_narrower(uint64_t seed, size_t n, const uint64_t *hashes)
{
    uint64_t part[BITS_WIDTH];
    shapes_hashes(seed, n, part);
    if (memcmp(part, hashes, n * sizeof *part) != 0) {
        fprintf(stderr, "cell %" PRIu64 ": a panel of %zu has other bits\n", seed, n);
        exit(1);
    }
}

static void bits_cells(uint64_t n_cells, uint64_t every)
{
    for (uint64_t seed = 0; seed < n_cells; seed++) {
        uint64_t hashes[BITS_WIDTH], hash = 0;
        size_t width = 1 + seed % BITS_WIDTH;
        shapes_hashes(seed, width, hashes);
        for (size_t c = 0; c < width; c++)
            hash = hash * 31 + hashes[c];
        printf("cell %" PRIu64 " x %zu: %016" PRIx64 "\n", seed, width, hash);
        bits_narrower(seed, 1 + seed / BITS_WIDTH % width, hashes);
        if (every == 0 || seed % every != 0)
            continue;
        shapes_hashes(seed, BITS_WIDTH, hashes);
        for (size_t n = 1; n < BITS_WIDTH; n++)
            bits_narrower(seed, n, hashes);
    }
}

static void bits_function(size_t function)
{
    static _Alignas(64) float x[BITS_CHUNK], y[BITS_CHUNK];
    uint64_t hash = 0;
    for (uint64_t at = 0; at < (uint64_t)1 << 32;) {
        size_t n = 0;
        for (; n < BITS_CHUNK && at < (uint64_t)1 << 32; n++, at += BITS_STRIDE) {
            uint32_t word = (uint32_t)at;
            memcpy(&x[n], &word, sizeof word);
            x[n] = isfinite(x[n]) ? x[n] : 1;
        }
        kernel_pick()->unary[function](x, y, n, 0.75f, 1.25f);
        for (size_t i = 0; i < n; i++) {
            uint32_t word;
            memcpy(&word, &y[i], sizeof word);
            hash = (hash ^ (isnan(y[i]) ? 0x7fc00000 : word)) * 0x100000001b3;
        }
    }
    printf("function %zu: %016" PRIx64 "\n", function, hash);
}

int main(int argc, char **argv)
{
    fprintf(stderr, "kernel: %s\n", kernel_pick()->name);
    bits_cells(argc > 1 ? strtoull(argv[1], NULL, 10) : 200,
               argc > 2 ? strtoull(argv[2], NULL, 10) : 0);
    for (size_t f = 0; f < KERNEL_N_FUNCTIONS; f++)
        bits_function(f);
    scores_print();
    return 0;
}
