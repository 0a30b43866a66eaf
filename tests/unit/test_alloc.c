/* test_alloc.c - the only way to memory: aligned, zeroed, counted, able to fail. */
#include <stdint.h>

#include "lib/base/alloc.h"
#include "tests/support/suite.h"

START_TEST(test_alloc_when_asked_then_is_zeroed_and_aligned)
{
    for (size_t n = 0; n < 300; n += 7) {
        unsigned char *memory = alloc_new(n, 3);
        ck_assert_ptr_nonnull(memory);
        ck_assert_uint_eq((uintptr_t)memory % ALLOC_ALIGN, 0);
        for (size_t i = 0; i < 3 * n; i++) {
            ck_assert_uint_eq(memory[i], 0);
            memory[i] = 0xff; /* so that a block used again shows if it is not zeroed */
        }
        alloc_free(memory);
    }
}
END_TEST

START_TEST(test_alloc_when_size_overflows_then_is_null)
{
    long alive = alloc_n_alive();
    ck_assert_ptr_null(alloc_new(SIZE_MAX, 2));
    ck_assert_ptr_null(alloc_new(SIZE_MAX / 2 + 1, 2));
    ck_assert_ptr_null(alloc_new(SIZE_MAX, 1));
    ck_assert_int_eq(alloc_n_alive(), alive);
}
END_TEST

START_TEST(test_alloc_when_told_to_fail_then_fails_from_the_nth_on)
{
    alloc_fail_after(2);
    void *first = alloc_new(1, 1), *second = alloc_new(1, 1);
    void *third = alloc_new(1, 1), *fourth = alloc_new(1, 1);
    alloc_fail_after(-1);
    void *fifth = alloc_new(1, 1);
    ck_assert(first != NULL && second != NULL && fifth != NULL);
    ck_assert(third == NULL && fourth == NULL);
    alloc_free(first);
    alloc_free(second);
    alloc_free(fifth);
}
END_TEST

START_TEST(test_alloc_when_freed_then_is_not_counted)
{
    long alive = alloc_n_alive();
    void *memory = alloc_new(1, 1);
    ck_assert_int_eq(alloc_n_alive(), alive + 1);
    alloc_free(memory);
    alloc_free(NULL);
    ck_assert_int_eq(alloc_n_alive(), alive);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_alloc_when_asked_then_is_zeroed_and_aligned,
        test_alloc_when_size_overflows_then_is_null,
        test_alloc_when_told_to_fail_then_fails_from_the_nth_on,
        test_alloc_when_freed_then_is_not_counted,
        NULL,
    };
    return suite_run("alloc", tests, 4);
}
