/* board.c - what watch's picture shows: the units of a stream's layers, now and a moment ago.
 *
 *     take: record -> seqs (all streams), rows (the stream shown)      row = one tensor of a layer
 *     tick: rows' values -> history      print: board_plan -> board_lines -> FILE
 */
#include "cli/board.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/board_plan.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/seqs.h"

#define BOARD_ROWS_MAX    1024
#define BOARD_LABEL_MAX   64 /* bytes */
#define BOARD_RATE_NS     500000000
#define BOARD_MARGIN      2  /* columns left free at the right */
#define BOARD_COLUMNS_MIN 32 /* of a terminal; below, there is no picture */
#define BOARD_LINES_MIN   4
#define BOARD_SCALE       8 /* columns of "  ±1e-05 " */

struct board_row {
    char *layer;  /* owned */
    char *tensor; /* owned */
    size_t n;
    float *values;  /* owned, [n] */
    float *history; /* owned, [BOARD_HISTORY_MAX][n], a ring */
    unsigned newest, n_history;
    bool is_new; /* since the last picture */
    float most;  /* the largest magnitude seen */
};

struct board {
    struct seqs seqs;
    int shown;              /* stream */
    struct board_row *rows; /* owned, [n_rows] */
    size_t n_rows, n_rows_room, scroll;
    uint64_t ticked_ns, ticked_seq;
    double rate; /* of the stream shown, timesteps a second */
};

struct board *board_new(uint64_t every)
{
    struct board *board = calloc(1, sizeof *board);
    if (board)
        board->seqs.every = every;
    return board;
}

static void board_clear(struct board *board)
{
    for (size_t i = 0; i < board->n_rows; i++) {
        free(board->rows[i].layer);
        free(board->rows[i].tensor);
        free(board->rows[i].values);
        free(board->rows[i].history);
    }
    board->n_rows = board->scroll = 0;
}

void board_restart(struct board *board)
{
    board_clear(board);
    seqs_pause(&board->seqs);
}

void board_free(struct board *board)
{
    if (!board)
        return;
    board_clear(board);
    free(board->rows);
    seqs_done(&board->seqs);
    free(board);
}

uint64_t board_n_lost(const struct board *board)
{
    return board->seqs.n_lost;
}

void board_next_stream(struct board *board, int step)
{
    int n = (int)board->seqs.n;
    if (n < 2)
        return;
    board->shown = (board->shown + step + n) % n;
    board->ticked_ns = 0;
    board->rate = 0;
    board_clear(board);
}

void board_scroll(struct board *board, int step)
{
    if (step < 0 ? board->scroll > 0 : board->scroll + 1 < board->n_rows)
        board->scroll = (size_t)((int)board->scroll + step);
}

/* ---- taking -------------------------------------------------------------------------------- */

static bool board_is_text(const char *text, const char *bytes, size_t n_bytes)
{
    return strlen(text) == n_bytes && memcmp(text, bytes, n_bytes) == 0;
}

static struct board_row *board_add_row(struct board *board,
                                       const struct celltap_record_view *record, const char *tensor,
                                       size_t tensor_bytes, size_t n_values)
{
    if (board->n_rows == board->n_rows_room) {
        size_t room = board->n_rows_room ? 2 * board->n_rows_room : 16;
        struct board_row *rows = realloc(board->rows, room * sizeof *rows);
        if (!rows)
            return NULL;
        board->rows = rows;
        board->n_rows_room = room;
    }
    struct board_row *row = &board->rows[board->n_rows];
    *row = (struct board_row){.layer = strndup(record->layer, record->layer_bytes),
                              .tensor = strndup(tensor, tensor_bytes),
                              .n = n_values,
                              .values = calloc(n_values + 1, sizeof(float)),
                              .history = calloc(BOARD_HISTORY_MAX * n_values + 1, sizeof(float))};
    board->n_rows++;
    return row->layer && row->tensor && row->values && row->history ? row : NULL;
}

static struct board_row *board_find_row(struct board *board,
                                        const struct celltap_record_view *record,
                                        const char *tensor, size_t tensor_bytes, size_t n_values)
{
    for (size_t i = 0; i < board->n_rows; i++) {
        struct board_row *row = &board->rows[i];
        if (board_is_text(row->layer, record->layer, record->layer_bytes) &&
            board_is_text(row->tensor, tensor, tensor_bytes) && row->n == n_values)
            return row;
    }
    return board_add_row(board, record, tensor, tensor_bytes, n_values);
}

