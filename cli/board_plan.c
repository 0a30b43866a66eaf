/* board_plan.c - where the units of all rows go on so many columns and lines.
 *
 *     every row on one line, cells as wide as they can be      what is left over: gaps, history
 *     rows over several lines, cells narrower                  ...
 *     several units in a cell                                  a line each
 *     more rows than lines: some of them
 */
#include "cli/board_plan.h"

static size_t board_plan_lines(const size_t *sizes, size_t n_rows, const struct board_plan *plan)
{
    size_t lines = 0;
    for (size_t i = 0; i < n_rows; i++) {
        size_t cells = (sizes[i] + plan->n_units - 1) / plan->n_units;
        lines += cells == 0 ? 1 : (cells + plan->cells_a_line - 1) / plan->cells_a_line;
    }
    return lines;
}

static void board_plan_cells(struct board_plan *plan, unsigned wide, size_t n_units,
                             unsigned columns)
{
    plan->wide = wide;
    plan->n_units = n_units;
    plan->cells_a_line = columns / wide ? columns / wide : 1;
}

/* The widest cells with which all rows take no more than so many lines; true if there are. */
static bool board_plan_fit(const size_t *sizes, size_t n_rows, unsigned columns, size_t lines,
                           struct board_plan *plan)
{
    static const unsigned widths[] = {4, 2, 1};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        board_plan_cells(plan, widths[i], 1, columns);
        if (board_plan_lines(sizes, n_rows, plan) <= lines)
            return true;
    }
    return false;
}

bool board_plan_gap(const struct board_plan *plan, size_t n, size_t next_n)
{
    return plan->has_gaps && next_n && (n > BOARD_NUMBERS_MAX || next_n > BOARD_NUMBERS_MAX);
}

/* Gives away the lines that are left over. */
static void board_plan_spread(const size_t *sizes, size_t n_rows, size_t left,
                              struct board_plan *plan)
{
    size_t n_wide = 0, n_gaps = 0;
    bool one_line = true;
    plan->has_gaps = true;
    for (size_t i = 0; i < n_rows; i++) {
        n_wide += sizes[i] > BOARD_NUMBERS_MAX;
        n_gaps += board_plan_gap(plan, sizes[i], i + 1 < n_rows ? sizes[i + 1] : 0);
        one_line &= sizes[i] <= plan->cells_a_line * plan->n_units;
    }
    plan->has_air = left > 0;
    left -= plan->has_air;
    plan->has_gaps = left >= n_gaps;
    left -= plan->has_gaps ? n_gaps : 0;
    if (one_line && n_wide) /* folded rows have no history: which line is which unit's? */
        plan->n_history = (unsigned)(left / n_wide);
    if (plan->n_history >= BOARD_HISTORY_MAX)
        plan->n_history = BOARD_HISTORY_MAX - 1;
}

void board_plan(const size_t *sizes, size_t n_rows, size_t scroll, unsigned columns, unsigned lines,
                struct board_plan *ret_plan)
{
    struct board_plan plan = {.to = n_rows};
    if (n_rows > lines) { /* a line each, some of them */
        plan.from = scroll + lines > n_rows ? n_rows - lines : scroll;
        plan.to = plan.from + lines;
    }
    sizes += plan.from;
    n_rows = plan.to - plan.from;
    if (!board_plan_fit(sizes, n_rows, columns, n_rows, &plan) &&
        !board_plan_fit(sizes, n_rows, columns, lines, &plan))
        for (size_t n_units = 2;; n_units++) {
            board_plan_cells(&plan, 1, n_units, columns);
            if (board_plan_lines(sizes, n_rows, &plan) <= lines)
                break;
        }
    board_plan_spread(sizes, n_rows, lines - board_plan_lines(sizes, n_rows, &plan), &plan);
    *ret_plan = plan;
}
