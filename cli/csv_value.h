/* csv_value.h - what a csv cell says: a number, a time, or that there is none.
 *
 *     "3.5" "-1e-3" ".5"                        number, with a point whatever the locale
 *     "" nan NA N/A null none inf               missing (any case)
 *     "1583749473.5"                            time: seconds since 1970
 *     "1583749473500000000"                     time: nanoseconds, as celltap writes them
 *     "2020-03-09 10:14:33" "...T10:14:33.25Z"  time: ISO 8601, UTC unless +hh:mm stands behind
 */
#ifndef CLI_CSV_VALUE_H
#define CLI_CSV_VALUE_H

#include <stddef.h>
#include <stdint.h>

enum csv_kind { CSV_VALUE, CSV_MISSING, CSV_BAD };

/* CSV_VALUE: a finite float32.  CSV_MISSING: NaN is given (a number beyond float32 too). */
enum csv_kind csv_number(const char *text, size_t n_bytes, float *ret_number);

/* Seconds, nanoseconds or a date, as nanoseconds since 1970.  Nothing is rounded up: digits beyond the ninth are
 * cut.  CSV_VALUE or CSV_BAD. */
enum csv_kind csv_time(const char *text, size_t n_bytes, int64_t *ret_ns);

/* As csv_time, but a number alone is no date. */
enum csv_kind csv_date(const char *text, size_t n_bytes, int64_t *ret_ns);

#endif
