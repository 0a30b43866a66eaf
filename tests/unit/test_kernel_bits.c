/* test_kernel_bits.c - a timestep has the same bits in every kernel, alone and at any place of any
 * panel: a thousand random cells.
 *
 * CELLTAP_MANY_SHAPES=n tries n cells instead. */
#include <stdlib.h>

#include "lib/kernel/kernel.h"
#include "tests/support/rig.h"
#include "tests/support/shapes.h"
#include "tests/support/suite.h"

#define N_SHAPES  1000
#define WIDTH_MAX 64

static uint64_t n_shapes(void)
{
    const char *text = getenv("CELLTAP_MANY_SHAPES");
    return text == NULL ? N_SHAPES : strtoull(text, NULL, 10);
}

static const struct kernel *widest(void)
{
    return kernel_find("avx2") != NULL ? kernel_find("avx2") : kernel_find("neon");
}

/* 1 to 9, and now and then up to 64. */
static size_t width(uint64_t seed)
{
    return seed % 16 == 0 ? 1 + seed / 16 % WIDTH_MAX : 1 + seed / 16 % 9;
}

START_TEST(test_bits_when_the_kernel_is_another_then_they_are_the_same)
{
    if (widest() == NULL)
        return; /* this machine has the plain kernel alone */
    for (uint64_t seed = 0; seed < n_shapes(); seed++) {
        uint64_t plain[WIDTH_MAX], wide[WIDTH_MAX];
        size_t n = width(seed);
        kernel_use(kernel_find("plain"));
        shapes_hashes(seed, n, plain);
        kernel_use(widest());
        shapes_hashes(seed, n, wide);
        for (size_t c = 0; c < n; c++)
            if (plain[c] != wide[c])
                ck_abort_msg("seed %d, column %zu of %zu", (int)seed, c, n);
    }
}
END_TEST

static void check_places(const struct kernel *kernel, uint64_t n_seeds)
{
    kernel_use(kernel);
    for (uint64_t seed = 0; seed < n_seeds; seed++) {
        uint64_t panel[WIDTH_MAX], part[WIDTH_MAX];
        size_t n = seed % 8 == 0 ? WIDTH_MAX : 2 + seed % 9;
        shapes_hashes(seed, n, panel);
        for (size_t m = 1; m < n; m += 1 + m / 4) { /* column c is the same in a narrower panel */
            shapes_hashes(seed, m, part);
            for (size_t c = 0; c < m; c++)
                if (part[c] != panel[c])
                    ck_abort_msg("%s: seed %d, column %zu of %zu and of %zu", kernel->name,
                                 (int)seed, c, m, n);
        }
    }
}

START_TEST(test_bits_when_the_panel_is_another_then_they_are_the_same)
{
    check_places(kernel_find("plain"), n_shapes() / 10);
    if (widest() != NULL)
        check_places(widest(), n_shapes());
}
END_TEST

/* Columns of one panel may stand in any order: rotate the streams, the bits rotate with them. */
START_TEST(test_bits_when_the_order_is_another_then_they_move_along)
{
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct rig a, b;
        size_t n = 7;
        rig_init(&a, shapes_cell(seed), n);
        rig_init(&b, shapes_cell(seed), n);
        rig_inputs(&a, seed, 2);
        for (size_t c = 0; c < n; c++)
            for (size_t i = 0; i < a.cell->n_inputs; i++)
                for (size_t j = 0; j < a.cell->in_sizes[i]; j++)
                    rig_in(&b, (c + 3) % n, i)[j] = rig_in(&a, c, i)[j];
        cell_step(a.cell, &a.columns);
        cell_step(b.cell, &b.columns);
        for (size_t c = 0; c < n; c++)
            ck_assert(rig_hash(&a, c, 0) == rig_hash(&b, (c + 3) % n, 0));
        rig_done(&a);
        rig_done(&b);
    }
}
END_TEST

START_TEST(test_bits_when_weights_are_read_backwards_then_they_are_the_same)
{
    for (uint64_t seed = 0; seed < n_shapes(); seed++) {
        struct rig there, back;
        size_t n = width(seed);
        rig_init(&there, shapes_cell(seed), n);
        rig_init(&back, shapes_cell(seed), n);
        back.columns.backwards = true;
        rig_inputs(&there, seed, 2);
        rig_inputs(&back, seed, 2);
        cell_step(there.cell, &there.columns);
        cell_step(back.cell, &back.columns);
        for (size_t c = 0; c < n; c++)
            ck_assert(rig_hash(&there, c, 0) == rig_hash(&back, c, 0));
        rig_done(&there);
        rig_done(&back);
    }
}
END_TEST

START_TEST(test_bits_when_one_of_them_differs_then_it_is_noticed)
{
    struct rig rig;
    rig_init(&rig, shapes_cell(0), 2);
    rig_inputs(&rig, 1, 2);
    cell_step(rig.cell, &rig.columns);
    uint64_t before = rig_hash(&rig, 1, 0);
    unsigned char *byte = (unsigned char *)(rig_out(&rig, 1, 0) + rig.cell->out_sizes[0] - 1);
    *byte ^= 1;
    ck_assert(rig_hash(&rig, 1, 0) != before);
    *byte ^= 1;
    ck_assert(rig_hash(&rig, 1, 0) == before);
    rig_done(&rig);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_bits_when_the_kernel_is_another_then_they_are_the_same,
        test_bits_when_the_panel_is_another_then_they_are_the_same,
        test_bits_when_the_order_is_another_then_they_move_along,
        test_bits_when_weights_are_read_backwards_then_they_are_the_same,
        test_bits_when_one_of_them_differs_then_it_is_noticed,
        NULL,
    };
    return suite_run("bits", tests, 600);
}
