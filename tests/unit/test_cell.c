/* test_cell.c - the small cells: functions, operators, reductions, normalisation, selection. */
#include "lib/cell/cell.h"

#include <math.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/celltap.h"
#include "tests/support/rig.h"
#include "tests/support/suite.h"
#include "tests/support/truth.h"

#define TOLERANCE 2e-6

/* Whether a value is as good as the true one: relative for what is large. */
static bool is_near(float is, double should)
{
    return fabs((double)is - should) <= TOLERANCE * fmax(1, fabs(should));
}

static void check_guard(const struct rig *rig)
{
    for (size_t c = 0; c < rig->columns.n_columns; c++)
        ck_assert(isnan(rig_out(rig, c, 0)[cell_padded(rig->cell->out_sizes[0])]));
}

START_TEST(test_unary_when_stepped_then_each_value_has_its_function)
{
    for (size_t n = 1; n <= 33; n++) {
        struct cell_activation activation = {(enum cell_function)(n % CELL_N_FUNCTIONS), 0.5f,
                                             1.5f};
        struct cell *cell;
        ck_assert_int_eq(unary_new(n, activation, &cell), 0);
        struct rig rig;
        rig_init(&rig, cell, 3);
        rig_inputs(&rig, n, 3);
        cell_step(cell, &rig.columns);
        for (size_t i = 0; i < 3 * n; i++) {
            double truth = truth_function(activation, (double)rig_in(&rig, i / n, 0)[i % n]);
            float is = rig_out(&rig, i / n, 0)[i % n];
            ck_assert_msg(isnan(truth) ? isnan(is) : is_near(is, truth), "function %zu", n);
        }
        check_guard(&rig);
        rig_done(&rig);
    }
}
END_TEST

static double truth_operator(enum cell_operator operator, double a, double b)
{
    const double results[CELL_N_OPERATORS] = {
        a + b, a - b,  a * b,         a / b, pow(a, b), fmax(a, b), fmin(a, b), a >= 0 ? a : a * b,
        a < b, a == b, a != 0 ? b : 0};
    return results[operator];
}

START_TEST(test_binary_when_stepped_then_operands_are_inputs_or_constants)
{
    uint64_t seed = 1;
    for (size_t n = 1; n <= 6 * CELL_N_OPERATORS; n++) {
        enum cell_operator operator=(enum cell_operator)(n % CELL_N_OPERATORS);
        size_t which = n / CELL_N_OPERATORS % 3;
        float *constant = rig_floats(&seed, n, 2);
        const float *a = which == 1 ? constant : NULL, *b = which == 2 ? constant : NULL;
        struct cell *cell;
        ck_assert_int_eq(binary_new(n, operator, a, b, &cell), 0);
        ck_assert_uint_eq(cell->n_inputs, a == NULL && b == NULL ? 2 : 1);
        struct rig rig;
        rig_init(&rig, cell, 2);
        rig_inputs(&rig, n, 2);
        cell_step(cell, &rig.columns);
        for (size_t c = 0; c < 2; c++)
            for (size_t i = 0; i < n; i++) {
                const float *p = a != NULL ? a : rig_in(&rig, c, 0);
                const float *q = b != NULL ? b : rig_in(&rig, c, a == NULL);
                double truth = truth_operator(operator,(double) p[i], (double)q[i]);
                float is = rig_out(&rig, c, 0)[i];
                ck_assert_msg(isnan(truth) ? isnan(is) : is_near(is, truth), "%d of %a %a",
                              (int)operator,(double) p[i], (double)q[i]);
            }
        check_guard(&rig);
        rig_done(&rig);
        free(constant);
    }
}
END_TEST

START_TEST(test_binary_when_asked_then_answers_are_exact_and_what_is_not_kept_is_zero)
{
    static const float a[] = {1, 2, 3, 0, -0.0f, NAN, 1, INFINITY, -INFINITY, 0, 0, 2};
    static const float b[] = {2, 2, 1, -0.0f, 0, 1, NAN, INFINITY, 1, NAN, INFINITY, NAN};
    static const struct {
        enum cell_operator operator;
        float is[sizeof a / sizeof *a];
    } rows[] = {
        {CELL_LESS, {1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0}},
        {CELL_EQUAL, {0, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0}},
        {CELL_KEEP, {2, 2, 1, 0, 0, 1, NAN, INFINITY, 1, 0, 0, NAN}},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        size_t n = sizeof a / sizeof *a;
        struct cell *cell;
        struct rig rig;
        ck_assert_int_eq(binary_new(n, rows[row].operator, a, b, &cell), 0);
        rig_init(&rig, cell, 1);
        cell_step(cell, &rig.columns);
        for (size_t i = 0; i < n; i++) {
            float is = rig_out(&rig, 0, 0)[i], wanted = rows[row].is[i];
            ck_assert_msg(isnan(wanted) ? isnan(is) : is == wanted, "%zu of %zu: %a", i, row,
                          (double)is);
        }
        check_guard(&rig);
        rig_done(&rig);
    }
}
END_TEST

