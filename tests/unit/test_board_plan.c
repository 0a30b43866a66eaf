/* test_board_plan.c - watch's picture fits whatever terminal and whatever network there are. */
#include "cli/board_plan.h"

#include "tests/support/suite.h"

/* Lines that the rows take as planned, counted as the board prints them. */
static size_t lines_of(const size_t *sizes, const struct board_plan *plan)
{
    size_t lines = plan->has_air;
    for (size_t i = plan->from; i < plan->to; i++) {
        size_t units_a_line = plan->cells_a_line * plan->n_units;
        lines += sizes[i] ? (sizes[i] + units_a_line - 1) / units_a_line : 1;
        lines += sizes[i] > BOARD_NUMBERS_MAX ? plan->n_history : 0;
        lines += board_plan_gap(plan, sizes[i], i + 1 < plan->to ? sizes[i + 1] : 0);
    }
    return lines;
}

START_TEST(test_plan_when_of_any_network_then_fits)
{
    static const size_t sizes[] = {1, 5, 0, 64, 300, 2, 2048, 31, 4, 17, 100000, 8};
    for (size_t n_rows = 0; n_rows <= sizeof sizes / sizeof *sizes; n_rows++)
        for (unsigned columns = 8; columns <= 200; columns += 13)
            for (unsigned lines = 2; lines <= 70; lines += 3)
                for (size_t scroll = 0; scroll <= n_rows; scroll += 2) {
                    struct board_plan plan;
                    board_plan(sizes, n_rows, scroll, columns, lines, &plan);
                    ck_assert_uint_le(lines_of(sizes, &plan), lines);
                    ck_assert_uint_le(plan.cells_a_line * plan.wide, columns);
                    ck_assert_uint_ge(plan.cells_a_line, 1);
                    ck_assert_uint_lt(plan.n_history, BOARD_HISTORY_MAX);
                    ck_assert(plan.from <= plan.to && plan.to <= n_rows);
                    ck_assert(plan.to == n_rows || plan.to - plan.from == lines);
                }
}
END_TEST

START_TEST(test_cells_when_there_is_room_then_wide_and_with_history)
{
    static const size_t sizes[] = {3, 12, 12, 1};
    struct board_plan plan;
    board_plan(sizes, 4, 0, 60, 22, &plan);
    ck_assert_uint_eq(plan.wide, 4);
    ck_assert_uint_eq(plan.n_units, 1);
    ck_assert_uint_ge(plan.n_history, 4);
    ck_assert(plan.has_gaps && plan.has_air);
}
END_TEST

START_TEST(test_rows_when_wider_than_the_terminal_then_folded_before_binned)
{
    static const size_t wide[] = {64, 256, 512};
    struct board_plan plan;
    board_plan(wide, 3, 0, 60, 22, &plan);
    ck_assert_uint_eq(plan.n_units, 1);
    ck_assert_uint_eq(plan.wide, 1);
    ck_assert_uint_eq(plan.n_history, 0);
    board_plan(wide, 3, 0, 60, 6, &plan);
    ck_assert_uint_gt(plan.n_units, 1);
}
END_TEST

START_TEST(test_rows_when_more_than_lines_then_a_window_that_scrolls)
{
    size_t sizes[40];
    struct board_plan plan;
    for (size_t i = 0; i < 40; i++)
        sizes[i] = 10;
    board_plan(sizes, 40, 7, 60, 22, &plan);
    ck_assert_uint_eq(plan.from, 7);
    ck_assert_uint_eq(plan.to, 29);
    board_plan(sizes, 40, 39, 60, 22, &plan);
    ck_assert_uint_eq(plan.from, 18);
    ck_assert_uint_eq(plan.to, 40);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_plan_when_of_any_network_then_fits,
        test_cells_when_there_is_room_then_wide_and_with_history,
        test_rows_when_wider_than_the_terminal_then_folded_before_binned,
        test_rows_when_more_than_lines_then_a_window_that_scrolls,
        NULL,
    };
    return suite_run("board_plan", tests, 60);
}
