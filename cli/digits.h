/* digits.h - a float32 as decimal digits that read back as the same float32, quickly. */
#ifndef CLI_DIGITS_H
#define CLI_DIGITS_H

#include <stddef.h>

#define DIGITS_MAX 24 /* bytes of a number, with its NUL */

/* Nine significant digits at most, as %.9g prints them.  Returns the length. */
size_t digits_float(float number, char ret_text[DIGITS_MAX]);

#endif
