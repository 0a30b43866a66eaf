/* shapes.c - cells of random kinds, shapes and attributes, and a hash of what they compute. */
#include "tests/support/shapes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/rig.h"

#define SHAPES_N_STEPS 3
#define SHAPES_N_PARTS 6

/* Random parts of a cell, freed together. */
struct shapes_parts {
    uint64_t seed;
    float *floats[SHAPES_N_PARTS];
    size_t n;
};

static float *shapes_part(struct shapes_parts *parts, size_t n, float range)
{
    return parts->floats[parts->n++] = rig_floats(&parts->seed, n, range);
}

static size_t shapes_size(struct shapes_parts *parts)
{
    uint64_t r = rig_random(&parts->seed);
    return r % 8 == 0 ? 33 + r / 8 % 150 : 1 + r / 8 % 40;
}

static bool shapes_coin(struct shapes_parts *parts)
{
    return rig_random(&parts->seed) % 2 == 0;
}

/* Mostly the usual one. */
static struct cell_activation shapes_activation(struct shapes_parts *parts,
                                                enum cell_function usual)
{
    uint64_t r = rig_random(&parts->seed);
    enum cell_function function = r % 4 != 0 ? usual : (enum cell_function)(r / 4 % CELL_IDENTITY);
    return (struct cell_activation){function, 0.4f, 0.3f};
}

static float shapes_clip(struct shapes_parts *parts)
{
    return rig_random(&parts->seed) % 4 == 0 ? 0.5f : INFINITY;
}

static int shapes_lstm(struct shapes_parts *parts, struct cell **ret_cell)
{
    size_t X = shapes_size(parts), H = shapes_size(parts);
    float range = 2 / sqrtf((float)(X + H));
    struct lstm_spec spec = {
        .n_inputs = X,
        .n_units = H,
        .W = shapes_part(parts, 4 * H * X, range),
        .R = shapes_part(parts, 4 * H * H, range),
        .B = shapes_coin(parts) ? shapes_part(parts, 8 * H, 1) : NULL,
        .P = shapes_size(parts) % 4 == 0 ? shapes_part(parts, 3 * H, 1) : NULL,
        .h0 = shapes_coin(parts) ? shapes_part(parts, H, 1) : NULL,
        .c0 = shapes_coin(parts) ? shapes_part(parts, H, 1) : NULL,
        .f = shapes_activation(parts, CELL_SIGMOID),
        .g = shapes_activation(parts, CELL_TANH),
        .h = shapes_activation(parts, CELL_TANH),
        .clip = shapes_clip(parts),
        .input_forget = shapes_size(parts) % 4 == 0,
    };
    return lstm_new(&spec, ret_cell);
}

static int shapes_gru(struct shapes_parts *parts, struct cell **ret_cell)
{
    size_t X = shapes_size(parts), H = shapes_size(parts);
    float range = 2 / sqrtf((float)(X + H));
    struct gru_spec spec = {
        .n_inputs = X,
        .n_units = H,
        .W = shapes_part(parts, 3 * H * X, range),
        .R = shapes_part(parts, 3 * H * H, range),
        .B = shapes_coin(parts) ? shapes_part(parts, 6 * H, 1) : NULL,
        .h0 = shapes_coin(parts) ? shapes_part(parts, H, 1) : NULL,
        .f = shapes_activation(parts, CELL_SIGMOID),
        .g = shapes_activation(parts, CELL_TANH),
        .clip = shapes_clip(parts),
        .linear_before_reset = shapes_coin(parts),
    };
    return gru_new(&spec, ret_cell);
}

static int shapes_rnn(struct shapes_parts *parts, struct cell **ret_cell)
{
    size_t X = shapes_size(parts), H = shapes_size(parts);
    float range = 2 / sqrtf((float)(X + H));
    struct rnn_spec spec = {
        .n_inputs = X,
        .n_units = H,
        .W = shapes_part(parts, H * X, range),
        .R = shapes_part(parts, H * H, range),
        .B = shapes_coin(parts) ? shapes_part(parts, 2 * H, 1) : NULL,
        .h0 = shapes_coin(parts) ? shapes_part(parts, H, 1) : NULL,
        .f = shapes_activation(parts, CELL_TANH),
        .clip = shapes_clip(parts),
    };
    return rnn_new(&spec, ret_cell);
}

static int shapes_dense(struct shapes_parts *parts, struct cell **ret_cell)
{
    size_t X = shapes_size(parts), Y = shapes_size(parts);
    struct dense_spec spec = {
        .n_inputs = X,
        .n_outputs = Y,
        .n_rows = shapes_size(parts) % 4 == 0 ? 3 : 1,
        .W = shapes_part(parts, X * Y, 1 / sqrtf((float)X)),
        .row_stride = X,
        .column_stride = 1,
        .scale = 1,
        .b = shapes_coin(parts) ? shapes_part(parts, Y, 1) : NULL,
    };
    return dense_new(&spec, ret_cell);
}

static int shapes_reduce(struct shapes_parts *parts, struct cell **ret_cell)
{
    enum cell_reduction reduction =
        (enum cell_reduction)(rig_random(&parts->seed) % (CELL_LOG_SOFTMAX + 1));
    size_t outer = 1 + rig_random(&parts->seed) % 3, n = shapes_size(parts);
    return reduce_new(reduction, outer, n, 1 + rig_random(&parts->seed) % 2, ret_cell);
}

static int shapes_norm(struct shapes_parts *parts, struct cell **ret_cell)
{
    size_t n = shapes_size(parts);
    const float *scale = shapes_coin(parts) ? shapes_part(parts, n, 1) : NULL;
    return norm_new(1 + rig_random(&parts->seed) % 3, n, 1e-5f, scale, scale, ret_cell);
}

static int shapes_binary(struct shapes_parts *parts, struct cell **ret_cell)
{
    size_t n = shapes_size(parts);
    enum cell_operator operator=(enum cell_operator)(rig_random(&parts->seed) % CELL_N_OPERATORS);
    return binary_new(n, operator, NULL, shapes_coin(parts) ? shapes_part(parts, n, 2) : NULL,
                      ret_cell);
}

static int (*const shapes_kinds[])(struct shapes_parts *, struct cell **) = {
    shapes_lstm, shapes_gru,   shapes_lstm,  shapes_rnn,    shapes_lstm, shapes_gru,
    shapes_rnn,  shapes_dense, shapes_dense, shapes_reduce, shapes_norm, shapes_binary,
};

struct cell *shapes_cell(uint64_t seed)
{
    struct shapes_parts parts = {.seed = seed * 7919};
    struct cell *cell = NULL;
    size_t n_kinds = sizeof shapes_kinds / sizeof shapes_kinds[0];
    if (shapes_kinds[seed % n_kinds](&parts, &cell) != 0) {
        fprintf(stderr, "shapes: seed %llu was refused\n", (unsigned long long)seed);
        exit(1);
    }
    for (size_t i = 0; i < parts.n; i++)
        free(parts.floats[i]);
    return cell;
}

void shapes_hashes(uint64_t seed, size_t n_columns, uint64_t *hashes)
{
    struct rig rig;
    rig_init(&rig, shapes_cell(seed), n_columns);
    for (size_t c = 0; c < n_columns; c++)
        hashes[c] = seed;
    for (uint64_t step = 0; step < SHAPES_N_STEPS; step++) {
        rig_inputs(&rig, seed + step, 2);
        cell_step(rig.cell, &rig.columns);
        for (size_t c = 0; c < n_columns; c++)
            hashes[c] = rig_hash(&rig, c, hashes[c]);
    }
    rig_done(&rig);
}
