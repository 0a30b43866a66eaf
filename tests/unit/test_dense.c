/* test_dense.c - a dense layer is W x + b, with either layout of W, for any number of rows. */
#include <math.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/celltap.h"
#include "tests/support/rig.h"
#include "tests/support/suite.h"

#define TOLERANCE 4e-6

static double truth(const struct dense_spec *spec, const float *x, size_t y)
{
    double sum = spec->b == NULL ? 0 : (double)spec->b[y];
    for (size_t k = 0; k < spec->n_inputs; k++)
        sum += (double)spec->scale * (double)x[k] *
               (double)spec->W[y * spec->row_stride + k * spec->column_stride];
    return sum;
}

static double difference(const struct dense_spec *cell_spec, const struct dense_spec *spec,
                         size_t n_columns, uint64_t seed)
{
    struct cell *cell;
    ck_assert_int_eq(dense_new(cell_spec, &cell), 0);
    struct rig rig;
    rig_init(&rig, cell, n_columns);
    rig_inputs(&rig, seed, 1);
    cell_step(cell, &rig.columns);
    double worst = 0;
    for (size_t c = 0; c < n_columns; c++) {
        for (size_t r = 0; r < spec->n_rows; r++)
            for (size_t y = 0; y < spec->n_outputs; y++) {
                double is = (double)rig_out(&rig, c, 0)[r * spec->n_outputs + y];
                double should = truth(spec, rig_in(&rig, c, 0) + r * spec->n_inputs, y);
                worst = fmax(worst, fabs(is - should));
            }
        size_t n = cell_padded(cell->out_sizes[0]);
        ck_assert(isnan(rig_out(&rig, c, 0)[n])); /* nothing was written behind the tensor */
    }
    rig_done(&rig);
    return worst;
}

START_TEST(test_dense_when_sizes_are_odd_then_it_is_the_product)
{
    uint64_t seed = 1;
    for (size_t n = 0; n < 200; n++) {
        size_t Y = 1 + n % 100, X = 1 + rig_random(&seed) % 70;
        float range = 1 / sqrtf((float)X);
        float *W = rig_floats(&seed, X * Y, range), *b = rig_floats(&seed, Y, 1);
        struct dense_spec spec = {X, Y, n % 3 == 0 ? 1 + n % 5 : 1, W, X, 1, 1, b};
        if (n % 2 == 0) { /* MatMul's layout */
            spec.row_stride = 1;
            spec.column_stride = Y;
        }
        spec.scale = n % 5 == 0 ? 0.5f : 1;
        spec.b = n % 7 == 0 ? NULL : b;
        double worst = difference(&spec, &spec, 1 + rig_random(&seed) % 8, n);
        ck_assert_msg(worst < TOLERANCE, "X %zu Y %zu rows %zu: %g", X, Y, spec.n_rows, worst);
        free(W);
        free(b);
    }
}
END_TEST

START_TEST(test_dense_when_the_truth_is_bent_then_it_is_noticed)
{
    uint64_t seed = 2;
    float *W = rig_floats(&seed, 16 * 16, 1), *b = rig_floats(&seed, 16, 1);
    struct dense_spec spec = {16, 16, 1, W, 16, 1, 1, b}, bent = {16, 16, 1, W, 1, 16, 1, b};
    ck_assert(difference(&spec, &bent, 1, 1) > TOLERANCE);
    free(W);
    free(b);
}
END_TEST

START_TEST(test_dense_when_allocations_fail_then_nothing_is_kept)
{
    uint64_t seed = 3;
    float *W = rig_floats(&seed, 20, 1);
    struct dense_spec spec = {5, 4, 1, W, 5, 1, 1, NULL};
    long before = alloc_n_alive();
    struct cell *cell = NULL;
    long n = 0;
    for (int result = CELLTAP_ENOMEM; result != 0; n++) {
        alloc_fail_after(n);
        result = dense_new(&spec, &cell);
        ck_assert(result == 0 || (result == CELLTAP_ENOMEM && cell == NULL));
        ck_assert(result == 0 || alloc_n_alive() == before);
    }
    alloc_fail_after(-1);
    ck_assert_int_gt(n, 1);
    ck_assert_uint_eq(cell->n_parameters, 20);
    ck_assert_uint_eq(cell->n_macs, 20);
    cell_free(cell);
    ck_assert_int_eq(alloc_n_alive(), before);
    spec.n_rows = 0;
    ck_assert_int_eq(dense_new(&spec, &cell), CELLTAP_EINVAL);
    free(W);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_dense_when_sizes_are_odd_then_it_is_the_product,
        test_dense_when_the_truth_is_bent_then_it_is_noticed,
        test_dense_when_allocations_fail_then_nothing_is_kept,
        NULL,
    };
    return suite_run("dense", tests, 60);
}
