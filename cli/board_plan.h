/* board_plan.h - where the units of all rows go on so many columns and lines. */
#ifndef CLI_BOARD_PLAN_H
#define CLI_BOARD_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#define BOARD_HISTORY_MAX 12 /* lines below a row's newest */
#define BOARD_NUMBERS_MAX 4  /* units that are shown as numbers too, instead of a history */

struct board_plan {
    unsigned wide;       /* columns of a cell */
    size_t n_units;      /* in a cell: the largest shows */
    size_t cells_a_line; /* at most */
    unsigned n_history;  /* lines behind each row that is wider than BOARD_NUMBERS_MAX */
    bool has_gaps;       /* an empty line before and behind such rows */
    bool has_air;        /* an empty line below the head */
    size_t from, to;     /* rows shown */
};

/* sizes[n_rows] are the units of each row; `scroll` is the first row wanted. */
void board_plan(const size_t *sizes, size_t n_rows, size_t scroll, unsigned columns, unsigned lines,
                struct board_plan *ret_plan);

/* True if an empty line stands between a row of n units and the next one of next_n (0: none). */
bool board_plan_gap(const struct board_plan *plan, size_t n, size_t next_n);

#endif
