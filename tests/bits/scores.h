/* scores.h - a watched network's scores as hashes, to be compared between machines. */
#ifndef TESTS_BITS_SCORES_H
#define TESTS_BITS_SCORES_H

/* Prints a line for each of some options: every score and every byte of the states. */
void scores_print(void);

#endif
