/* conf_read.c - fills a struct from YAML by the table, defaults included, all faults reported.
 *
 *     map --keys: known? once?--> node per option --by the option's type--> field
 *                                      |
 *                    none: its default, which is YAML too and goes the same way
 *
 * Depth is bounded by the table (root, list, item, list of texts), so aliases that lead back to
 * themselves end as a wrong type. */
#include "daemon/conf_read.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/conf_scalar.h"
#include "daemon/conf_value.h"

static void read_section(struct conf_read *read, const struct conf_section *section,
                         const struct conf_node *map, void *base);
static void read_default(struct conf_read *read, const struct conf_option *option,
                         struct conf_place place, void *base);

static struct conf_place place_of(const struct conf_read *read, const struct conf_node *node)
{
    return read->fixed_place != NULL ? *read->fixed_place : node->place;
}

/* ---- texts -------------------------------------------------------------------------------- */

static void remember(struct conf_read *read, const void *what, struct conf_place place)
{
    if (read->n_spots == read->spots_size) {
        size_t size = read->spots_size > 0 ? 2 * read->spots_size : 64;
        void *more = realloc(read->spots, size * sizeof *read->spots);
        if (more == NULL) {
            read->report->out_of_memory = true;
            return;
        }
        read->spots = more;
        read->spots_size = size;
    }
    read->spots[read->n_spots++] = (struct conf_read_spot){what, place};
}

/* One text into *ret_text, checked by its type. */
static void read_text(struct conf_read *read, const struct conf_option *option,
                      const struct conf_node *node, char **ret_text)
{
    struct conf_place place = place_of(read, node);
    size_t cost = node->n_bytes + sizeof(struct conf_read_spot);
    if (node->kind != CONF_YAML_TEXT) {
        conf_report_add(read->report, place, "an entry of `%s` must be a text; %s", option->key,
                        "write one, in quotes where it has special characters");
    } else if (cost > read->budget_bytes) {
        conf_report_add(read->report, place, "`%s` repeats more text than fits; %s", option->key,
                        "use fewer aliases");
    } else if (conf_scalar_text_ok(read->report, option, node, place)) {
        read->budget_bytes -= cost;
        *ret_text = conf_scalar_text(option, node, read->path);
        remember(read, *ret_text, place);
        if (*ret_text == NULL)
            read->report->out_of_memory = true;
        else if (option->type == CONF_TYPE_FILE && !conf_scalar_is_choice(option, *ret_text))
            conf_scalar_file_ok(read->report, *ret_text, place);
    }
}

/* A list of texts; a text alone is a list of one. */
static void read_texts(struct conf_read *read, const struct conf_option *option,
                       const struct conf_node *node, struct conf_texts *ret_texts)
{
    size_t n = node->kind == CONF_YAML_LIST ? node->n_items : 1;
    struct conf_place place = place_of(read, node);
    if (n < option->min || n > option->max) {
        conf_report_add(read->report, place, "`%s` must have %zu to %zu entries, not %zu; %s",
                        option->key, (size_t)option->min, (size_t)option->max, n,
                        n == 0 ? "remove the key for the default" : "shorten the list");
        return;
    }
    ret_texts->items = calloc(n > 0 ? n : 1, sizeof *ret_texts->items);
    if (ret_texts->items == NULL) {
        read->report->out_of_memory = true;
        return;
    }
    ret_texts->n = n;
    for (size_t i = 0; i < n; i++) {
        struct conf_node item =
            node->kind == CONF_YAML_LIST ? conf_yaml_item(read->yaml, node, i) : *node;
        read_text(read, option, &item, &ret_texts->items[i]);
    }
}

/* ---- lists of spans ----------------------------------------------------------------------- */

/* A span alone is a list of one. */
static void read_spans(struct conf_read *read, const struct conf_option *option,
                       const struct conf_node *node, struct conf_spans *ret_spans)
{
    size_t n = node->kind == CONF_YAML_LIST ? node->n_items : 1;
    if (n == 0 || n > option->n_max) {
        conf_report_add(read->report, place_of(read, node),
                        "`%s` must have 1 to %zu entries, not %zu; such as `%s: %s`", option->key,
                        option->n_max, n, option->key, conf_table_example(option));
        return;
    }
    ret_spans->items = calloc(n, sizeof *ret_spans->items);
    if (ret_spans->items == NULL) {
        read->report->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct conf_node item =
            node->kind == CONF_YAML_LIST ? conf_yaml_item(read->yaml, node, i) : *node;
        remember(read, &ret_spans->items[i], place_of(read, &item));
        conf_scalar_read(read->report, option, &item, place_of(read, &item), &ret_spans->items[i]);
    }
    ret_spans->n = n;
}

/* ---- lists of maps ------------------------------------------------------------------------ */

