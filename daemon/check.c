/* check.c - whether the daemon would start: the configuration, and the models it names.
 *
 *     FILE --conf_load--> every error of the file, or
 *          --celltap_model_load--> every model that cannot stream, with its node and the reason */
#include "daemon/check.h"

#include <stdio.h>

#include "daemon/conf.h"
#include "daemon/log.h"
#include "lib/celltap.h"

#define LINE_BYTES 2048

/* One error line about a model, safe to print. */
static void complain(const struct conf *conf, const struct conf_model *model, const char *text)
{
    char line[LINE_BYTES], safe[LINE_BYTES];
    snprintf(line, sizeof line, "%s:%u:1: model `%s`: %s", conf->path, model->line, model->name,
             text);
    log_escape(safe, sizeof safe, line);
    fprintf(stderr, "%s\n", safe);
}

/* 0, or -1 and a line that says why. */
static int check_model(const struct conf *conf, const struct conf_model *model)
{
    char text[LINE_BYTES];
    celltap_model *loaded;
    struct celltap_diagnosis diagnosis = {"", ""};
    int r = celltap_model_load(model->file, &loaded, &diagnosis);
    if (r < 0) {
        const char *why = diagnosis.text[0] != 0 ? diagnosis.text : celltap_strerror(r);
        snprintf(text, sizeof text, "%s%s%s%s; `celltap inspect %s` tells more",
                 diagnosis.node[0] != 0 ? "node `" : "", diagnosis.node,
                 diagnosis.node[0] != 0 ? "`: " : "", why, model->file);
        complain(conf, model, text);
        return -1;
    }
    size_t n_values = celltap_model_n_values(loaded), n_channels = model->channels.n;
    celltap_model_unref(loaded);
    if (n_channels == 0 || n_channels == n_values)
        return 0;
    snprintf(text, sizeof text, "`channels` names %zu values, the model takes %zu; name each once",
             n_channels, n_values);
    complain(conf, model, text);
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
