/* conf_scalar.c - one text of the file as the value of one option, checked by the option's type.
 */
#include "daemon/conf_scalar.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/conf_url.h"
#include "daemon/conf_value.h"

#define TEXT_MAX  4095 /* bytes of a text: PATH_MAX without its NUL */
#define NAME_MAX_ 255  /* bytes of a model's or tap's name, as of a stream's */

/* ---- numbers, times, sizes ---------------------------------------------------------------- */

static void read_number(struct conf_report *report, const struct conf_option *option,
                        const struct conf_node *node, struct conf_place place, void *field)
{
    static const struct number_type {
        const struct conf_unit *units;
        const char *form;
    } types[] = {
        [CONF_TYPE_COUNT] = {conf_value_no_units, "a whole number"},
        [CONF_TYPE_BYTES] = {conf_value_bytes, "a number of bytes such as 65536, 64K, 1M or 1G"},
        [CONF_TYPE_MS] = {conf_value_ms, "a time such as 500 (ms), 500ms, 30s, 5m or 1h"},
    };
    uint64_t number;
    if (!conf_value_number(node->text, types[option->type].units, &number))
        conf_report_add(report, place, "`%s` is `%.64s`; it must be %s", option->key, node->text,
                        types[option->type].form);
    else if (number < option->min || number > option->max)
        conf_report_add(report, place, "`%s` is %.64s; it must be from %" PRIu64 " to %" PRIu64,
                        option->key, node->text, option->min, option->max);
    else
        memcpy(field, &number, sizeof number);
}

static void read_real(struct conf_report *report, const struct conf_option *option,
                      const struct conf_node *node, struct conf_place place, void *field)
{
    double number;
    if (!conf_value_real(node->text, &number))
        conf_report_add(report, place, "`%s` is `%.64s`; it must be a number such as %s",
                        option->key, node->text, conf_table_example(option));
    else if (number < option->low || number > option->high)
        conf_report_add(report, place, "`%s` is %.64s; it must be from %g to %g", option->key,
                        node->text, option->low, option->high);
    else
        memcpy(field, &number, sizeof number);
}

/* Its limits are those of what `rate` makes of it. */
static void read_span(struct conf_report *report, const struct conf_option *option,
                      const struct conf_node *node, struct conf_place place, void *field)
{
    struct conf_span span = {.n_steps = 1};
    if (conf_value_number(node->text, conf_value_no_units, &span.number))
        memcpy(field, &span, sizeof span);
    else if (span.is_time = true, conf_value_number(node->text, conf_value_ms, &span.number))
        memcpy(field, &span, sizeof span);
    else
        conf_report_add(report, place,
                        "`%s` is `%.64s`; it must be a number of timesteps, or a time such as "
                        "500ms, 30s, 5m or 1h",
                        option->key, node->text);
}

static void read_bool(struct conf_report *report, const struct conf_option *option,
                      const struct conf_node *node, struct conf_place place, void *field)
{
    bool value;
    if (conf_value_bool(node->text, &value))
        memcpy(field, &value, sizeof value);
    else
        conf_report_add(report, place, "`%s` is `%.64s`; it must be true or false", option->key,
                        node->text);
}

/* ---- choices ------------------------------------------------------------------------------ */

/* "hold, zero or reject" */
static void list_choices(const struct conf_choice *choices, char *ret_text, size_t n_bytes)
{
    size_t n = 0, last = 0;
    for (size_t i = 0; choices[i].text != NULL; i++)
        if (!choices[i].later)
            last = i;
    for (size_t i = 0; choices[i].text != NULL && n < n_bytes; i++)
        if (!choices[i].later)
            n += (size_t)snprintf(ret_text + n, n_bytes - n, "%s%s",
                                  n == 0      ? ""
                                  : i == last ? " or "
                                              : ", ",
                                  choices[i].text);
}

static void report_choice(struct conf_report *report, const struct conf_option *option,
                          const struct conf_node *node, struct conf_place place)
{
    char list[128];
    const struct conf_choice *nearest = NULL;
    list_choices(option->choices, list, sizeof list);
    for (const struct conf_choice *choice = option->choices; choice->text != NULL; choice++)
        if (!choice->later && conf_value_near(node->text, choice->text) && nearest == NULL)
            nearest = choice;
    if (nearest != NULL)
        conf_report_add(report, place, "`%s` is `%.64s`; it must be %s: did you mean `%s`?",
                        option->key, node->text, list, nearest->text);
    else
        conf_report_add(report, place, "`%s` is `%.64s`; it must be %s", option->key, node->text,
                        list);
}

static void read_choice(struct conf_report *report, const struct conf_option *option,
                        const struct conf_node *node, struct conf_place place, void *field)
{
    const struct conf_choice *choice = option->choices;
    while (choice->text != NULL && strcmp(choice->text, node->text) != 0)
        choice++;
    if (choice->text == NULL)
        report_choice(report, option, node, place);
    else if (choice->later)
        conf_report_add(report, place, "`%s: %s` is not in this release of celltap; remove it",
                        option->key, choice->text);
    else
        memcpy(field, &choice->value, sizeof choice->value);
}