static void read_list(struct conf_read *read, const struct conf_option *option,
                      const struct conf_node *node, char *base)
{
    const struct conf_section *section = option->section;
    struct conf_place place = place_of(read, node);
    if (node->n_items < option->min) {
        conf_report_add(read->report, place, "no %s; add at least one, such as `%s: %s`",
                        option->key, option->key, conf_table_example(option));
        return;
    }
    if (node->n_items > option->max) {
        conf_report_add(read->report, place, "`%s` has %zu entries; at most %zu are possible",
                        option->key, node->n_items, (size_t)option->max);
        return;
    }
    char *items = calloc(node->n_items > 0 ? node->n_items : 1, section->n_bytes);
    if (items == NULL) {
        read->report->out_of_memory = true;
        return;
    }
    memcpy(base + option->offset, &items, sizeof items);
    memcpy(base + option->n_offset, &node->n_items, sizeof node->n_items);
    for (size_t i = 0; i < node->n_items; i++) {
        struct conf_node item = conf_yaml_item(read->yaml, node, i);
        unsigned line = read->fixed_place != NULL ? 0 : item.place.line; /* 0: a default */
        memcpy(items + i * section->n_bytes + section->line_offset, &line, sizeof line);
        read_section(read, section, &item, items + i * section->n_bytes);
    }
}

/* ---- one option --------------------------------------------------------------------------- */

static bool is_kind(const struct conf_option *option, enum conf_yaml_kind kind)
{
    switch (option->type) {
    case CONF_TYPE_NAMES:
    case CONF_TYPE_GLOBS:
    case CONF_TYPE_URLS:
    case CONF_TYPE_SPANS:
        return kind == CONF_YAML_LIST || kind == CONF_YAML_TEXT;
    case CONF_TYPE_LIST:
        return kind == CONF_YAML_LIST;
    case CONF_TYPE_SECTION:
        return kind == CONF_YAML_MAP;
    default:
        return kind == CONF_YAML_TEXT;
    }
}

/* `none` and `off` (*ret_off), or `on`, in place of a section. */
static bool read_switch(const char *text, bool *ret_off)
{
    bool on = false;
    if (strcmp(text, "none") != 0 && !conf_value_bool(text, &on))
        return false;
    *ret_off = !on;
    return true;
}

static void read_option(struct conf_read *read, const struct conf_option *option,
                        const struct conf_node *node, char *base)
{
    void *at = base + option->offset;
    struct conf_node nothing = {.kind = CONF_YAML_MAP, .place = node->place};
    if (option->off_offset != 0 && node->kind == CONF_YAML_TEXT &&
        read_switch(node->text, (bool *)(base + option->off_offset)))
        node = &nothing; /* its options are at their defaults */
    if (!is_kind(option, node->kind)) {
        static const char *const found[] = {"nothing", "a text", "a list", "a map"};
        conf_report_add(read->report, place_of(read, node),
                        "`%s` must be %s%s, not %s; write `%s: %s`", option->key,
                        option->type == CONF_TYPE_SPAN ? "" : "a ",
                        conf_table_type_name(option->type), found[node->kind], option->key,
                        conf_table_example(option));
        return;
    }
    switch (option->type) {
    case CONF_TYPE_NAME:
    case CONF_TYPE_DIR:
    case CONF_TYPE_TEXT:
    case CONF_TYPE_FILE:
        read_text(read, option, node, at);
        break;
    case CONF_TYPE_NAMES:
    case CONF_TYPE_GLOBS:
    case CONF_TYPE_URLS:
        read_texts(read, option, node, at);
        break;
    case CONF_TYPE_SPANS:
        read_spans(read, option, node, at);
        break;
    case CONF_TYPE_LIST:
        read_list(read, option, node, base);
        break;
    case CONF_TYPE_SECTION:
        read_section(read, option->section, node, base);
        break;
    default:
        remember(read, at, place_of(read, node));
        conf_scalar_read(read->report, option, node, place_of(read, node), at);
    }
}

static void read_default(struct conf_read *read, const struct conf_option *option,
                         struct conf_place place, void *base)
{
    struct conf_yaml *yaml, *outer = read->yaml;
    const struct conf_place *outer_place = read->fixed_place;
    if (option->type == CONF_TYPE_LATER || option->type == CONF_TYPE_URLS)
        return;
    if (option->fallback == NULL) {
        conf_report_add(read->report, place, "`%s` is missing here; add it, such as `%s: %s`",
                        option->key, option->key, conf_table_example(option));
        return;
    }
    if (conf_yaml_load_bytes(option->fallback, strlen(option->fallback), read->report, &yaml) < 0)
        return;
    struct conf_node root = conf_yaml_root(yaml);
    read->yaml = yaml;
    read->fixed_place = &place;
    read_option(read, option, &root, base);
    read->yaml = outer;
    read->fixed_place = outer_place;
    conf_yaml_free(yaml);
}

/* ---- maps --------------------------------------------------------------------------------- */

