/* board.h - what watch's picture shows: the units of a stream's layers, now and a moment ago.
 *
 *     celltap  pump/1 (1 of 3)    seq 12,345   998/s   0 lost          output
 *
 *     lstm.l0   ±1  [] [] [] [] [] [] [] []      now
 *                   [] [] [] [] [] [] [] []      before, where there is room
 *     fc        ±5  []  +1.25
 *
 *     -1 [][][][][] +1     q quit  Tab tensor  <> stream  ^v layers
 *
 * One stream is shown at a time; of the others it is known that they are there.  Layers that are
 * wider than the terminal go over several lines, or, when there is no room for that, several units
 * share a cell (the largest of them shows).  Pure: prints into a FILE, knows no terminal. */
#ifndef CLI_BOARD_H
#define CLI_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/heat.h"
#include "lib/celltap_wire.h"

struct board;

struct board *board_new(uint64_t every); /* NULL: no memory */
void board_free(struct board *board);    /* NULL is fine */

/* Takes one tensor of a record; those of streams that are not shown are only counted.  False: no
 * memory. */
bool board_take(struct board *board, const struct celltap_record_view *record, const char *tensor,
                size_t tensor_bytes, const float *values, size_t n_values);

/* Before each picture: what was shown becomes history, the rate is measured. */
void board_tick(struct board *board, uint64_t now_ns);

void board_next_stream(struct board *board, int step);
void board_scroll(struct board *board, int step);
void board_restart(struct board *board); /* forgets the layers: another tap comes */

struct board_picture {
    unsigned columns, lines;
    enum heat_mode mode;
    const char *tensor;   /* as it is named at the top */
    const char *selected; /* the streams waited for */
    bool can_tab;
};
void board_print(struct board *board, const struct board_picture *picture, FILE *file);

uint64_t board_n_lost(const struct board *board);

#endif
