/* test_conf_table.c - the default configuration and the manual say what the table says.
 *
 *     table --each row--> config/celltapd.yaml     there once, behind a #, at its default
 *                    \--> docs/celltapd.yaml.5     its type, limits, default and sentence */
#include "daemon/conf_table.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/conf_text.h"

#define FILE_BYTES (1 << 18) /* more than the files have */

/* A file of the source tree, where tests run; to be freed. */
static char *read_file(const char *path)
{
    char *text = calloc(1, FILE_BYTES);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s cannot be opened: tests run in the source tree", path);
    ck_assert_uint_lt(fread(text, 1, FILE_BYTES, file), FILE_BYTES);
    fclose(file);
    return text;
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        n++;
    return n;
}

/* ---- the table itself ------------------------------------------------------------------------ */

static void check_rows(const struct conf_section *section)
{
    ck_assert_uint_le(section->n_options, CONF_TABLE_OPTIONS_MAX);
    for (size_t i = 0; i < section->n_options; i++) {
        const struct conf_option *option = &section->options[i];
        ck_assert_msg(option->sentence != NULL, "%s has no sentence", option->key);
        if (option->type == CONF_TYPE_LATER)
            continue;
        ck_assert_msg(conf_table_example(option) != NULL, "%s has no example", option->key);
        ck_assert_int_eq(option->sentence[strlen(option->sentence) - 1], '.');
        ck_assert(option->type != CONF_TYPE_CHOICE || option->choices != NULL);
        ck_assert(option->max >= option->min);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(option->key, section->options[j].key);
        if (option->section != NULL)
            check_rows(option->section);
    }
}

START_TEST(test_table_of_options_then_every_row_is_whole)
{
    check_rows(&conf_table_root);
}
END_TEST

/* ---- the manual ------------------------------------------------------------------------------ */

static void put_choices(FILE *out, const struct conf_choice *choices)
{
    size_t n = 0;
    for (; choices->text != NULL; choices++)
        if (!choices->later)
            fprintf(out, "%s%s", n++ == 0 ? ": " : " | ", choices->text);
}

/* What the manual says of an option, in one line. */
static void describe(FILE *out, const struct conf_option *option)
{
    fprintf(out, " .It Ic %s (%s", option->key, conf_table_type_name(option->type));
    if (option->choices != NULL)
        put_choices(out, option->choices);
    else if (option->type == CONF_TYPE_REAL)
        fprintf(out, " from %g to %g", option->low, option->high);
    else if (option->type == CONF_TYPE_SPANS)
        fprintf(out, " from %" PRIu64 " to %" PRIu64 ", 1 to %zu entries", option->min, option->max,
                option->n_max);
    else if (option->max > 0)
        fprintf(out,
                option->type >= CONF_TYPE_NAMES ? ", %" PRIu64 " to %" PRIu64 " entries"
                                                : " from %" PRIu64 " to %" PRIu64,
                option->min, option->max);
    if (option->fallback == NULL)
        fprintf(out, "; must be given");
    else if (option->section == NULL)
        fprintf(out, "; default %s", option->fallback);
    fprintf(out, "%s) %s ", option->restart ? "; needs a restart" : "", option->sentence);
}

/* The part of the manual about a section, its lines joined by blanks; to be freed. */
static char *find_part(const char *manual, const struct conf_section *section)
{
    char heading[128];
    snprintf(heading, sizeof heading, "\n.Ss Options of %s\n", section->name);
    const char *start = strstr(manual, heading);
    ck_assert_msg(start != NULL, "no section%s", heading);
    const char *end = strstr(start, "\n.El\n");
    char *part = strndup(start, (size_t)(end - start) + 1);
    for (char *at = part; (at = strchr(at, '\n')) != NULL;)
        *at = ' ';
    return part;
}

static void check_manual(const char *manual, const struct conf_section *section)
{
    size_t n_known = 0;
    char *part = find_part(manual, section);
    for (size_t i = 0; i < section->n_options; i++) {
        const struct conf_option *option = &section->options[i];
        char *wanted;
        size_t n_bytes;
        if (option->type == CONF_TYPE_LATER)
            continue;
        FILE *out = open_memstream(&wanted, &n_bytes);
        describe(out, option);
        fclose(out);
        ck_assert_msg(count(part, wanted) == 1, "celltapd.yaml.5, %s, should say:\n%s",
                      section->name, wanted);
        free(wanted);
        n_known++;
        if (option->section != NULL)
            check_manual(manual, option->section);
    }
    ck_assert_uint_eq(count(part, " .It Ic "), n_known); /* nothing that does not exist */
    free(part);
}

START_TEST(test_manual_of_options_then_as_the_table)
{
    char *manual = read_file("docs/celltapd.yaml.5");
    check_manual(manual, &conf_table_root);
    free(manual);
}
END_TEST

/* ---- the default configuration --------------------------------------------------------------- */

/* The file with every option's `#` removed: behind it stand no, two, four or six blanks (prose: one,
 * examples of commands: five). */
static char *uncomment(const char *text)
{
    char *bare = calloc(1, FILE_BYTES), *to = bare;
    for (const char *at = text; *at != 0;) {
        size_t n_blanks = *at == '#' ? strspn(at + 1, " ") : 1;
        const char *end = strchr(at, '\n') + 1;
        at += n_blanks % 2 == 0;
        while (at < end)
            *to++ = *at++;
    }
    return bare;
}

static void check_same(const struct conf_section *section, const char *a, const char *b);

