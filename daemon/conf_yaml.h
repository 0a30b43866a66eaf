/* conf_yaml.h - a YAML file as texts, lists and maps, each with its place; the door to libyaml.
 *
 *     bytes --events: limits--> --document--> struct conf_node, a view by value
 *
 * An alias is the node it names, seen again, never a copy; a node may even be inside itself, so
 * whoever walks nodes bounds the depth. */
#ifndef DAEMON_CONF_YAML_H
#define DAEMON_CONF_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/conf_report.h"

#define CONF_YAML_BYTES_MAX (1 << 20) /* of a file */
#define CONF_YAML_DEPTH_MAX 16        /* lists and maps inside each other */
#define CONF_YAML_ALIAS_MAX 256       /* anchors, and aliases, of a file */

enum conf_yaml_kind { CONF_YAML_NOTHING, CONF_YAML_TEXT, CONF_YAML_LIST, CONF_YAML_MAP };

/* A view of one node, valid until conf_yaml_free. */
struct conf_node {
    enum conf_yaml_kind kind; /* _NOTHING: no value, `~` or `null` */
    struct conf_place place;
    const char *text; /* of a text: n_bytes, a NUL behind and perhaps inside; "" for others */
    size_t n_bytes;
    size_t n_items;   /* of a list; pairs of a map */
    const void *node; /* borrowed */
};

struct conf_yaml;

/* Reads the one document of a file, or of bytes.  On failure the report says why, *ret_yaml is
 * untouched, -1. */
int conf_yaml_load(const char *path, struct conf_report *report, struct conf_yaml **ret_yaml);
int conf_yaml_load_bytes(const char *bytes, size_t n_bytes, struct conf_report *report,
                         struct conf_yaml **ret_yaml);
void conf_yaml_free(struct conf_yaml *yaml); /* NULL is fine */

struct conf_node conf_yaml_root(struct conf_yaml *yaml); /* _NOTHING: the file is empty */
struct conf_node conf_yaml_item(struct conf_yaml *yaml, const struct conf_node *list, size_t ix);
void conf_yaml_pair(struct conf_yaml *yaml, const struct conf_node *map, size_t ix,
                    struct conf_node *ret_key, struct conf_node *ret_value);

#endif
