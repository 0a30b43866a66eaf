/* check.c - whether the daemon would start: the configuration, and the models it names.
 *
 *     FILE --conf_load--> every error of the file, or
 *          --serving_load--> every model that cannot serve, with its node and the reason */
#include "daemon/check.h"

#include <stdio.h>

#include "daemon/conf.h"
#include "daemon/log.h"
#include "daemon/serving.h"

#define LINE_BYTES 2048

/* 0, or -1 and a line that says why. */
static int check_model(const struct conf *conf, const struct conf_model *model)
{
    char text[LINE_BYTES / 2], line[LINE_BYTES], safe[LINE_BYTES];
    struct serving *serving;
    if (serving_load(model, &serving, text, sizeof text) == 0) {
        serving_free(serving);
        return 0;
    }
    snprintf(line, sizeof line, "%s:%u:1: %s; `celltap inspect` tells more of it", conf->path,
             model->line, text);
    log_escape(safe, sizeof safe, line);
    fprintf(stderr, "%s\n", safe);
    return -1;
}

int check_run(const char *path)
{
    struct conf *conf;
    struct conf_errors errors;
    if (conf_load(path, &conf, &errors) < 0) {
        fputs(errors.text, stderr);
        conf_errors_done(&errors);
        return CHECK_EXIT_CONFIG;
    }
    conf_errors_done(&errors);
    int r = 0;
    for (size_t i = 0; i < conf->n_models; i++)
        if (check_model(conf, &conf->models[i]) < 0)
            r = CHECK_EXIT_CONFIG;
    if (r == 0)
        printf("%s: ok, %zu model%s, %zu ingest, %zu tap%s\n", path, conf->n_models,
               conf->n_models == 1 ? "" : "s", conf->n_ingest, conf->n_taps,
               conf->n_taps == 1 ? "" : "s");
    conf_free(conf);
    return r;
}
