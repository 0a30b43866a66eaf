/* progress.c - how far it is: a bar on a terminal, a line now and then elsewhere. */
#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_TERMINAL_NS 100000000  /* between two pictures of the bar */
#define PROGRESS_LINES_NS    5000000000 /* between two lines */
#define PROGRESS_BAR_MAX     40         /* cells */
#define PROGRESS_NS_A_SECOND 1000000000

uint64_t progress_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * PROGRESS_NS_A_SECOND + (uint64_t)now.tv_nsec;
}

double progress_seconds(const struct progress *progress)
{
    return (double)(progress_now_ns() - progress->started_ns) / PROGRESS_NS_A_SECOND;
}

char *progress_thousands(uint64_t number, char ret_text[32])
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    char *out = ret_text;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
    return ret_text;
}

void progress_start(struct progress *progress, const char *unit, uint64_t n_bytes,
                    enum progress_elsewhere elsewhere)
{
    const char *term = getenv("TERM");
    bool is_terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    uint64_t now = progress_now_ns();
    *progress = (struct progress){.unit = unit,
                                  .is_terminal = is_terminal,
                                  .is_silent = !is_terminal && elsewhere == PROGRESS_SILENT,
                                  .started_ns = now,
                                  .n_bytes = n_bytes};
    progress->next_ns = now + (is_terminal ? 2 * PROGRESS_TERMINAL_NS : PROGRESS_LINES_NS);
}

/* "0:06", "12:31" or "2:03:59". */
static void progress_clock(double seconds, char *ret_text, size_t size)
{
    unsigned long long s = seconds < 359999 ? (unsigned long long)(seconds + 0.5) : 359999;
    if (s >= 3600)
        snprintf(ret_text, size, "%llu:%02llu:%02llu", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(ret_text, size, "%llu:%02llu", s / 60, s % 60);
}

static void progress_bar(const struct progress *progress, double part, char *ret_bar, size_t size)
{
    struct winsize window = {0};
    size_t columns =
        ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col ? window.ws_col : 80;
    size_t cells = columns > 60 ? columns - 58 : 0;
    cells = cells > PROGRESS_BAR_MAX ? PROGRESS_BAR_MAX : cells;
    *ret_bar = '\0';
    if (!progress->is_terminal || cells < 8 || cells + 4 > size)
        return;
    size_t full = (size_t)(part * (double)cells);
    ret_bar[0] = '[';
    for (size_t i = 0; i < cells; i++)
        ret_bar[1 + i] = i < full ? '=' : i == full ? '>' : ' ';
    memcpy(ret_bar + 1 + cells, "]  ", 4);
}

void progress_show(struct progress *progress, uint64_t n_rows, uint64_t n_bytes)
{
    if (progress->is_silent)
        return;
    uint64_t now = progress_now_ns();
    if (now < progress->next_ns)
        return;
    progress->next_ns = now + (progress->is_terminal ? PROGRESS_TERMINAL_NS : PROGRESS_LINES_NS);
    double seconds = progress_seconds(progress);
    char bar[PROGRESS_BAR_MAX + 8] = "", left[64] = "", percent[16] = "", rows[32], rate[32];
    if (progress->n_bytes && n_bytes && n_bytes <= progress->n_bytes) {
        double part = (double)n_bytes / (double)progress->n_bytes;
        progress_bar(progress, part, bar, sizeof bar);
        snprintf(percent, sizeof percent, "%3.0f %%  ", 100 * part);
        memcpy(left, "  ", 3);
        progress_clock(seconds / part - seconds, left + 2, sizeof left - 8);
        strcat(left, " left");
    }
    fprintf(stderr, "%s%s%s%s %s  %s/s%s%s", progress->is_terminal ? "\r" : "", bar, percent,
            progress_thousands(n_rows, rows), progress->unit,
            progress_thousands((uint64_t)((double)n_rows / seconds), rate), left,
            progress->is_terminal ? "\033[K" : "\n");
    fflush(stderr);
    progress->is_shown = progress->is_terminal;
}

void progress_clear(struct progress *progress)
{
    if (!progress->is_shown)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    progress->is_shown = false;
}