bool board_take(struct board *board, const struct celltap_record_view *record, const char *tensor,
                size_t tensor_bytes, const float *values, size_t n_values)
{
    int stream = seqs_take(&board->seqs, record->stream, record->stream_bytes, record->seq);
    if (stream != board->shown || board->n_rows == BOARD_ROWS_MAX)
        return true;
    struct board_row *row = board_find_row(board, record, tensor, tensor_bytes, n_values);
    if (!row)
        return false;
    memcpy(row->values, values, n_values * sizeof *values);
    row->is_new = true;
    for (size_t i = 0; i < n_values; i++)
        if (fabsf(values[i]) > row->most && isfinite(values[i]))
            row->most = fabsf(values[i]);
    return true;
}

void board_tick(struct board *board, uint64_t now_ns)
{
    for (size_t i = 0; i < board->n_rows; i++) {
        struct board_row *row = &board->rows[i];
        if (!row->is_new)
            continue;
        row->is_new = false;
        row->newest = (row->newest + 1) % BOARD_HISTORY_MAX;
        row->n_history += row->n_history < BOARD_HISTORY_MAX;
        memcpy(row->history + row->newest * row->n, row->values, row->n * sizeof *row->values);
    }
    if (board->seqs.n == 0)
        return;
    uint64_t seq = board->seqs.streams[board->shown].seq;
    if (!board->ticked_ns || seq < board->ticked_seq) {
        board->ticked_ns = now_ns;
        board->ticked_seq = seq;
    } else if (now_ns - board->ticked_ns >= BOARD_RATE_NS) {
        board->rate = (double)(seq - board->ticked_seq) * 1e9 / (double)(now_ns - board->ticked_ns);
        board->ticked_ns = now_ns;
        board->ticked_seq = seq;
    }
}

/* ---- printing ------------------------------------------------------------------------------ */

/* 1, 2 or 5 times a power of ten, at least the largest magnitude seen. */
static float board_scale(const struct board_row *row)
{
    if (row->most <= 0)
        return 1;
    float power = powf(10, floorf(log10f(row->most)));
    static const float steps[] = {1, 2, 5, 10};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (row->most <= steps[i] * power * 1.0001f)
            return steps[i] * power;
    return 10 * power;
}

static void board_label(const struct board_row *row, char *ret_label)
{
    char text[2 * BOARD_LABEL_MAX];
    if (strcmp(row->tensor, "output") == 0)
        snprintf(text, sizeof text, "%.*s", BOARD_LABEL_MAX - 1, row->layer);
    else
        snprintf(text, sizeof text, "%.*s %.*s", BOARD_LABEL_MAX / 2, row->layer,
                 BOARD_LABEL_MAX / 2, row->tensor);
    say_clean(text, strlen(text), ret_label, BOARD_LABEL_MAX);
}

/* Widest label of all rows, within a quarter of the terminal. */
static unsigned board_label_wide(const struct board *board, unsigned columns)
{
    unsigned wide = 5;
    for (size_t i = 0; i < board->n_rows; i++) {
        char label[BOARD_LABEL_MAX];
        board_label(&board->rows[i], label);
        if (strlen(label) > wide)
            wide = (unsigned)strlen(label);
    }
    return wide > columns / 4 ? columns / 4 : wide;
}

/* The value a cell shows: that of its units with the largest magnitude. */
static float board_bin(const float *values, size_t n, size_t from, size_t n_units)
{
    float most = values[from];
    for (size_t i = from + 1; i < from + n_units && i < n; i++)
        if (!(fabsf(values[i]) <= fabsf(most)))
            most = values[i];
    return most;
}

/* One line of cells, from unit `from`. */
static void board_cells(const struct board_row *row, const float *values, size_t from,
                        const struct board_plan *plan, enum heat_mode mode, FILE *file)
{
    float scale = board_scale(row);
    for (size_t i = 0; i < plan->cells_a_line && from < row->n; i++, from += plan->n_units)
        heat_cell(file, mode, board_bin(values, row->n, from, plan->n_units) / scale, plan->wide);
    heat_end(file, mode);
}

/* The values behind the cells, as many as there is room for. */
static void board_numbers(const struct board_row *row, const struct board_plan *plan, FILE *file)
{
    size_t room = (plan->cells_a_line - row->n) * plan->wide + BOARD_MARGIN;
    for (size_t i = 0; i < row->n; i++) {
        char text[32];
        size_t n = (size_t)snprintf(text, sizeof text, "  %+.4g", (double)row->values[i]);
        if (n > room)
            return;
        fputs(text, file);
        room -= n;
    }
}

