/* control.h - questions to the running daemon: one map out, one map back.
 *
 *     control_open -> control_begin, celltap_put_... -> control_ask -> celltap_map_find in the
 * reply
 */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "lib/celltap_wire.h"

#define CONTROL_ERROR_MAX 8192 /* bytes: a reload may find many errors */

#define CONTROL_REFUSED (-2)

struct control;

/* A reply: a map; borrowed until the next question. */
struct control_reply {
    const unsigned char *map, *end;
};

/* url NULL: $CELLTAP_CONTROL, or else the daemon's default.  0, or -1 with the reason. */
int control_open(const char *url, struct control **ret_control, char *ret_error);
void control_close(struct control *control); /* NULL is fine */

/* Starts a question of n_keys keys besides "cmd"; write them to the writer returned. */
struct celltap_writer *control_begin(struct control *control, const char *cmd, size_t n_keys);

/* A key and the list that globs, separated by commas, are. */
void control_put_globs(struct celltap_writer *writer, const char *key, const char *globs);

/* Asks.  -1: no answer.  CONTROL_REFUSED: the daemon said no, its own words are in ret_error
 * (lines, for a reload), and whatever else in the reply. */
int control_ask(struct control *control, struct control_reply *ret_reply, char *ret_error);

/* The same in two: the daemon works meanwhile. */
int control_send(struct control *control, char *ret_error);
int control_receive(struct control *control, struct control_reply *ret_reply, char *ret_error);

/* Keys of a map; what is absent or of another type is 0, or "". */
uint64_t control_count(const unsigned char *map, const unsigned char *end, const char *key);
double control_number(const unsigned char *map, const unsigned char *end, const char *key);
char *control_text(const unsigned char *map, const unsigned char *end, const char *key,
                   char *ret_text, size_t size);

/* The items of an array: how many there are, and where the first begins; step with
 * celltap_token_skip. */
size_t control_items(const unsigned char *map, const unsigned char *end, const char *key,
                     const unsigned char **ret_first);

#endif
