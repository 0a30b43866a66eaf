/* suite.c - a test program's main: one suite, its tests, an exit code. */
#include "tests/support/suite.h"

int suite_run(const char *name, const TTest *const *tests, int timeout_s)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, timeout_s);
    for (; *tests != NULL; tests++)
        tcase_add_test(tcase, *tests);
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
