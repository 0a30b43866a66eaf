/* conf.c - a configuration read whole or not at all, let go, compared, and its globs matched.
 *
 *     conf_yaml --> conf_read (table) --> conf_listen, conf_check, conf_detect --> struct conf,
 *                                                                         or every error
 */
#include "daemon/conf.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/conf_check.h"
#include "daemon/conf_detect.h"
#include "daemon/conf_listen.h"
#include "daemon/conf_read.h"

#define BUDGET_BYTES (4 * CONF_YAML_BYTES_MAX) /* of texts: aliases may repeat a file fourfold */

int conf_load(const char *path, struct conf **ret_conf, struct conf_errors *reterr)
{
    struct conf_report report = {.path = path};
    struct conf_read read = {.report = &report, .path = path, .budget_bytes = BUDGET_BYTES};
    struct conf_yaml *yaml = NULL;
    struct conf *conf = calloc(1, sizeof *conf);
    if (conf == NULL || (conf->path = strdup(path)) == NULL) {
        report.out_of_memory = true;
    } else if (conf_yaml_load(path, &report, &yaml) == 0) {
        conf_read_root(&read, yaml, conf);
        conf_listen_check(&read, conf);
        conf_check(&read, conf);
        conf_detect_check(&read, conf);
    }
    conf_read_done(&read);
    conf_yaml_free(yaml);
    if (conf_report_finish(&report, reterr) == 0) {
        *ret_conf = conf;
        return 0;
    }
    conf_free(conf);
    return -1;
}

/* ---- letting go --------------------------------------------------------------------------- */

static void done_section(const struct conf_section *section, char *base);

static void done_list(const struct conf_option *option, char *base)
{
    char *items;
    size_t n;
    memcpy(&items, base + option->offset, sizeof items);
    memcpy(&n, base + option->n_offset, sizeof n);
    for (size_t i = 0; items != NULL && i < n; i++)
        done_section(option->section, items + i * option->section->n_bytes);
    free(items);
}

static void done_texts(struct conf_texts *texts)
{
    for (size_t i = 0; i < texts->n; i++)
        free(texts->items[i]);
    free(texts->items);
}

static void done_section(const struct conf_section *section, char *base)
{
    for (size_t i = 0; i < section->n_options; i++) {
        const struct conf_option *option = &section->options[i];
        void *field = base + option->offset;
        switch (option->type) {
        case CONF_TYPE_NAME:
        case CONF_TYPE_DIR:
        case CONF_TYPE_TEXT:
        case CONF_TYPE_FILE:
            free(*(char **)field);
            break;
        case CONF_TYPE_NAMES:
        case CONF_TYPE_GLOBS:
        case CONF_TYPE_URLS:
            done_texts(field);
            break;
        case CONF_TYPE_SPANS:
            free(((struct conf_spans *)field)->items);
            break;
        case CONF_TYPE_LIST:
            done_list(option, base);
            break;
        case CONF_TYPE_SECTION:
            done_section(option->section, base);
            break;
        default:
            break;
        }
    }
}

void conf_free(struct conf *conf)
{
    if (conf == NULL)
        return;
    done_section(&conf_table_root, (char *)conf);
    free(conf->path);
    free(conf);
}

/* ---- reload ------------------------------------------------------------------------------- */

static void write_value(const struct conf_option *option, const void *field,
                        char ret_text[PATH_MAX])
{
    if (option->type == CONF_TYPE_COUNT)
        snprintf(ret_text, PATH_MAX, "%llu", (unsigned long long)*(const uint64_t *)field);
    else if (option->type == CONF_TYPE_CHOICE)
        snprintf(ret_text, PATH_MAX, "%s", option->choices[*(const unsigned *)field].text);
    else
        snprintf(ret_text, PATH_MAX, "%s", *(char *const *)field);
}

/* The options of a section that need a restart: texts, choices and numbers. */
static void compare_section(const struct conf_section *section, const char *old,
                            const char *new_conf, struct conf_report *report)
{
    for (size_t i = 0; i < section->n_options; i++) {
        const struct conf_option *option = &section->options[i];
        const char *before = old + option->offset, *after = new_conf + option->offset;
        if (option->type == CONF_TYPE_SECTION)
            compare_section(option->section, old, new_conf, report);
        if (!option->restart)
            continue;
        char was[PATH_MAX], is[PATH_MAX];
        write_value(option, before, was);
        write_value(option, after, is);
        if (strcmp(was, is) != 0)
            conf_report_add(report, (struct conf_place){0, 0},
                            "`%s` cannot change from %s to %s while running; restart celltapd, "
                            "or change it back",
                            option->key, was, is);
    }
}

int conf_reload_check(const struct conf *old, const struct conf *new_conf,
                      struct conf_errors *reterr)
{
    struct conf_report report = {.path = new_conf->path};
    compare_section(&conf_table_root, (const char *)old, (const char *)new_conf, &report);
    if (old->journal.off != new_conf->journal.off)
        conf_report_add(&report, (struct conf_place){0, 0},
                        "the journal cannot be turned %s while running; restart celltapd, or "
                        "change it back",
                        new_conf->journal.off ? "off" : "on");
    return conf_report_finish(&report, reterr);
}

void conf_tap_settle(struct conf_tap *tap)
{
    if (tap->kind != CONF_KIND_ACTIVATIONS && tap->group == CONF_GROUP_LAYER)
        tap->group = CONF_GROUP_STREAM;
    if (tap->kind == CONF_KIND_ANOMALIES)
        tap->every = 1;
}

bool conf_is_builtin(const struct conf_model *model)
{
    return strcmp(model->file, CONF_BUILTIN_RESERVOIR) == 0;
}

bool conf_match(const struct conf_texts *globs, const char *text)
{
    for (size_t i = 0; i < globs->n; i++)
        if (fnmatch(globs->items[i], text, 0) == 0)
            return true;
    return false;
}
