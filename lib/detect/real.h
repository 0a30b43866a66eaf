/* real.h - exp, log, sine and cosine in double, the same bits on every machine.
 *
 * Built of additions, multiplications and divisions in one order; nothing of libm, whose bits
 * differ between versions and CPUs.  Cannot fail; a relative error of about 1e-15, of a
 * logarithm an absolute one of 3e-12. */
#ifndef LIB_DETECT_REAL_H
#define LIB_DETECT_REAL_H

double real_exp(double x); /* 0 below -700, at most that of 700 */
double real_log(double x); /* x: finite, normal, above 0 */

/* Sine and cosine of a part of a turn, 0 <= turn < 1. */
void real_turn(double turn, double *ret_sin, double *ret_cos);

#endif
