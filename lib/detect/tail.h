/* tail.h - how rare a distance is under its own fading history.
 *
 *     s --log1p--> bin of 64 --> share of what was as large or larger
 *
 * Beyond the highest 1 % the share goes on exponentially.  What lies 2000 timesteps back counts for
 * 1 / e.  Cannot fail or allocate. */
#ifndef LIB_DETECT_TAIL_H
#define LIB_DETECT_TAIL_H

#define TAIL_BINS   64
#define TAIL_GROUP  8 /* bins */
#define TAIL_GROUPS (TAIL_BINS / TAIL_GROUP)

struct tail {
    double bins[TAIL_BINS + 1];     /* weight of what is in bin i or a higher one of its group */
    double groups[TAIL_GROUPS + 2]; /* in group i or a higher one; the last two stay 0 */
    double weight; /* of the next sample: it grows, so that nothing has to be faded */
};

/* A history of n calm samples. */
void tail_init(struct tail *tail, double n);

/* Puts samples into the history, of this weight together. */
void tail_put(struct tail *tail, double log1p_s, double weight);

/* The probability of a distance s >= 0 or more, 1e-30 to 1; then adds s to the history.  forget:
 * share of the history that a timestep takes away. */
double tail_step(struct tail *tail, double log1p_s, double forget);

#endif
