/* conf_check.c - what must hold between options, beyond what each row of the table says. */
#include "daemon/conf_check.h"

#include <stdlib.h>
#include <string.h>

struct named {
    const char *name; /* borrowed */
    size_t ix;        /* in the file's order */
};

static int by_name(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->ix > y->ix) - (x->ix < y->ix);
}

/* names: [n], NULL where one was refused; what: "model". */
static void check_unique(struct conf_read *read, const char *const *names, size_t n,
                         const char *what)
{
    size_t n_sorted = 0;
    struct named *sorted = calloc(n + 1, sizeof *sorted);
    if (sorted == NULL) {
        read->report->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (names[i] != NULL)
            sorted[n_sorted++] = (struct named){names[i], i};
    qsort(sorted, n_sorted, sizeof *sorted, by_name);
    for (size_t i = 1; i < n_sorted && !conf_report_is_full(read->report); i++)
        if (strcmp(sorted[i - 1].name, sorted[i].name) == 0)
            conf_report_add(read->report, conf_read_place(read, sorted[i].name, 0),
                            "`%.128s` is the name of another %s, in line %u; choose a new one",
                            sorted[i].name, what,
                            conf_read_place(read, sorted[i - 1].name, 0).line);
    free(sorted);
}

static void check_names(struct conf_read *read, const struct conf *conf)
{
    size_t n_most = conf->n_models > conf->n_taps ? conf->n_models : conf->n_taps;
    const char **names = calloc(n_most + 1, sizeof *names);
    if (names == NULL) {
        read->report->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < conf->n_models; i++)
        names[i] = conf->models[i].name;
    check_unique(read, names, conf->n_models, "model");
    for (size_t i = 0; i < conf->n_taps; i++)
        names[i] = conf->taps[i].name;
    check_unique(read, names, conf->n_taps, "tap");
    for (size_t i = 0; i < conf->n_models; i++)
        check_unique(read, (const char *const *)conf->models[i].channels.items,
                     conf->models[i].channels.n, "channel");
    free(names);
}

void conf_check(struct conf_read *read, struct conf *conf)
{
    check_names(read, conf);
    for (size_t i = 0; i < conf->n_taps; i++) {
        struct conf_tap *tap = &conf->taps[i];
        bool is_f2 = tap->dtype == CONF_DTYPE_F2;
        conf_tap_settle(tap);
        if (tap->layout == CONF_LAYOUT_ARRAY && is_f2)
            conf_report_add(read->report, conf_read_place(read, &tap->dtype, tap->line),
                            "`dtype: <f2` needs `encoding: bin`; an array holds float32");
        tap->encoding = tap->layout == CONF_LAYOUT_ARRAY ? CELLTAP_ENCODING_ARRAY
                        : is_f2                          ? CELLTAP_ENCODING_F2
                                                         : CELLTAP_ENCODING_F4;
    }
}
