/* truth.c - functions of one value and sums in double, from their definitions and libm. */
#include "tests/support/truth.h"

#include <math.h>

static double truth_clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

double truth_function(struct cell_activation activation, double x)
{
    double a = (double)activation.alpha, b = (double)activation.beta;
    switch (activation.function) {
    case CELL_SIGMOID:
        return 1 / (1 + exp(-x));
    case CELL_TANH:
        return tanh(x);
    case CELL_RELU:
        return x > 0 ? x : 0;
    case CELL_AFFINE:
        return a * x + b;
    case CELL_LEAKY_RELU:
        return x >= 0 ? x : a * x;
    case CELL_THRESHOLDED_RELU:
        return x >= a ? x : 0;
    case CELL_SCALED_TANH:
        return a * tanh(b * x);
    case CELL_HARD_SIGMOID:
        return truth_clamp(a * x + b, 0, 1);
    case CELL_ELU:
        return x >= 0 ? x : a * expm1(x);
    case CELL_SOFTSIGN:
        return x / (1 + fabs(x));
    case CELL_SOFTPLUS:
        return fmax(x, 0) + log1p(exp(-fabs(x)));
    case CELL_IDENTITY:
        return x;
    case CELL_SELU:
        return b * (x > 0 ? x : a * expm1(x));
    case CELL_EXP:
        return exp(x);
    case CELL_LOG:
        return log(x);
    case CELL_SQRT:
        return sqrt(x);
    case CELL_ABS:
        return fabs(x);
    case CELL_NEG:
        return -x;
    case CELL_ERF:
        return erf(x);
    case CELL_GELU:
        return x / 2 * (1 + erf(x / sqrt(2.0)));
    case CELL_GELU_TANH:
        return x / 2 * (1 + tanh(sqrt(2 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case CELL_CLIP:
        return truth_clamp(x, a, b);
    case CELL_N_FUNCTIONS:
        break;
    }
    return NAN;
}

double truth_gate(struct cell_activation activation, double limit, double x)
{
    return truth_function(activation, truth_clamp(x, -limit, limit));
}

double truth_sum_x(const struct truth_sums *sums, size_t row, const float *x)
{
    double sum = sums->B == NULL ? 0 : (double)sums->B[row];
    for (size_t k = 0; k < sums->n_x; k++)
        sum += (double)sums->W[row * sums->n_x + k] * (double)x[k];
    return sum;
}

double truth_sum_h(const struct truth_sums *sums, size_t row, const double *h)
{
    double sum = sums->B == NULL ? 0 : (double)sums->B[sums->n_rows + row];
    for (size_t k = 0; k < sums->n_h; k++)
        sum += (double)sums->R[row * sums->n_h + k] * h[k];
    return sum;
}