static void check_same_list(const struct conf_option *option, const char *a, const char *b)
{
    const char *const *items[2] = {(const char *const *)(const void *)(a + option->offset),
                                   (const char *const *)(const void *)(b + option->offset)};
    const size_t *n[2] = {(const size_t *)(const void *)(a + option->n_offset),
                          (const size_t *)(const void *)(b + option->n_offset)};
    ck_assert_uint_eq(*n[0], *n[1]);
    for (size_t i = 0; i < *n[0]; i++)
        check_same(option->section, *items[0] + i * option->section->n_bytes,
                   *items[1] + i * option->section->n_bytes);
}

static void check_same_texts(const struct conf_texts *a, const struct conf_texts *b)
{
    ck_assert_uint_eq(a->n, b->n);
    for (size_t i = 0; i < a->n; i++)
        ck_assert_str_eq(a->items[i], b->items[i]);
}

static void check_same_spans(const struct conf_span *a, const struct conf_span *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_eq(a[i].number, b[i].number);
        ck_assert_int_eq(a[i].is_time, b[i].is_time);
        ck_assert_uint_eq(a[i].n_steps, b[i].n_steps);
    }
}

/* Compares two structs of a section, option by option. */
static void check_same(const struct conf_section *section, const char *a, const char *b)
{
    for (size_t i = 0; i < section->n_options; i++) {
        const struct conf_option *option = &section->options[i];
        const void *x = a + option->offset, *y = b + option->offset;
        size_t n_bytes = option->type == CONF_TYPE_BOOL     ? sizeof(bool)
                         : option->type == CONF_TYPE_CHOICE ? sizeof(unsigned)
                                                            : sizeof(uint64_t);
        if (option->type == CONF_TYPE_LIST)
            check_same_list(option, a, b);
        else if (option->type == CONF_TYPE_SECTION)
            check_same(option->section, a, b);
        else if (option->type >= CONF_TYPE_NAMES && option->type <= CONF_TYPE_URLS)
            check_same_texts(x, y);
        else if (option->type <= CONF_TYPE_FILE)
            ck_assert_str_eq(*(char *const *)x, *(char *const *)y);
        else if (option->type == CONF_TYPE_SPAN)
            check_same_spans(x, y, 1);
        else if (option->type == CONF_TYPE_SPANS)
            check_same_spans(((const struct conf_spans *)x)->items,
                             ((const struct conf_spans *)y)->items,
                             ((const struct conf_spans *)x)->n);
        else if (option->type >= CONF_TYPE_BOOL && option->type <= CONF_TYPE_CHOICE)
            ck_assert_msg(memcmp(x, y, n_bytes) == 0, "%s is not at its default", option->key);
    }
}

/* Each option of a section stands in the text as a key, as often as the section does. */
static void check_present(const char *yaml, const struct conf_section *section)
{
    static const char *const places[] = {
        "\n%s:", "\n  %s:", "\n  - %s:", "\n    %s:", "\n      %s:"};
    for (size_t i = 0; i < section->n_options; i++) {
        const struct conf_option *option = &section->options[i];
        size_t n = 0;
        for (size_t j = 0; j < sizeof places / sizeof *places; j++) {
            char key[64];
            snprintf(key, sizeof key, places[j], option->key);
            n += count(yaml, key);
        }
        bool is_later = option->type == CONF_TYPE_LATER;
        ck_assert_msg(is_later ? n == 0 : n > 0, "%s stands %zu times in celltapd.yaml",
                      option->key, n);
        if (section == &conf_table_root && !is_later)
            ck_assert_uint_eq(n, 1);
        if (option->section != NULL)
            check_present(yaml, option->section);
    }
}

static struct conf *load(const char *text)
{
    struct conf *conf = NULL;
    struct conf_errors errors;
    int r = conf_text_load(text, strlen(text), &conf, &errors);
    ck_assert_msg(r == 0, "%s", errors.text);
    conf_errors_done(&errors);
    return conf;
}

START_TEST(test_default_file_when_uncommented_then_every_option_at_its_default)
{
    char *text = read_file("config/celltapd.yaml"), *yaml = uncomment(text);
    check_present(yaml, &conf_table_root);
    struct conf *written = load(yaml);
    struct conf *defaults = load("");
    check_same(&conf_table_root, (const char *)written, (const char *)defaults);
    conf_free(written);
    conf_free(defaults);
    free(yaml);
    free(text);
}
END_TEST

START_TEST(test_default_file_as_shipped_then_scores_whatever_is_fed)
{
    char *text = read_file("config/celltapd.yaml");
    struct conf *conf = load(text);
    ck_assert_uint_eq(conf->n_models, 1);
    ck_assert(conf_is_builtin(&conf->models[0]));
    ck_assert_int_eq(conf->models[0].watch, CONF_WATCH_YES);
    ck_assert(conf_match(&conf->models[0].streams, "any/stream"));
    ck_assert_uint_eq(conf->n_taps, 3);
    ck_assert_int_eq(conf->taps[1].kind, CONF_KIND_SCORES);
    ck_assert_int_eq(conf->taps[2].kind, CONF_KIND_ANOMALIES);
    conf_free(conf);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf_table");
    TCase *tests = tcase_create("conf_table");
    tcase_add_test(tests, test_table_of_options_then_every_row_is_whole);
    tcase_add_test(tests, test_manual_of_options_then_as_the_table);
    tcase_add_test(tests, test_default_file_when_uncommented_then_every_option_at_its_default);
    tcase_add_test(tests, test_default_file_as_shipped_then_scores_whatever_is_fed);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