static void report_unknown(struct conf_read *read, const struct conf_section *section,
                           const struct conf_node *key)
{
    const struct conf_option *nearest = NULL;
    size_t least = SIZE_MAX;
    if (strcmp(key->text, "<<") == 0) {
        conf_report_add(read->report, key->place, "merge keys (`<<`) are not read; %s",
                        "write the keys out, or give an alias as a value");
        return;
    }
    for (size_t i = 0; i < section->n_options && !conf_report_is_full(read->report); i++) {
        const struct conf_option *option = &section->options[i];
        size_t distance = conf_value_distance(key->text, option->key);
        if (option->type != CONF_TYPE_LATER && distance < least) {
            nearest = option;
            least = distance;
        }
    }
    bool is_near = nearest != NULL && conf_value_near(key->text, nearest->key);
    if (nearest != NULL)
        conf_report_add(read->report, key->place, "unknown key `%.64s` in %s; %s `%s`%s", key->text,
                        section->name, is_near ? "did you mean" : "the nearest valid key is",
                        nearest->key, is_near ? "?" : "");
    else
        conf_report_add(read->report, key->place, "unknown key");
}

static const struct conf_option *find_option(const struct conf_section *section,
                                             const struct conf_node *key)
{
    for (size_t i = 0; i < section->n_options; i++)
        if (strlen(section->options[i].key) == key->n_bytes &&
            memcmp(section->options[i].key, key->text, key->n_bytes) == 0)
            return &section->options[i];
    return NULL;
}

/* Sorts a map's pairs by the section's options; what belongs to none is reported. */
static void sort_pairs(struct conf_read *read, const struct conf_section *section,
                       const struct conf_node *map, struct conf_node *ret_values,
                       unsigned *ret_lines)
{
    for (size_t i = 0; i < map->n_items; i++) {
        struct conf_node key, value;
        conf_yaml_pair(read->yaml, map, i, &key, &value);
        const struct conf_option *option =
            key.kind == CONF_YAML_TEXT ? find_option(section, &key) : NULL;
        size_t ix = option != NULL ? (size_t)(option - section->options) : 0;
        if (key.kind != CONF_YAML_TEXT) {
            conf_report_add(read->report, key.place, "a key must be a text; write `key: value`");
        } else if (option == NULL) {
            report_unknown(read, section, &key);
        } else if (ret_lines[ix] != 0) {
            conf_report_add(read->report, key.place, "`%s` is given twice, first in line %u; %s",
                            option->key, ret_lines[ix], "keep one of them");
        } else if (option->type == CONF_TYPE_LATER) {
            conf_report_add(read->report, key.place, "`%s` is not in this release of celltap; %s",
                            option->key, option->sentence);
            ret_lines[ix] = key.place.line;
        } else {
            ret_lines[ix] = key.place.line;
            ret_values[ix] = value;
        }
    }
}

static void read_section(struct conf_read *read, const struct conf_section *section,
                         const struct conf_node *map, void *base)
{
    struct conf_node values[CONF_TABLE_OPTIONS_MAX] = {0};
    unsigned lines[CONF_TABLE_OPTIONS_MAX] = {0};
    struct conf_place place = place_of(read, map);
    if (map->kind != CONF_YAML_MAP) {
        conf_report_add(read->report, place, "%s must be a map; write `key: value` lines",
                        section->name);
        return;
    }
    sort_pairs(read, section, map, values, lines);
    for (size_t i = 0; i < section->n_options; i++) {
        const struct conf_option *option = &section->options[i];
        bool is_part = option->type == CONF_TYPE_LIST || option->type == CONF_TYPE_SECTION;
        if (option->given_offset != 0 && lines[i] != 0)
            *((bool *)base + option->given_offset) = true;
        if (values[i].kind != CONF_YAML_NOTHING)
            read_option(read, option, &values[i], base);
        else if (lines[i] == 0 || is_part)
            read_default(read, option, lines[i] == 0 ? place : place_of(read, &values[i]), base);
        else if (option->type != CONF_TYPE_LATER)
            conf_report_add(read->report, place_of(read, &values[i]), "`%s` has no value; %s",
                            option->key, "give one, or remove the key");
    }
}

void conf_read_root(struct conf_read *read, struct conf_yaml *yaml, struct conf *conf)
{
    struct conf_node root = conf_yaml_root(yaml);
    read->yaml = yaml;
    if (root.kind == CONF_YAML_NOTHING) /* an empty file: every option at its default */
        root.kind = CONF_YAML_MAP;
    read_section(read, &conf_table_root, &root, conf);
}

struct conf_place conf_read_place(const struct conf_read *read, const void *what, unsigned line)
{
    for (size_t i = 0; i < read->n_spots; i++)
        if (read->spots[i].what == what)
            return read->spots[i].place;
    return (struct conf_place){line, 1};
}

void conf_read_done(struct conf_read *read)
{
    free(read->spots);
    read->spots = NULL;
}
