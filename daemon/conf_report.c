/* conf_report.c - errors collected, sorted by place, written as "FILE:LINE:COLUMN: text".
 *
 * Memory may run out at any call: then the one error told is that. */
#include "daemon/conf_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"

#define TEXT_BYTES 768 /* of one error */
#define PATH_BYTES 256 /* of the file's name in front of it */

/* Stand in for a text of one's own; never freed. */
static const char no_memory[] =
    "out of memory while reading the configuration; free some and try again\n";
static const char no_errors[] = "";

void conf_report_add(struct conf_report *report, struct conf_place place, const char *format, ...)
{
    report->n_errors++;
    if (report->n == CONF_REPORT_MAX || report->out_of_memory)
        return;
    char text[TEXT_BYTES], line[TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_escape(line, sizeof line, text);
    if (report->entries == NULL)
        report->entries = calloc(CONF_REPORT_MAX, sizeof *report->entries);
    char *copy = report->entries == NULL ? NULL : strdup(line);
    if (copy == NULL)
        report->out_of_memory = true;
    else
        report->entries[report->n++] = (struct conf_report_entry){place, copy};
}

static int by_place(const void *a, const void *b)
{
    const struct conf_place *x = &((const struct conf_report_entry *)a)->place;
    const struct conf_place *y = &((const struct conf_report_entry *)b)->place;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column;
}

static void put_line(FILE *out, const char *path, const struct conf_report_entry *entry)
{
    if (entry->place.line == 0)
        fprintf(out, "%s: %s\n", path, entry->text);
    else
        fprintf(out, "%s:%u:%u: %s\n", path, entry->place.line, entry->place.column, entry->text);
}

/* All lines as one text; NULL when out of memory. */
static char *join(struct conf_report *report)
{
    char *text = NULL, path[PATH_BYTES];
    size_t n_bytes;
    if (report->out_of_memory)
        return NULL;
    FILE *out = open_memstream(&text, &n_bytes);
    if (out == NULL)
        return NULL;
    log_escape(path, sizeof path, report->path);
    if (report->n > 0)
        qsort(report->entries, report->n, sizeof *report->entries, by_place);
    for (size_t i = 0; i < report->n; i++)
        put_line(out, path, &report->entries[i]);
    if (report->n_errors > report->n)
        fprintf(out, "%s: and %zu more errors; mend these first\n", path,
                report->n_errors - report->n);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

int conf_report_finish(struct conf_report *report, struct conf_errors *reterr)
{
    int failed = report->n_errors > 0 || report->out_of_memory;
    if (failed) {
        reterr->n = report->n_errors > 0 ? report->n_errors : 1;
        reterr->text = join(report);
        if (reterr->text == NULL)
            reterr->text = no_memory;
    } else {
        *reterr = (struct conf_errors){no_errors, 0};
    }
    for (size_t i = 0; i < report->n; i++)
        free(report->entries[i].text);
    free(report->entries);
    *report = (struct conf_report){.path = report->path};
    return failed ? -1 : 0;
}

void conf_errors_done(struct conf_errors *errors)
{
    if (errors->text != no_memory && errors->text != no_errors)
        free((char *)errors->text);
    *errors = (struct conf_errors){NULL, 0};
}
