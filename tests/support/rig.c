/* rig.c - one cell with a panel and streams of its own. */
#include "tests/support/rig.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RIG_ALIGN 64

static void *rig_memory(size_t n_floats)
{
    void *memory = aligned_alloc(RIG_ALIGN, cell_padded(n_floats + 1) * sizeof(float));
    if (memory == NULL) {
        fprintf(stderr, "rig: out of memory\n");
        exit(1);
    }
    return memory;
}

void rig_init(struct rig *rig, struct cell *cell, size_t n_columns)
{
    size_t at = CELL_PAD;
    for (size_t i = 0; i < cell->n_inputs; i++) {
        cell->in_at[i] = at;
        at += cell_padded(cell->in_sizes[i]);
    }
    cell->out_at = at;
    for (size_t i = 0; i < cell->n_outputs; i++)
        at += cell_padded(cell->out_sizes[i]);
    size_t stride = at + CELL_PAD;
    cell->state_at = CELL_PAD;
    rig->cell = cell;
    rig->memory = rig_memory(stride * n_columns);
    for (size_t i = 0; i < stride * n_columns; i++)
        rig->memory[i] = NAN;
    rig->states = rig_memory((cell->n_states + CELL_PAD) * n_columns);
    rig->states_of = malloc((n_columns + 1) * sizeof *rig->states_of);
    for (size_t c = 0; c < n_columns; c++)
        rig->states_of[c] = rig->states + c * (cell->n_states + CELL_PAD);
    rig->columns = (struct kernel_panel){.n_columns = n_columns,
                                         .activations = rig->memory,
                                         .stride = stride,
                                         .states = rig->states_of};
    rig_reset(rig);
}

void rig_done(struct rig *rig)
{
    cell_free(rig->cell);
    free(rig->memory);
    free(rig->states);
    free(rig->states_of);
}

void rig_reset(struct rig *rig)
{
    const struct cell *cell = rig->cell;
    for (size_t c = 0; c < rig->columns.n_columns; c++)
        for (size_t i = 0; i < cell->n_states; i++)
            rig->states_of[c][cell->state_at + i] = cell->initial == NULL ? 0 : cell->initial[i];
}

void rig_inputs(struct rig *rig, uint64_t seed, float range)
{
    for (size_t c = 0; c < rig->columns.n_columns; c++) {
        uint64_t state = seed * 1000003 + c;
        for (size_t i = 0; i < rig->cell->n_inputs; i++)
            for (size_t j = 0; j < rig->cell->in_sizes[i]; j++)
                rig_in(rig, c, i)[j] = rig_uniform(&state, -range, range);
    }
}

float *rig_in(const struct rig *rig, size_t column_ix, size_t input_ix)
{
    return rig->columns.activations + column_ix * rig->columns.stride + rig->cell->in_at[input_ix];
}

float *rig_out(const struct rig *rig, size_t column_ix, size_t output_ix)
{
    const struct cell *cell = rig->cell;
    size_t at = cell->out_at + output_ix * cell_padded(cell->out_sizes[0]);
    return rig->columns.activations + column_ix * rig->columns.stride + at;
}

/* splitmix64 (Steele, Lea, Flood 2014). */
uint64_t rig_random(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

float rig_uniform(uint64_t *seed, float low, float high)
{
    return low + (high - low) * ((float)(rig_random(seed) >> 40) * 0x1p-24f);
}

float *rig_floats(uint64_t *seed, size_t n, float range)
{
    float *floats = rig_memory(n);
    for (size_t i = 0; i < n; i++)
        floats[i] = rig_uniform(seed, -range, range);
    return floats;
}

/* FNV-1a over words. */
static uint64_t rig_hash_floats(const float *floats, size_t n, uint64_t hash)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &floats[i], sizeof bits);
        hash = (hash ^ bits) * 0x100000001b3;
    }
    return hash;
}

uint64_t rig_hash(const struct rig *rig, size_t column_ix, uint64_t hash)
{
    const struct cell *cell = rig->cell;
    for (size_t i = 0; i < cell->n_outputs; i++)
        hash = rig_hash_floats(rig_out(rig, column_ix, i), cell->out_sizes[i], hash);
    return rig_hash_floats(rig->states_of[column_ix] + cell->state_at, cell->n_states, hash);
}
