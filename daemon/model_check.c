/* model_check.c - the library's remarks, with the place in the configuration. */
#include "daemon/model_check.h"

#include <stdio.h>

#include "daemon/log.h"

void model_check(const struct conf *conf, struct serving *const *servings,
                 void (*warn)(void *arg, const char *text), void *arg)
{
    char text[1024];
    for (size_t m = 0; m < conf->n_models; m++) {
        const celltap_model *model = servings[m]->model;
        for (size_t i = 0; celltap_model_remark(model, i) != NULL; i++) {
            snprintf(text, sizeof(text), "%s:%u:1: model %s: %s", conf->path, conf->models[m].line,
                     conf->models[m].name, celltap_model_remark(model, i));
            warn(arg, text);
        }
    }
}

static void model_check_line(void *arg, const char *text)
{
    (void)arg;
    log_line(LOG_LEVEL_WARNING, "%s", text);
}

void model_check_log(const struct conf *conf, struct serving *const *servings)
{
    model_check(conf, servings, model_check_line, NULL);
}
