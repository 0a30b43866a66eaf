/* suite.h - a test program's main: one suite, its tests, an exit code. */
#ifndef TESTS_SUPPORT_SUITE_H
#define TESTS_SUPPORT_SUITE_H

#include <check.h>

/* tests: until NULL.  Each may take timeout_s seconds. */
int suite_run(const char *name, const TTest *const *tests, int timeout_s);

#endif