/* One line of a reduction in double: y [n] or [1]. */
static void truth_reduce(enum cell_reduction reduction, const float *x, size_t n, size_t inner,
                         double *y)
{
    double sum = 0, max = -INFINITY, min = INFINITY, exps = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i * inner];
        max = fmax(max, (double)x[i * inner]);
        min = fmin(min, (double)x[i * inner]);
    }
    for (size_t i = 0; i < n; i++)
        exps += exp((double)x[i * inner] - max);
    const double results[] = {sum, sum / (double)n, max, min};
    if (reduction < CELL_SOFTMAX)
        y[0] = results[reduction];
    for (size_t i = 0; i < n && reduction >= CELL_SOFTMAX; i++) {
        double v = (double)x[i * inner] - max;
        y[i] = reduction == CELL_SOFTMAX ? exp(v) / exps : v - log(exps);
    }
}

START_TEST(test_reduce_when_stepped_then_it_goes_over_the_middle_axis)
{
    enum cell_reduction reduction = (enum cell_reduction)_i;
    for (size_t k = 0; k < 90; k++) {
        size_t outer = 1 + k % 3, inner = 1 + k / 3 % 3, n = 1 + k / 3;
        bool keeps = reduction >= CELL_SOFTMAX;
        struct cell *cell;
        ck_assert_int_eq(reduce_new(reduction, outer, n, inner, &cell), 0);
        ck_assert_uint_eq(cell->out_sizes[0], outer * inner * (keeps ? n : 1));
        struct rig rig;
        rig_init(&rig, cell, 2);
        rig_inputs(&rig, k, 5);
        cell_step(cell, &rig.columns);
        double truth[64];
        for (size_t line = 0; line < 2 * outer * inner; line++) {
            size_t c = line % 2, o = line / 2 / inner, i = line / 2 % inner;
            truth_reduce(reduction, rig_in(&rig, c, 0) + o * n * inner + i, n, inner, truth);
            const float *is = rig_out(&rig, c, 0) + o * (keeps ? n : 1) * inner + i;
            for (size_t j = 0; j < (keeps ? n : 1); j++)
                ck_assert_msg(is_near(is[j * inner], truth[j]), "n %zu", n);
        }
        check_guard(&rig);
        rig_done(&rig);
    }
}
END_TEST

START_TEST(test_norm_when_stepped_then_rows_have_their_mean_and_deviation)
{
    uint64_t seed = 3;
    for (size_t n = 1; n <= 40; n++) {
        size_t outer = 1 + n % 3;
        float *scale = rig_floats(&seed, n, 2), *bias = rig_floats(&seed, n, 2);
        struct cell *cell;
        ck_assert_int_eq(norm_new(outer, n, 1e-3f, scale, n % 4 == 0 ? NULL : bias, &cell), 0);
        struct rig rig;
        rig_init(&rig, cell, 2);
        rig_inputs(&rig, n, 5);
        cell_step(cell, &rig.columns);
        for (size_t line = 0; line < 2 * outer; line++) {
            const float *x = rig_in(&rig, line % 2, 0) + line / 2 * n;
            const float *y = rig_out(&rig, line % 2, 0) + line / 2 * n;
            double mean = 0, variance = 0;
            for (size_t i = 0; i < n; i++)
                mean += (double)x[i] / (double)n;
            for (size_t i = 0; i < n; i++)
                variance += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)n;
            for (size_t i = 0; i < n; i++) {
                double v = ((double)x[i] - mean) / sqrt(variance + (double)1e-3f);
                v = v * (double)scale[i] + (n % 4 == 0 ? 0 : (double)bias[i]);
                ck_assert_msg(fabs((double)y[i] - v) < 1e-5, "n %zu: %g %g", n, (double)y[i], v);
            }
        }
        check_guard(&rig);
        rig_done(&rig);
        free(scale);
        free(bias);
    }
}
END_TEST

