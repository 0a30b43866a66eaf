/* fold_sum.c - sums over constants, in double, rounded once. */
#include "lib/model/fold_sum.h"

#include <math.h>
#include <string.h>

struct fold_sum_row {
    const char *op;
    double start;
    double (*put)(double sum, double x);
    double (*end)(double sum, double n); /* NULL: the sum itself */
};

static double sum_add(double sum, double x)
{
    return sum + x;
}

static double sum_times(double sum, double x)
{
    return sum * x;
}

static double sum_max(double sum, double x)
{
    return x > sum ? x : sum;
}

static double sum_min(double sum, double x)
{
    return x < sum ? x : sum;
}

static double sum_abs(double sum, double x)
{
    return sum + fabs(x);
}

static double sum_square(double sum, double x)
{
    return sum + x * x;
}

static double sum_mean(double sum, double n)
{
    return sum / n;
}

static double sum_root(double sum, double n)
{
    (void)n;
    return sqrt(sum);
}

static const struct fold_sum_row fold_sum_rows[] = {
    {"ReduceSum", 0, sum_add, NULL},        {"ReduceMean", 0, sum_add, sum_mean},
    {"ReduceProd", 1, sum_times, NULL},     {"ReduceMax", -INFINITY, sum_max, NULL},
    {"ReduceMin", INFINITY, sum_min, NULL}, {"ReduceL1", 0, sum_abs, NULL},
    {"ReduceL2", 0, sum_square, sum_root},  {"ReduceSumSquare", 0, sum_square, NULL},
};

/* One reduced number; in double, which holds every integer that a shape may have. */
static double fold_sum_one(const struct fold_sum_row *row, const struct value *x, size_t at,
                           size_t n, size_t stride)
{
    double sum = row->start;
    for (size_t k = 0; k < n; k++, at += stride)
        sum = row->put(sum, x->type == GRAPH_FLOAT ? (double)x->floats[at] : (double)x->ints[at]);
    return row->end == NULL ? sum : row->end(sum, (double)n);
}

int fold_sum_reduce(struct load *load, const char *op, const struct value *x, size_t outer,
                    size_t n, size_t inner, struct value *to)
{
    const struct fold_sum_row *row = NULL;
    for (size_t k = 0; row == NULL && k < sizeof fold_sum_rows / sizeof *fold_sum_rows; k++)
        if (strcmp(fold_sum_rows[k].op, op) == 0)
            row = &fold_sum_rows[k];
    if (row == NULL || x->n == 0)
        return load_refuse(load, "%s of a constant is not supported", op);
    void *items;
    int err = load_take(load, outer * inner, value_item_bytes(x), &items);
    if (err < 0)
        return err;
    for (size_t k = 0; k < outer * inner; k++) {
        double y = fold_sum_one(row, x, k / inner * n * inner + k % inner, n, inner);
        if (x->type == GRAPH_FLOAT)
            ((float *)items)[k] = (float)y;
        else
            ((int64_t *)items)[k] = fabs(y) < 0x1p62 ? (int64_t)y : 0;
    }
    to->items = items;
    return 0;
}

int fold_sum_matmul(struct load *load, const struct value *a, const struct value *b, size_t rows,
                    size_t k, size_t columns, struct value *to)
{
    float *items;
    int err = load_take(load, rows * columns, sizeof *items, &items);
    if (err < 0)
        return err;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            double sum = 0;
            for (size_t l = 0; l < k; l++)
                sum += (double)a->floats[i * k + l] * b->floats[l * columns + j];
            items[i * columns + j] = (float)sum;
        }
    to->items = items;
    return 0;
}
