/* view.c - how unusual is a vector of d numbers among those of the warm-up? */
#include "lib/detect/view.h"

#include <math.h>
#include <string.h>

#include "lib/kernel/kernel.h"

#define VIEW_R_MAX 1e6 /* a distance beyond any; also of what is not a number */

size_t view_padded(size_t d)
{
    return (d + VIEW_LANES - 1) / VIEW_LANES * VIEW_LANES;
}

size_t view_n_whiten(size_t d)
{
    return kernel_whiten_floats(view_padded(d) / VIEW_LANES);
}

size_t view_n_scatter(size_t d)
{
    return d * (d + 1) / 2;
}

/* ---- warm-up ------------------------------------------------------------------------------ */

void view_learn(const struct view *view, struct view_warm *warm, const float *u)
{
    double k = (double)++warm->n;
    for (size_t i = 0; i < view->d; i++) {
        warm->delta[i] = isnan(u[i]) ? 0 : (double)u[i] - warm->mean[i];
        warm->mean[i] += warm->delta[i] / k;
    }
    double *row = warm->scatter;
    for (size_t i = 0; i < view->d; row += ++i) {
        double scaled = (k - 1) / k * warm->delta[i];
        for (size_t j = 0; j <= i; j++)
            row[j] += scaled * warm->delta[j];
    }
}

/* Oracle approximating shrinkage (Chen, Wiesel, Eldar, Hero 2010) and the ridge: towards a sphere,
 * as far as so few vectors of so many numbers demand. */
static void view_shrink(double *cov, size_t d, double n, double ridge)
{
    double trace = 0, squares = 0, size = (double)d;
    const double *row = cov;
    for (size_t i = 0; i < d; row += ++i) {
        trace += row[i];
        for (size_t j = 0; j < i; j++)
            squares += 2 * row[j] * row[j];
        squares += row[i] * row[i];
    }
    double part = (1 - 2 / size) * squares + trace * trace;
    double whole = (n + 1 - 2 / size) * (squares - trace * trace / size);
    double gamma = whole > 0 ? part / whole : 1;
    gamma = gamma < 0 ? 0 : gamma > 1 ? 1 : gamma;
    double *to = cov;
    for (size_t i = 0; i < d; to += ++i) {
        for (size_t j = 0; j <= i; j++)
            to[j] *= 1 - gamma;
        to[i] += gamma * trace / size + ridge;
    }
}

/* The Cholesky factor, in place.  No pivot is below the ridge but for rounding. */
static void view_factor(double *a, size_t d, double ridge)
{
    double *row = a;
    for (size_t i = 0; i < d; row += ++i) {
        const double *other = a;
        for (size_t j = 0; j <= i; other += ++j) {
            double sum = row[j];
            for (size_t k = 0; k < j; k++)
                sum -= row[k] * other[k];
            row[j] = j < i ? sum / other[j] : sqrt(sum > ridge ? sum : ridge);
        }
    }
}

/* The inverse of a lower triangle, in place: rows from the top, each of a row from the right. */
static void view_invert(double *a, size_t d)
{
    double *row = a;
    for (size_t i = 0; i < d; row += ++i) {
        double pivot = 1 / row[i];
        for (size_t j = 0; j < i; j++) {
            double sum = 0;
            for (size_t k = j; k < i; k++)
                sum += row[k] * a[k * (k + 1) / 2 + j];
            row[j] = -sum * pivot;
        }
        row[i] = pivot;
    }
}

float *view_at(const struct view *view, size_t i, size_t j)
{
    return &view->whiten[kernel_whiten_at(view_padded(view->d), i, j)];
}

static void view_pack(struct view *view, const double *inverse)
{
    memset(view->whiten, 0, view_n_whiten(view->d) * sizeof *view->whiten);
    for (size_t i = 0; i < view->d; i++)
        for (size_t j = 0; j <= i; j++)
            *view_at(view, i, j) = (float)*inverse++;
}

void view_freeze(struct view *view, struct view_warm *warm, double ridge)
{
    double n = (double)warm->n;
    for (size_t i = 0; i < view_n_scatter(view->d); i++)
        warm->scatter[i] /= n > 1 ? n - 1 : 1;
    view_shrink(warm->scatter, view->d, n, ridge);
    view_factor(warm->scatter, view->d, ridge);
    view_invert(warm->scatter, view->d);
    view_pack(view, warm->scatter);
    for (size_t i = 0; i < view->d; i++)
        view->mean[i] = (float)warm->mean[i];
    view->s = 1;
}

/* ---- afterwards --------------------------------------------------------------------------- */

double view_squares(const struct view *view, const float *x)
{
    return kernel_pick()->whiten(view->whiten, x, view_padded(view->d)) * (1 / (double)view->d);
}

double view_step(struct view *view, double squares, double smooth)
{
    double r = sqrt(squares);
    view->s += ((r < VIEW_R_MAX ? r : VIEW_R_MAX) - view->s) * (1 / smooth);
    return view->s;
}
