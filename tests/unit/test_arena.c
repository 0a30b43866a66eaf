/* test_arena.c - many small things that are freed together. */
#include <stdint.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/arena.h"
#include "tests/support/suite.h"

START_TEST(test_arena_when_taken_from_then_pieces_are_zeroed_and_apart)
{
    struct arena arena;
    long alive = alloc_n_alive();
    arena_init(&arena);
    enum { N = 600 }; /* several blocks */
    unsigned char *pieces[N];
    for (size_t i = 0; i < N; i++) {
        pieces[i] = arena_take(&arena, 100, 1);
        ck_assert_ptr_nonnull(pieces[i]);
        ck_assert_uint_eq((uintptr_t)pieces[i] % ALLOC_ALIGN, 0);
        for (size_t j = 0; j < 100; j++)
            ck_assert_uint_eq(pieces[i][j], 0);
        memset(pieces[i], (int)(i % 256), 100);
    }
    for (size_t i = 0; i < N; i++)
        ck_assert(pieces[i][0] == i % 256 && pieces[i][99] == i % 256);
    ck_assert_int_gt(alloc_n_alive(), alive + 1);
    arena_done(&arena);
    ck_assert_int_eq(alloc_n_alive(), alive);
}
END_TEST

START_TEST(test_arena_when_piece_is_larger_than_a_block_then_fits)
{
    struct arena arena;
    arena_init(&arena);
    unsigned char *large = arena_take(&arena, 1000000, 1);
    ck_assert_ptr_nonnull(large);
    large[0] = large[999999] = 1;
    ck_assert_ptr_nonnull(arena_take(&arena, 0, 1));
    arena_done(&arena);
}
END_TEST

START_TEST(test_arena_when_text_is_copied_then_ends_with_nul)
{
    struct arena arena;
    arena_init(&arena);
    ck_assert_str_eq(arena_text(&arena, "lstms.0/LSTM", 7), "lstms.0");
    ck_assert_str_eq(arena_text(&arena, "", 0), "");
    ck_assert_str_eq(arena_printf(&arena, "%s.l%d", "encoder", 2), "encoder.l2");
    arena_done(&arena);
}
END_TEST

START_TEST(test_arena_when_memory_is_out_then_is_null_and_keeps_the_rest)
{
    struct arena arena;
    arena_init(&arena);
    char *kept = arena_text(&arena, "kept", 4);
    alloc_fail_after(0);
    void *large = arena_take(&arena, 100000, 1);
    alloc_fail_after(-1);
    ck_assert_ptr_null(large);
    ck_assert_ptr_null(arena_take(&arena, SIZE_MAX, 2));
    ck_assert_ptr_null(arena_take(&arena, SIZE_MAX, 1));
    ck_assert_ptr_null(arena_take(&arena, SIZE_MAX - 2 * ALLOC_ALIGN, 1));
    ck_assert_ptr_null(arena_text(&arena, "", SIZE_MAX));
    ck_assert_str_eq(kept, "kept");
    arena_done(&arena);
    arena_done(&arena); /* empty again: nothing to do */
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_arena_when_taken_from_then_pieces_are_zeroed_and_apart,
        test_arena_when_piece_is_larger_than_a_block_then_fits,
        test_arena_when_text_is_copied_then_ends_with_nul,
        test_arena_when_memory_is_out_then_is_null_and_keeps_the_rest,
        NULL,
    };
    return suite_run("arena", tests, 4);
}
