/* csv.c - a csv file, one record after the other, in constant memory.
 *
 *     buffer  | given out | next record | rest |  free  |
 *             0           at            |      used     CSV_RECORD_MAX
 *
 * A record is looked for from `at`; when its end is not in the buffer, the rest moves to the front
 * and more is read.  Only then is it split, in place: quotes are taken out and NULs put in. */
#include "cli/csv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/say.h"
#include "cli/stop.h"

#define CSV_READ_BYTES (64 * 1024) /* of one read: small files touch little memory */

struct csv {
    char *path; /* owned */
    int fd;
    char delimiter;
    bool started;  /* the mark at the start has been looked for */
    bool ended;    /* the file has given all its bytes */
    bool after_cr; /* the byte before `at` is \r: a \n belongs to it */
    uint64_t line;
    uint64_t bytes_read, bytes_total;
    char *buffer; /* owned, [CSV_RECORD_MAX + 1] */
    size_t at, used;
    struct csv_cell *cells; /* owned, [cells_room] */
    size_t cells_room;
};

/* ---- opening ------------------------------------------------------------------------------- */

int csv_open(const char *path, char delimiter, struct csv **ret_csv, char *ret_error)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct stat about;
    struct csv *csv = calloc(1, sizeof *csv);
    if (!csv || !(csv->buffer = malloc(CSV_RECORD_MAX + 1)) ||
        !(csv->path = strdup(is_stdin ? "stdin" : path))) {
        snprintf(ret_error, CSV_ERROR_MAX, "out of memory");
        goto fail;
    }
    csv->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (csv->fd < 0 || fstat(csv->fd, &about) < 0) {
        snprintf(ret_error, CSV_ERROR_MAX, "%.256s: %s", path, strerror(errno));
        goto fail;
    }
    if (S_ISDIR(about.st_mode)) {
        snprintf(ret_error, CSV_ERROR_MAX, "%.256s is a directory; name a csv file", path);
        goto fail;
    }
    csv->bytes_total = S_ISREG(about.st_mode) ? (uint64_t)about.st_size : 0;
    csv->delimiter = delimiter;
    csv->line = 1;
    *ret_csv = csv;
    return 0;
fail:
    csv_close(csv);
    return -1;
}

void csv_close(struct csv *csv)
{
    if (!csv)
        return;
    if (csv->fd > STDIN_FILENO)
        close(csv->fd);
    free(csv->path);
    free(csv->buffer);
    free(csv->cells);
    free(csv);
}

const char *csv_path(const struct csv *csv)
{
    return csv->path;
}

char csv_delimiter(const struct csv *csv)
{
    return csv->delimiter;
}

uint64_t csv_bytes_read(const struct csv *csv)
{
    return csv->bytes_read;
}

uint64_t csv_bytes_total(const struct csv *csv)
{
    return csv->bytes_total;
}

/* ---- filling the buffer -------------------------------------------------------------------- */

/* Reads more bytes behind those that are there.  0 (csv->ended may be set) or -1. */
static int csv_fill(struct csv *csv, char *ret_error)
{
    memmove(csv->buffer, csv->buffer + csv->at, csv->used - csv->at);
    csv->used -= csv->at;
    csv->at = 0;
    size_t room = CSV_RECORD_MAX - csv->used;
    ssize_t n = -1;
    do {
        if (stop_asked()) {
            snprintf(ret_error, CSV_ERROR_MAX, "interrupted");
            return -1;
        }
        n = read(csv->fd, csv->buffer + csv->used, room < CSV_READ_BYTES ? room : CSV_READ_BYTES);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        snprintf(ret_error, CSV_ERROR_MAX, "%.256s: %s", csv->path, strerror(errno));
        return -1;
    }
    csv->ended = n == 0;
    csv->used += (size_t)n;
    return 0;
}