static void board_row(const struct board_row *row, const struct board_plan *plan, size_t next_n,
                      unsigned label_wide, enum heat_mode mode, FILE *file)
{
    char label[BOARD_LABEL_MAX];
    size_t units_a_line = plan->cells_a_line * plan->n_units;
    unsigned line = 0;
    board_label(row, label);
    for (size_t from = 0; from < row->n || from == 0; from += units_a_line, line++) {
        if (line == 0)
            fprintf(file, "%-*.*s ±%-6.3g", (int)label_wide, (int)label_wide, label,
                    (double)board_scale(row));
        else
            fprintf(file, "%*s", (int)(label_wide + BOARD_SCALE), "");
        board_cells(row, row->values, from, plan, mode, file);
        if (row->n <= BOARD_NUMBERS_MAX && row->n <= plan->cells_a_line)
            board_numbers(row, plan, file);
        fputs("\033[K\r\n", file);
    }
    for (unsigned ago = 1; ago <= plan->n_history && row->n > BOARD_NUMBERS_MAX; ago++) {
        fprintf(file, "%*s", (int)(label_wide + BOARD_SCALE), "");
        if (ago < row->n_history)
            board_cells(row,
                        row->history +
                            (row->newest + BOARD_HISTORY_MAX - ago) % BOARD_HISTORY_MAX * row->n,
                        0, plan, mode, file);
        fputs("\033[K\r\n", file);
    }
    if (board_plan_gap(plan, row->n, next_n))
        fputs("\033[K\r\n", file);
}

static void board_head(const struct board *board, const struct board_picture *picture, FILE *file)
{
    char seq[32], rate[32], lost[32], text[512];
    if (board->seqs.n == 0) {
        fprintf(file, "\033[1mcelltap\033[0m  waiting for frames of the streams %s\033[K\r\n",
                picture->selected);
        return;
    }
    const struct seqs_stream *stream = &board->seqs.streams[board->shown];
    int n = snprintf(text, sizeof text, "%.48s", stream->name);
    if (board->seqs.n > 1)
        n += snprintf(text + n, sizeof text - (size_t)n, " (%d of %zu)", board->shown + 1,
                      board->seqs.n);
    snprintf(text + n, sizeof text - (size_t)n, "   seq %s   %s/s   %s lost   %s",
             progress_thousands(stream->seq, seq),
             progress_thousands((uint64_t)(board->rate + 0.5), rate),
             progress_thousands(stream->n_lost, lost), picture->tensor);
    fprintf(file, "\033[1mcelltap\033[0m  %.*s\033[K\r\n", (int)picture->columns - 10, text);
}

static void board_foot(const struct board *board, const struct board_picture *picture,
                       const struct board_plan *plan, FILE *file)
{
    char text[160] = "";
    fputs("-1 ", file);
    for (int i = -5; i <= 5; i++)
        heat_cell(file, picture->mode, (float)i / 5, 1);
    heat_end(file, picture->mode);
    if (plan->n_units > 1)
        snprintf(text, sizeof text, "   %zu units a cell", plan->n_units);
    if (plan->to - plan->from < board->n_rows)
        snprintf(text + strlen(text), sizeof text - strlen(text), "   up/down: %zu more rows",
                 board->n_rows - (plan->to - plan->from));
    if (board->seqs.n > 1)
        strcat(text, "   left/right: stream");
    if (picture->can_tab)
        strcat(text, "   Tab: tensor");
    strcat(text, "   q: quit");
    fprintf(file, " +1 of ±%.*s\033[K", picture->columns > 23 ? (int)picture->columns - 23 : 0,
            text);
}

void board_print(struct board *board, const struct board_picture *picture, FILE *file)
{
    if (picture->columns < BOARD_COLUMNS_MIN || picture->lines < BOARD_LINES_MIN) {
        fprintf(file, "\033[H\033[J%.*s", (int)picture->columns, "too small");
        return;
    }
    unsigned label_wide = board_label_wide(board, picture->columns);
    unsigned used = label_wide + BOARD_SCALE + BOARD_MARGIN;
    size_t sizes[BOARD_ROWS_MAX];
    struct board_plan plan;
    for (size_t i = 0; i < board->n_rows; i++)
        sizes[i] = board->rows[i].n;
    board_plan(sizes, board->n_rows, board->scroll, picture->columns - used, picture->lines - 2,
               &plan);
    board->scroll = plan.from;
    fputs("\033[H", file);
    board_head(board, picture, file);
    if (plan.has_air)
        fputs("\033[K\r\n", file);
    for (size_t i = plan.from; i < plan.to; i++)
        board_row(&board->rows[i], &plan, i + 1 < plan.to ? sizes[i + 1] : 0, label_wide,
                  picture->mode, file);
    fprintf(file, "\033[J\033[%uH", picture->lines);
    board_foot(board, picture, &plan, file);
}
