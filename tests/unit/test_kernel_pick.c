/* test_kernel_pick.c - one kernel is picked at start, the environment's if this machine can. */
#include <stdlib.h>
#include <string.h>

#include "lib/celltap.h"
#include "lib/kernel/kernel.h"
#include "tests/support/suite.h"

START_TEST(test_pick_when_the_environment_names_a_kernel_then_it_is_used)
{
    setenv("CELLTAP_KERNEL", "plain", 1);
    kernel_use(NULL);
    ck_assert_str_eq(celltap_kernel_name(), "plain");
}
END_TEST

START_TEST(test_pick_when_the_environment_names_what_cannot_run_then_it_is_ignored)
{
    static const char *const names[] = {"avx2", "neon", "avx1024", ""};
    unsetenv("CELLTAP_KERNEL");
    kernel_use(NULL);
    const char *usual = celltap_kernel_name();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        setenv("CELLTAP_KERNEL", names[i], 1);
        kernel_use(NULL);
        bool runs = kernel_find(names[i]) != NULL;
        ck_assert_str_eq(celltap_kernel_name(), runs ? names[i] : usual);
    }
}
END_TEST

START_TEST(test_pick_when_picked_then_it_stays)
{
    setenv("CELLTAP_KERNEL", "plain", 1);
    kernel_use(NULL);
    ck_assert_str_eq(celltap_kernel_name(), "plain");
    unsetenv("CELLTAP_KERNEL");
    ck_assert_str_eq(celltap_kernel_name(), "plain");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_pick_when_the_environment_names_a_kernel_then_it_is_used,
        test_pick_when_the_environment_names_what_cannot_run_then_it_is_ignored,
        test_pick_when_picked_then_it_stays,
        NULL,
    };
    return suite_run("pick", tests, 60);
}
