/* conf_yaml.c - libyaml's document of a file, after its events were found to be within limits.
 *
 * The first pass over the events is cheap, builds nothing and knows the place of everything, so
 * depth, aliases, tags and further documents are refused there; libyaml's own tables of anchors are
 * searched one by one, which is why their number is limited.  The second pass loads. */
#include "daemon/conf_yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <yaml.h>

struct conf_yaml {
    yaml_document_t document;
};

static const struct conf_place whole_file;

static struct conf_place place_of(yaml_mark_t mark)
{
    return (struct conf_place){(unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

/* The place of a byte: libyaml's reader knows no more. */
static struct conf_place place_at(const char *bytes, size_t n_bytes, size_t offset)
{
    struct conf_place place = {1, 1};
    for (size_t i = 0; i < offset && i < n_bytes; i++) {
        if (bytes[i] == '\n')
            place = (struct conf_place){place.line + 1, 1};
        else if ((bytes[i] & 0xc0) != 0x80) /* UTF-8: only first bytes count */
            place.column++;
    }
    return place;
}

/* ---- what libyaml says, as one line ------------------------------------------------------- */

static const char *advice(const yaml_parser_t *parser, const char *line_byte)
{
    const char *problem = parser->problem != NULL ? parser->problem : "";
    if (line_byte != NULL && *line_byte == '\t')
        return "YAML is indented with blanks; replace the tab";
    if (strstr(problem, "cannot start any token") != NULL)
        return "put the text in quotes";
    if (strstr(problem, "mapping values are not allowed") != NULL)
        return "check the indentation, or put a text with `: ` in quotes";
    if (strstr(problem, "alias") != NULL || strstr(problem, "anchor") != NULL)
        return "define each anchor once, before its aliases";
    return "check the indentation, quotes and brackets here and on the lines above";
}

static void report_parser(const yaml_parser_t *parser, const char *bytes, size_t n_bytes,
                          struct conf_report *report)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        report->out_of_memory = true;
        return;
    }
    if (parser->error == YAML_READER_ERROR) {
        conf_report_add(report, place_at(bytes, n_bytes, parser->problem_offset),
                        "not a text file in UTF-8 (%s); give celltapd a YAML file",
                        parser->problem);
        return;
    }
    const char *at =
        parser->problem_mark.index < n_bytes ? bytes + parser->problem_mark.index : NULL;
    const char *context = parser->context != NULL ? parser->context : "";
    conf_report_add(report, place_of(parser->problem_mark), "not YAML: %s%s%s; %s", context,
                    *context ? ", " : "", parser->problem, advice(parser, at));
}

/* ---- first pass: limits ------------------------------------------------------------------- */

struct limits {
    unsigned depth, n_anchors, n_aliases, n_documents;
};

/* What an event says about its node: anchor and tag, NULL if none. */
static void event_properties(const yaml_event_t *event, const yaml_char_t **ret_anchor,
                             const yaml_char_t **ret_tag)
{
    *ret_anchor = *ret_tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        *ret_anchor = event->data.scalar.anchor;
        *ret_tag = event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        *ret_anchor = event->data.sequence_start.anchor;
        *ret_tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        *ret_anchor = event->data.mapping_start.anchor;
        *ret_tag = event->data.mapping_start.tag;
    }
}

/* Returns what is wrong with an event; NULL if nothing. */
static const char *event_fault(const yaml_event_t *event, struct limits *limits)
{
    const yaml_char_t *anchor, *tag;
    event_properties(event, &anchor, &tag);
    if (tag != NULL)
        return "a tag (`!...`) has no meaning here; remove it";
    if (anchor != NULL && ++limits->n_anchors > CONF_YAML_ALIAS_MAX)
        return "more than 256 anchors; write the values out";
    if (event->type == YAML_ALIAS_EVENT && ++limits->n_aliases > CONF_YAML_ALIAS_MAX)
        return "more than 256 aliases; write the values out";
    if (event->type == YAML_DOCUMENT_START_EVENT && ++limits->n_documents > 1)
        return "a second document begins here; keep one, and remove the `---` between them";
    if (event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT) {
        if (++limits->depth > CONF_YAML_DEPTH_MAX)
            return "lists and maps nested more than 16 deep; no option needs more than 4";
    } else if (event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT) {
        limits->depth--;
    }
    return NULL;
}

