/* csv_value.c - what a csv cell says: a number, a time, or that there is none. */
#include "cli/csv_value.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CSV_VALUE_TEXT_MAX     64 /* bytes; a longer number is none */
#define CSV_VALUE_SECONDS_MAX  9223372036
#define CSV_VALUE_NS_A_SECOND  1000000000
#define CSV_VALUE_FRACTION_MAX 9                  /* digits of a nanosecond */
#define CSV_VALUE_NS_MIN       100000000000000000 /* in 1973; what is less are seconds */

/* A copy without the blanks around it, ended by NUL; NULL if it is too long or holds a NUL. */
static const char *csv_trim(const char *text, size_t n_bytes, char *ret_text)
{
    while (n_bytes && (*text == ' ' || *text == '\t')) {
        text++;
        n_bytes--;
    }
    while (n_bytes && (text[n_bytes - 1] == ' ' || text[n_bytes - 1] == '\t'))
        n_bytes--;
    if (n_bytes >= CSV_VALUE_TEXT_MAX || memchr(text, '\0', n_bytes))
        return NULL;
    memcpy(ret_text, text, n_bytes);
    ret_text[n_bytes] = '\0';
    return ret_text;
}

static bool csv_is_missing(const char *text)
{
    static const char *const words[] = {"",     "nan",  "na",   "n/a",       "null",
                                        "none", "nil",  "inf",  "infinity",  "-inf",
                                        "+inf", "-nan", "+nan", "-infinity", "+infinity"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return false;
}

enum csv_kind csv_number(const char *text, size_t n_bytes, float *ret_number)
{
    char copy[CSV_VALUE_TEXT_MAX], *end;
    const char *number = csv_trim(text, n_bytes, copy);
    if (!number)
        return CSV_BAD;
    if (csv_is_missing(number)) {
        *ret_number = NAN;
        return CSV_MISSING;
    }
    if (strspn(number, "+-.0123456789eE") != strlen(number))
        return CSV_BAD;
    double value = strtod(number, &end); /* the locale is C: no command sets another */
    if (end == number || *end)
        return CSV_BAD;
    *ret_number = (float)value;
    if (isfinite(*ret_number))
        return CSV_VALUE;
    *ret_number = NAN;
    return CSV_MISSING;
}

/* ---- times --------------------------------------------------------------------------------- */

/* Takes exactly n digits at *at. */
static bool csv_digits(const char **at, int n, int *ret_number)
{
    int number = 0;
    for (; n > 0; n--, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        number = number * 10 + (**at - '0');
    }
    *ret_number = number;
    return true;
}

/* Takes ".5", ",5" or nothing: nanoseconds. */
static bool csv_fraction(const char **at, int64_t *ret_ns)
{
    int64_t ns = 0, unit = CSV_VALUE_NS_A_SECOND / 10;
    if (**at != '.' && **at != ',') {
        *ret_ns = 0;
        return true;
    }
    for ((*at)++; **at >= '0' && **at <= '9'; (*at)++) {
        ns += (**at - '0') * unit;
        unit /= 10;
    }
    *ret_ns = ns;
    return true;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar (H. Hinnant, days_from_civil). */
static int64_t csv_days(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static bool csv_is_day(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (leap && month == 2);
}

/* Takes Z, +hh:mm, +hhmm, +hh or nothing: seconds to subtract. */
static bool csv_zone(const char **at, int *ret_seconds)
{
    int hours, minutes = 0, sign = **at == '-' ? -1 : 1;
    *ret_seconds = 0;
    if (**at == 'Z' || **at == 'z') {
        (*at)++;
        return true;
    }
    if (**at != '+' && **at != '-')
        return true;
    (*at)++;
    if (!csv_digits(at, 2, &hours))
        return false;
    if (**at == ':')
        (*at)++;
    if (**at && !csv_digits(at, 2, &minutes))
        return false;
    *ret_seconds = sign * (hours * 3600 + minutes * 60);
    return hours < 24 && minutes < 60;
}

/* Takes Thh:mm[:ss[.fraction]] (or a space for the T) with its zone, or nothing. */
static bool csv_clock(const char **at, int64_t *ret_seconds, int64_t *ret_ns)
{
    int hours, minutes, seconds = 0, zone;
    *ret_seconds = *ret_ns = 0;
    if (!**at)
        return true;
    if (**at != 'T' && **at != 't' && **at != ' ')
        return false;
    (*at)++;
    if (!csv_digits(at, 2, &hours) || *(*at)++ != ':' || !csv_digits(at, 2, &minutes))
        return false;
    if (**at == ':') {
        (*at)++;
        if (!csv_digits(at, 2, &seconds) || !csv_fraction(at, ret_ns))
            return false;
    }
    if (**at == ' ')
        (*at)++;
    if (!csv_zone(at, &zone))
        return false;
    *ret_seconds = hours * 3600 + minutes * 60 + seconds - zone;
    return hours < 24 && minutes < 60 && seconds <= 60; /* 60: a leap second */
}

enum csv_kind csv_date(const char *text, size_t n_bytes, int64_t *ret_ns)
{
    char copy[CSV_VALUE_TEXT_MAX];
    const char *at = csv_trim(text, n_bytes, copy);
    int year, month, day;
    int64_t seconds, ns;
    if (!at || !csv_digits(&at, 4, &year) || *at++ != '-' || !csv_digits(&at, 2, &month) ||
        *at++ != '-' || !csv_digits(&at, 2, &day) || !csv_is_day(year, month, day) ||
        !csv_clock(&at, &seconds, &ns) || *at)
        return CSV_BAD;
    seconds += csv_days(year, month, day) * 86400;
    if (seconds < -CSV_VALUE_SECONDS_MAX || seconds >= CSV_VALUE_SECONDS_MAX)
        return CSV_BAD;
    *ret_ns = seconds * CSV_VALUE_NS_A_SECOND + ns;
    return CSV_VALUE;
}

/* Seconds as written: all digits count, also where a double has no room for them. */
static enum csv_kind csv_seconds(const char *text, int64_t *ret_ns)
{
    const char *at = text;
    bool negative = *at == '-';
    int64_t seconds = 0, ns;
    int n_digits = 0;
    if (*at == '-' || *at == '+')
        at++;
    for (; *at >= '0' && *at <= '9'; at++, n_digits++) {
        seconds = seconds * 10 + (*at - '0');
        if (seconds >= CSV_VALUE_SECONDS_MAX)
            return CSV_BAD;
    }
    if (*at == '.' && at[1] >= '0' && at[1] <= '9')
        n_digits++;
    if (*at == ',' || !csv_fraction(&at, &ns) || n_digits == 0)
        return CSV_BAD;
    if (*at) { /* an exponent */
        char *end;
        double number = strtod(text, &end);
        if (*end || end == text || (*at != 'e' && *at != 'E') ||
            fabs(number) >= (double)CSV_VALUE_SECONDS_MAX)
            return CSV_BAD;
        *ret_ns = (int64_t)(number * CSV_VALUE_NS_A_SECOND);
        return CSV_VALUE;
    }
    *ret_ns = seconds * CSV_VALUE_NS_A_SECOND + ns;
    if (negative)
        *ret_ns = -*ret_ns;
    return CSV_VALUE;
}

/* Nanoseconds as celltap itself writes them: so many digits are no seconds. */
static enum csv_kind csv_nanoseconds(const char *text, int64_t *ret_ns)
{
    char *end;
    if (text[strspn(text, "0123456789")] != '\0')
        return CSV_BAD;
    errno = 0;
    long long ns = strtoll(text, &end, 10);
    if (errno != 0 || ns < CSV_VALUE_NS_MIN)
        return CSV_BAD;
    *ret_ns = ns;
    return CSV_VALUE;
}

enum csv_kind csv_time(const char *text, size_t n_bytes, int64_t *ret_ns)
{
    char copy[CSV_VALUE_TEXT_MAX];
    const char *trimmed = csv_trim(text, n_bytes, copy);
    if (!trimmed)
        return CSV_BAD;
    if (csv_nanoseconds(trimmed, ret_ns) == CSV_VALUE)
        return CSV_VALUE;
    if (csv_seconds(trimmed, ret_ns) == CSV_VALUE)
        return CSV_VALUE;
    return csv_date(trimmed, strlen(trimmed), ret_ns);
}
