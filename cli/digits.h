/* digits.h - a number as decimal digits that read back as the same number; a float32 quickly. */
#ifndef CLI_DIGITS_H
#define CLI_DIGITS_H

#include <stddef.h>

#define DIGITS_MAX        24 /* bytes of a number, with its NUL */
#define DIGITS_DOUBLE_MAX 32

/* Nine significant digits at most, as %.9g prints them.  Returns the length. */
size_t digits_float(float number, char ret_text[DIGITS_MAX]);

/* As few significant digits as give the same double again, at least as many as %.15g has. */
size_t digits_double(double number, char ret_text[DIGITS_DOUBLE_MAX]);

#endif