/* The first bytes: a mark of UTF-8 is passed over, one of UTF-16 is refused. */
static int csv_start(struct csv *csv, char *ret_error)
{
    while (csv->used < 3 && !csv->ended)
        if (csv_fill(csv, ret_error) < 0)
            return -1;
    if (csv->used >= 3 && memcmp(csv->buffer, "\xef\xbb\xbf", 3) == 0)
        csv->at = 3;
    if (csv->used >= 2 &&
        (memcmp(csv->buffer, "\xff\xfe", 2) == 0 || memcmp(csv->buffer, "\xfe\xff", 2) == 0)) {
        snprintf(ret_error, CSV_ERROR_MAX,
                 "%.256s is UTF-16; convert it: iconv -f UTF-16 -t UTF-8 FILE", csv->path);
        return -1;
    }
    csv->bytes_read = csv->at;
    return 0;
}

/* ---- finding a record ---------------------------------------------------------------------- */

static bool csv_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The delimiter that the first line uses, quoted text aside. */
static char csv_detect(const char *line, size_t n_bytes)
{
    bool quoted = false, tab = false;
    for (size_t i = 0; i < n_bytes; i++) {
        quoted ^= line[i] == '"';
        if (!quoted && line[i] == ';')
            return ';';
        tab |= !quoted && line[i] == '\t';
    }
    return tab ? '\t' : ',';
}

/* Where in a cell a byte leaves us. */
enum csv_state {
    CSV_START,  /* nothing but blanks yet */
    CSV_PLAIN,  /* text without quotes */
    CSV_QUOTED, /* between quotes */
    CSV_CLOSED  /* behind the closing quote, or on the first of "" */
};

static enum csv_state csv_step(enum csv_state state, char c, char delimiter)
{
    if (state == CSV_QUOTED)
        return c == '"' ? CSV_CLOSED : CSV_QUOTED;
    if (delimiter ? c == delimiter : c == ',' || c == ';' || c == '\t')
        return CSV_START;
    if (c == '"' && state != CSV_PLAIN)
        return CSV_QUOTED;
    return csv_is_blank(c) ? state : CSV_PLAIN;
}

/* Offset from `at` of the line end that closes the record, -1 if it is not in the buffer. */
static ssize_t csv_find_end(const struct csv *csv)
{
    const char *start = csv->buffer + csv->at;
    size_t n_bytes = csv->used - csv->at;
    enum csv_state state = CSV_START;
    for (size_t i = 0; i < n_bytes; i++) {
        if (state != CSV_QUOTED && (start[i] == '\n' || start[i] == '\r'))
            return (ssize_t)i;
        state = csv_step(state, start[i], csv->delimiter);
    }
    return -1;
}

/* Passes over one line end (of \r\n the second is no line of its own). */
static void csv_pass_line_end(struct csv *csv, char c)
{
    csv->at++;
    csv->line += !(c == '\n' && csv->after_cr);
    csv->after_cr = c == '\r';
    csv->bytes_read++;
}

bool csv_must_wait(struct csv *csv)
{
    struct pollfd readable = {.fd = csv->fd, .events = POLLIN};
    if (csv->bytes_total || csv->ended)
        return false;
    while (csv_find_end(csv) == 0)
        csv_pass_line_end(csv, csv->buffer[csv->at]);
    return csv_find_end(csv) < 0 && poll(&readable, 1, 0) == 0;
}

/* Makes the next record that is not empty stand at `at`; *ret_bytes long.  1, 0 at the end, -1. */
static int csv_next(struct csv *csv, size_t *ret_bytes, char *ret_error)
{
    for (;;) {
        ssize_t end = csv_find_end(csv);
        if (end < 0 && !csv->ended) {
            if (csv->used - csv->at == CSV_RECORD_MAX) {
                snprintf(ret_error, CSV_ERROR_MAX,
                         "%.256s:%llu: the line is longer than 1 MiB; is a quote left open?",
                         csv->path, (unsigned long long)csv->line);
                return -1;
            }
            if (csv_fill(csv, ret_error) < 0)
                return -1;
        } else if (end == 0) {
            csv_pass_line_end(csv, csv->buffer[csv->at]);
        } else if (end < 0 && csv->used == csv->at) {
            return 0;
        } else {
            *ret_bytes = end < 0 ? csv->used - csv->at : (size_t)end;
            return 1;
        }
    }
}