START_TEST(test_select_when_stepped_then_values_are_where_they_were_asked_for)
{
    static const size_t sizes[] = {5, 20};
    uint64_t seed = 4;
    for (size_t n = 1; n <= 40; n++) {
        struct select_from from[40];
        for (size_t i = 0; i < n; i++) {
            uint32_t input = (uint32_t)(rig_random(&seed) % 2);
            from[i] = (struct select_from){input, (uint32_t)(rig_random(&seed) % sizes[input])};
            if (i > 0 && n % 2 == 0 && from[i - 1].index + 1 < sizes[from[i - 1].input])
                from[i] = (struct select_from){from[i - 1].input, from[i - 1].index + 1};
        }
        struct cell *cell;
        ck_assert_int_eq(select_new(2, sizes, n, from, &cell), 0);
        struct rig rig;
        rig_init(&rig, cell, 2);
        rig_inputs(&rig, n, 5);
        cell_step(cell, &rig.columns);
        for (size_t i = 0; i < 2 * n; i++)
            ck_assert(rig_out(&rig, i / n, 0)[i % n] ==
                      rig_in(&rig, i / n, from[i % n].input)[from[i % n].index]);
        check_guard(&rig);
        rig_done(&rig);
    }
    struct select_from beyond = {1, 20}, missing = {2, 0};
    struct cell *cell = NULL;
    ck_assert_int_eq(select_new(2, sizes, 1, &beyond, &cell), CELLTAP_EINVAL);
    ck_assert_int_eq(select_new(2, sizes, 1, &missing, &cell), CELLTAP_EINVAL);
    ck_assert_int_eq(select_new(2, sizes, 0, NULL, &cell), CELLTAP_EINVAL);
}
END_TEST

/* ---- memory --------------------------------------------------------------------------------- */

static const size_t two_sizes[] = {9, 9};
static const struct select_from picks[] = {{0, 3}, {1, 4}, {1, 5}};
static const float nines[9] = {9, 9, 9, 9, 9, 9, 9, 9, 9};

static int make_unary(struct cell **ret_cell)
{
    return unary_new(9, (struct cell_activation){CELL_TANH, 0, 0}, ret_cell);
}

static int make_binary(struct cell **ret_cell)
{
    return binary_new(9, CELL_ADD, NULL, nines, ret_cell);
}

static int make_reduce(struct cell **ret_cell)
{
    return reduce_new(CELL_SOFTMAX, 1, 9, 1, ret_cell);
}

static int make_norm(struct cell **ret_cell)
{
    return norm_new(1, 9, 1e-5f, nines, NULL, ret_cell);
}

static int make_select(struct cell **ret_cell)
{
    return select_new(2, two_sizes, 3, picks, ret_cell);
}

START_TEST(test_cell_when_allocations_fail_then_nothing_is_kept)
{
    static int (*const makers[])(struct cell **) = {make_unary, make_binary, make_reduce, make_norm,
                                                    make_select};
    for (size_t m = 0; m < sizeof makers / sizeof makers[0]; m++) {
        long before = alloc_n_alive(), n = 0;
        struct cell *cell = NULL;
        for (int result = CELLTAP_ENOMEM; result != 0; n++) {
            alloc_fail_after(n);
            result = makers[m](&cell);
            ck_assert(result == 0 || (result == CELLTAP_ENOMEM && cell == NULL));
            ck_assert(result == 0 || alloc_n_alive() == before);
        }
        ck_assert_int_gt(n, 1);
        struct rig rig;
        rig_init(&rig, cell, 3);
        rig_inputs(&rig, 1, 1);
        alloc_fail_after(0);
        cell_step(cell, &rig.columns); /* and a step asks for none */
        alloc_fail_after(-1);
        rig_done(&rig);
        ck_assert_int_eq(alloc_n_alive(), before);
    }
}
END_TEST

START_TEST(test_cell_when_sizes_are_absurd_then_it_is_refused)
{
    struct cell *cell = NULL;
    ck_assert_int_eq(unary_new(0, (struct cell_activation){CELL_TANH, 0, 0}, &cell),
                     CELLTAP_EINVAL);
    ck_assert_int_eq(binary_new(SIZE_MAX, CELL_ADD, NULL, NULL, &cell), CELLTAP_EINVAL);
    ck_assert_int_eq(reduce_new(CELL_SUM, SIZE_MAX, 2, 2, &cell), CELLTAP_EINVAL);
    ck_assert_int_eq(norm_new(SIZE_MAX, 2, 0, NULL, NULL, &cell), CELLTAP_EINVAL);
    ck_assert_ptr_null(cell);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("cells");
    tcase_add_test(tcase, test_unary_when_stepped_then_each_value_has_its_function);
    tcase_add_test(tcase, test_binary_when_stepped_then_operands_are_inputs_or_constants);
    tcase_add_test(tcase,
                   test_binary_when_asked_then_answers_are_exact_and_what_is_not_kept_is_zero);
    tcase_add_loop_test(tcase, test_reduce_when_stepped_then_it_goes_over_the_middle_axis, 0,
                        CELL_LOG_SOFTMAX + 1);
    tcase_add_test(tcase, test_norm_when_stepped_then_rows_have_their_mean_and_deviation);
    tcase_add_test(tcase, test_select_when_stepped_then_values_are_where_they_were_asked_for);
    tcase_add_test(tcase, test_cell_when_allocations_fail_then_nothing_is_kept);
    tcase_add_test(tcase, test_cell_when_sizes_are_absurd_then_it_is_refused);
    Suite *suite = suite_create("cells");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
