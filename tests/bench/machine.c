/* machine.c - prints what one core of this machine can do at most, as one JSON object.
 *
 *     fma       from registers: 12 chains, so that the latency is hidden           GFLOP/s
 *     l1 .. dram   a fma with each vector loaded, from a buffer of that level      GB/s
 *
 * Built for the machine it runs on (-march=native).  Quietest blocks. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/bench/clock.h"

#define MACHINE_CHAINS  12
#define MACHINE_ROUNDS  4096
#define MACHINE_LANES   8
#define MACHINE_BUFFERS 8
#define MACHINE_SMALL   ((size_t)1 << 20)

typedef float v8 __attribute__((vector_size(32)));

struct machine {
    const v8 *from;
    size_t n; /* vectors, a multiple of the chains */
    v8 sums[MACHINE_CHAINS];
};

/* Keeps the compiler from doing it at compile time, or not at all. */
#define OPAQUE(v) __asm__ volatile("" : "+x"(v))

#define CHAINS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)

static void machine_fma(void *context)
{
    struct machine *machine = context;
    v8 a = machine->sums[0], b = machine->sums[1];
#define BEGIN(i) v8 s##i = machine->sums[i];
    CHAINS(BEGIN)
    for (size_t r = 0; r < MACHINE_ROUNDS; r++) {
#define STEP(i)                                                                                    \
    s##i = a * b + s##i;                                                                           \
    OPAQUE(s##i);
        CHAINS(STEP)
    }
#define END(i) machine->sums[i] = s##i;
    CHAINS(END)
#undef STEP
}

static void machine_load(void *context)
{
    struct machine *machine = context;
    v8 a = machine->sums[0];
    CHAINS(BEGIN)
    for (const v8 *from = machine->from, *end = from + machine->n; from < end;
         from += MACHINE_CHAINS) {
#define STEP(i)                                                                                    \
    s##i = from[i] * a + s##i;                                                                     \
    OPAQUE(s##i);
        CHAINS(STEP)
    }
    CHAINS(END)
}

static double machine_buffer(size_t n_bytes, double seconds, void **ret_memory)
{
    struct machine machine = {0};
    size_t n = n_bytes / sizeof(v8) / MACHINE_CHAINS * MACHINE_CHAINS;
    v8 *memory = aligned_alloc(4096, (n * sizeof(v8) + 4095) / 4096 * 4096);
    if (memory == NULL)
        return 0;
    for (size_t i = 0; i < n; i++)
        memory[i] = (v8){0};
    machine.from = memory;
    machine.n = n;
    struct clock_result result = clock_measure(machine_load, &machine, seconds);
    *ret_memory = memory;
    return (double)(n * sizeof(v8)) / result.quietest_ns;
}

/* Pages compete for the sets of the second cache by where they happen to lie: the best of several
 * buffers, which are held so that each has pages of its own. */
static double machine_bandwidth(size_t n_bytes, double seconds)
{
    void *buffers[MACHINE_BUFFERS] = {NULL};
    size_t n_buffers = n_bytes < MACHINE_SMALL ? MACHINE_BUFFERS : 1;
    double best = 0;
    for (size_t i = 0; i < n_buffers; i++) {
        double one = machine_buffer(n_bytes, seconds / (double)n_buffers, &buffers[i]);
        best = one > best ? one : best;
    }
    for (size_t i = 0; i < n_buffers; i++)
        free(buffers[i]);
    return best;
}

static long machine_size(int name, long otherwise)
{
    long size = sysconf(name);
    return size > 0 ? size : otherwise;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
    long l1 = machine_size(_SC_LEVEL1_DCACHE_SIZE, 32 << 10);
    long l2 = machine_size(_SC_LEVEL2_CACHE_SIZE, 512 << 10);
    long l3 = machine_size(_SC_LEVEL3_CACHE_SIZE, 8 << 20);
    struct machine machine = {0};
    double ns = clock_measure(machine_fma, &machine, seconds).quietest_ns;
    double flops = 2.0 * MACHINE_LANES * MACHINE_CHAINS * MACHINE_ROUNDS / ns;
    printf("{\"fma_gflops\": %.1f, \"levels\": [", flops);
    const struct {
        const char *name;
        long size, buffer;
    } levels[] = {{"l1", l1, l1 / 4 * 3},
                  {"l2", l2, l2 / 4 * 3},
                  {"l3", l3, l3 / 4 < 4 << 20 ? l3 / 4 : 4 << 20},
                  {"dram", 0, 256 << 20}};
    for (size_t i = 0; i < 4; i++)
        printf("%s{\"name\": \"%s\", \"bytes\": %ld, \"gb_s\": %.1f}", i == 0 ? "" : ", ",
               levels[i].name, levels[i].size,
               machine_bandwidth((size_t)levels[i].buffer, seconds));
    printf("]}\n");
    return 0;
}
