/* check.c - whether the daemon would start: the configuration, and the models it names.
 *
 *     FILE --conf_load--> every error of the file, or
 *          --serving_load_all--> every model that cannot serve, with its node and the reason, or
 *          --model_check, tap_check--> warnings: of models, and what taps name that is not there */
#include "daemon/check.h"

#include <stdio.h>

#include "daemon/conf.h"
#include "daemon/log.h"
#include "daemon/model_check.h"
#include "daemon/serving.h"
#include "daemon/tap_check.h"

#define LINE_BYTES 4096

static void check_fault(void *arg, const char *text)
{
    char safe[LINE_BYTES];
    (void)arg;
    log_escape(safe, sizeof safe, text);
    fprintf(stderr, "%s\n", safe);
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
    struct serving **servings;
    int r = serving_load_all(conf, check_fault, NULL, &servings) == 0 ? 0 : CHECK_EXIT_CONFIG;
    if (r == 0) {
        model_check(conf, servings, check_fault, NULL);
        tap_check(conf, servings, check_fault, NULL);
        serving_free_all(servings, conf->n_models);
        printf("%s: ok, %zu model%s, %zu ingest, %zu tap%s\n", path, conf->n_models,
               conf->n_models == 1 ? "" : "s", conf->n_ingest, conf->n_taps,
               conf->n_taps == 1 ? "" : "s");
    }
    conf_free(conf);
    return r;
}