void conf_scalar_read(struct conf_report *report, const struct conf_option *option,
                      const struct conf_node *node, struct conf_place place, void *field)
{
    static void (*const readers[])(struct conf_report *, const struct conf_option *,
                                   const struct conf_node *, struct conf_place, void *) = {
        [CONF_TYPE_BOOL] = read_bool,     [CONF_TYPE_COUNT] = read_number,
        [CONF_TYPE_BYTES] = read_number,  [CONF_TYPE_MS] = read_number,
        [CONF_TYPE_CHOICE] = read_choice, [CONF_TYPE_REAL] = read_real,
        [CONF_TYPE_SPAN] = read_span,     [CONF_TYPE_SPANS] = read_span,
    };
    readers[option->type](report, option, node, place, field);
}

/* ---- texts -------------------------------------------------------------------------------- */

static bool has_control(const struct conf_node *node)
{
    for (size_t i = 0; i < node->n_bytes; i++)
        if ((unsigned char)node->text[i] < 0x20 || node->text[i] == 0x7f)
            return true;
    return false;
}

static const char *name_fault(const char *text)
{
    if (strlen(text) > NAME_MAX_)
        return "is longer than 255 bytes; shorten it";
    return strchr(text, '/') != NULL ? "holds a `/`, which ends a topic level; use another letter"
                                     : NULL;
}

static const char *dir_fault(const char *text)
{
    return text[0] != '/' ? "is not an absolute path; begin it with `/`" : NULL;
}

static const char *file_fault(const char *text)
{
    if (strncmp(text, "builtin:", strlen("builtin:")) == 0)
        return "is not built in; `builtin:reservoir` is";
    return NULL;
}

bool conf_scalar_is_choice(const struct conf_option *option, const char *text)
{
    const struct conf_choice *choice = option->choices;
    while (choice != NULL && choice->text != NULL && strcmp(choice->text, text) != 0)
        choice++;
    return choice != NULL && choice->text != NULL;
}

bool conf_scalar_text_ok(struct conf_report *report, const struct conf_option *option,
                         const struct conf_node *node, struct conf_place place)
{
    static const char *(*const faults[])(const char *) = {
        [CONF_TYPE_NAME] = name_fault, [CONF_TYPE_DIR] = dir_fault,
        [CONF_TYPE_FILE] = file_fault, [CONF_TYPE_URLS] = conf_url_fault,
        [CONF_TYPE_LATER] = NULL,
    };
    const char *fault = NULL;
    if (node->n_bytes == 0)
        fault = "is empty; write a text";
    else if (node->n_bytes > TEXT_MAX)
        fault = "is longer than 4095 bytes; shorten it";
    else if (has_control(node))
        fault = "holds a control character; remove it";
    else if (faults[option->type] != NULL && !conf_scalar_is_choice(option, node->text))
        fault = faults[option->type](node->text);
    if (fault != NULL)
        conf_report_add(report, place, "`%s`: `%.128s` %s", option->key, node->text, fault);
    return fault == NULL;
}

/* A relative file, beside the configuration. */
static char *beside(const char *path, const char *file)
{
    char *joined = NULL, *here = path[0] == '/' ? NULL : getcwd(NULL, 0);
    const char *slash = strrchr(path, '/');
    int n_dir = slash == NULL ? 0 : (int)(slash - path) + 1;
    if (path[0] != '/' && here == NULL)
        return NULL;
    if (asprintf(&joined, "%s%s%.*s%s", here != NULL ? here : "", here != NULL ? "/" : "", n_dir,
                 path, file) < 0)
        joined = NULL;
    free(here);
    return joined;
}

char *conf_scalar_text(const struct conf_option *option, const struct conf_node *node,
                       const char *path)
{
    if (option->type == CONF_TYPE_FILE && node->text[0] != '/' &&
        !conf_scalar_is_choice(option, node->text))
        return beside(path, node->text);
    char *text = strdup(node->text);
    if (text != NULL && option->type == CONF_TYPE_DIR) {
        size_t n = strlen(text);
        while (n > 1 && text[n - 1] == '/')
            text[--n] = 0;
    }
    return text;
}

bool conf_scalar_file_ok(struct conf_report *report, const char *file, struct conf_place place)
{
    struct stat st;
    const char *fault = NULL;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        fault = strerror(errno);
    else if (!S_ISREG(st.st_mode))
        fault = S_ISDIR(st.st_mode) ? "a directory" : "not a regular file";
    if (fault != NULL)
        conf_report_add(report, place, "cannot read `%.512s`: %s; give one that exists%s", file,
                        fault, errno == EACCES && fd < 0 ? " and that celltapd may read" : "");
    if (fd >= 0)
        close(fd);
    return fault == NULL;
}