static int check_limits(const char *bytes, size_t n_bytes, struct conf_report *report)
{
    struct limits limits = {0};
    yaml_parser_t parser;
    yaml_event_t event;
    bool end = false;
    int r = 0;
    if (!yaml_parser_initialize(&parser)) {
        report->out_of_memory = true;
        return -1;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, n_bytes);
    while (!end && r == 0) {
        if (!yaml_parser_parse(&parser, &event)) {
            report_parser(&parser, bytes, n_bytes, report);
            r = -1;
            break;
        }
        const char *fault = event_fault(&event, &limits);
        if (fault != NULL) {
            conf_report_add(report, place_of(event.start_mark), "%s", fault);
            r = -1;
        }
        end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return r;
}

/* ---- second pass: the document ------------------------------------------------------------ */

int conf_yaml_load_bytes(const char *bytes, size_t n_bytes, struct conf_report *report,
                         struct conf_yaml **ret_yaml)
{
    yaml_parser_t parser;
    if (check_limits(bytes, n_bytes, report) < 0)
        return -1;
    struct conf_yaml *yaml = calloc(1, sizeof *yaml);
    if (yaml == NULL || !yaml_parser_initialize(&parser)) {
        free(yaml);
        report->out_of_memory = true;
        return -1;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, n_bytes);
    int loaded = yaml_parser_load(&parser, &yaml->document);
    if (!loaded) {
        report_parser(&parser, bytes, n_bytes, report);
        free(yaml);
    } else {
        *ret_yaml = yaml;
    }
    yaml_parser_delete(&parser);
    return loaded ? 0 : -1;
}

/* Up to n_max bytes, whatever kind of file it is.  Returns how many, or -1 and errno. */
static ssize_t read_all(const char *path, char *ret_bytes, size_t n_max)
{
    size_t n = 0;
    ssize_t got = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    while (n < n_max && got > 0) {
        got = read(fd, ret_bytes + n, n_max - n);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            n += (size_t)got;
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return got < 0 ? -1 : (ssize_t)n;
}

int conf_yaml_load(const char *path, struct conf_report *report, struct conf_yaml **ret_yaml)
{
    int r = -1;
    char *bytes = malloc(CONF_YAML_BYTES_MAX + 1);
    if (bytes == NULL) {
        report->out_of_memory = true;
        return -1;
    }
    ssize_t n = read_all(path, bytes, CONF_YAML_BYTES_MAX + 1);
    if (n < 0)
        conf_report_add(report, whole_file, "%s; give a configuration file that can be read",
                        strerror(errno));
    else if (n > CONF_YAML_BYTES_MAX)
        conf_report_add(report, whole_file,
                        "larger than 1 MiB; a configuration is a few KiB: is it the right file?");
    else
        r = conf_yaml_load_bytes(bytes, (size_t)n, report, ret_yaml);
    free(bytes);
    return r;
}

void conf_yaml_free(struct conf_yaml *yaml)
{
    if (yaml != NULL)
        yaml_document_delete(&yaml->document);
    free(yaml);
}

/* ---- views -------------------------------------------------------------------------------- */

static bool is_nothing(const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (*text == 0 || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0);
}

static struct conf_node view(const yaml_node_t *node)
{
    struct conf_node seen = {.kind = CONF_YAML_NOTHING, .place = {1, 1}, .text = "", .node = node};
    if (node == NULL)
        return seen;
    seen.place = place_of(node->start_mark);
    if (node->type == YAML_SEQUENCE_NODE) {
        seen.kind = CONF_YAML_LIST;
        seen.n_items = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    } else if (node->type == YAML_MAPPING_NODE) {
        seen.kind = CONF_YAML_MAP;
        seen.n_items = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    } else if (node->type == YAML_SCALAR_NODE) {
        seen.kind = is_nothing(node) ? CONF_YAML_NOTHING : CONF_YAML_TEXT;
        seen.text = (const char *)node->data.scalar.value;
        seen.n_bytes = node->data.scalar.length;
    }
    return seen;
}

struct conf_node conf_yaml_root(struct conf_yaml *yaml)
{
    return view(yaml_document_get_root_node(&yaml->document));
}

struct conf_node conf_yaml_item(struct conf_yaml *yaml, const struct conf_node *list, size_t ix)
{
    const yaml_node_t *node = list->node;
    return view(yaml_document_get_node(&yaml->document, node->data.sequence.items.start[ix]));
}

void conf_yaml_pair(struct conf_yaml *yaml, const struct conf_node *map, size_t ix,
                    struct conf_node *ret_key, struct conf_node *ret_value)
{
    const yaml_node_t *node = map->node;
    const yaml_node_pair_t *pair = &node->data.mapping.pairs.start[ix];
    *ret_key = view(yaml_document_get_node(&yaml->document, pair->key));
    *ret_value = view(yaml_document_get_node(&yaml->document, pair->value));
}