/* ---- splitting a record -------------------------------------------------------------------- */

static struct csv_cell *csv_add_cell(struct csv *csv, size_t n_cells, char *ret_error)
{
    if (n_cells == csv->cells_room) {
        size_t room = csv->cells_room ? 2 * csv->cells_room : 16;
        struct csv_cell *cells = realloc(csv->cells, room * sizeof *cells);
        if (!cells) {
            snprintf(ret_error, CSV_ERROR_MAX, "out of memory");
            return NULL;
        }
        csv->cells = cells;
        csv->cells_room = room;
    }
    return &csv->cells[n_cells];
}

static int csv_fault(const struct csv *csv, uint64_t line, uint64_t column, const char *what,
                     char *ret_error)
{
    snprintf(ret_error, CSV_ERROR_MAX, "%.256s:%llu:%llu: %s", csv->path, (unsigned long long)line,
             (unsigned long long)column, what);
    return -1;
}

/* Where the splitter is in the file. */
struct csv_place {
    const char *text, *end;
    const char *line_start;
    uint64_t line;
};

static void csv_place_step(struct csv_place *place, char c)
{
    if (c == '\n' || (c == '\r' && (place->text + 1 == place->end || place->text[1] != '\n'))) {
        place->line++;
        place->line_start = place->text + 1;
    }
}

/* Unescapes the cell at place->text in place and moves behind its delimiter.  1 if another cell
 * follows, 0, or -1. */
static int csv_split_cell(const struct csv *csv, struct csv_place *place, struct csv_cell *cell,
                          char *ret_error)
{
    enum csv_state state = CSV_START, before;
    char *out = csv->buffer + (place->text - csv->buffer);
    bool more = false;
    *cell = (struct csv_cell){.text = out,
                              .line = place->line,
                              .column = (uint64_t)(place->text - place->line_start) + 1};
    for (; place->text < place->end && !more; place->text++) {
        char c = *place->text;
        before = state;
        state = csv_step(state, c, csv->delimiter);
        csv_place_step(place, c);
        more = state == CSV_START && c == csv->delimiter;
        if (before == CSV_CLOSED && state == CSV_PLAIN)
            return csv_fault(csv, place->line, (uint64_t)(place->text - place->line_start) + 1,
                             "text behind a closing quote; write a quote inside as \"\"",
                             ret_error);
        if (before == CSV_START && state == CSV_QUOTED)
            out = cell->text; /* the blanks before the quote go */
        else if (!more && state != CSV_CLOSED)
            *out++ = c;
    }
    if (state == CSV_QUOTED)
        return csv_fault(csv, cell->line, cell->column, "the quote opened here is never closed",
                         ret_error);
    *out = '\0';
    cell->n_bytes = (size_t)(out - cell->text);
    return more;
}

int csv_read(struct csv *csv, struct csv_record *ret_record, char *ret_error)
{
    size_t n_bytes, n_cells = 0;
    int code;
    if (!csv->started && csv_start(csv, ret_error) < 0)
        return -1;
    csv->started = true;
    if ((code = csv_next(csv, &n_bytes, ret_error)) <= 0)
        return code;
    char *text = csv->buffer + csv->at;
    if (!csv->delimiter)
        csv->delimiter = csv_detect(text, n_bytes);
    struct csv_place place = {text, text + n_bytes, text, csv->line};
    char line_end = text[n_bytes]; /* a NUL will stand there */
    do {
        struct csv_cell *cell = csv_add_cell(csv, n_cells, ret_error);
        if (!cell || (code = csv_split_cell(csv, &place, cell, ret_error)) < 0)
            return -1;
        n_cells++;
    } while (code > 0);
    csv->at += n_bytes;
    csv->bytes_read += n_bytes;
    csv->line = place.line;
    csv->after_cr = false;
    if (csv->at < csv->used)
        csv_pass_line_end(csv, line_end);
    *ret_record = (struct csv_record){csv->cells, n_cells};
    return 1;
}
