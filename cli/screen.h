/* screen.h - the terminal while a picture owns it, and its restoration whatever happens.
 *
 *     screen_open -> alternate screen, no cursor, keys at once -> screen_close
 *
 * It is given back at the end of the process, on ctrl-C (by way of stop.h), on ctrl-Z (and taken
 * again afterwards), and when the process crashes.  One for the process; the main thread. */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include <stdbool.h>

enum screen_key {
    SCREEN_NONE,
    SCREEN_QUIT,
    SCREEN_TAB,
    SCREEN_UP,
    SCREEN_DOWN,
    SCREEN_LEFT,
    SCREEN_RIGHT
};

/* True if stdout is a terminal that can show a picture. */
bool screen_is_there(void);

void screen_open(void);
void screen_close(void); /* also when it is not open */

/* Columns and lines now. */
void screen_size(unsigned *ret_columns, unsigned *ret_lines);

/* To be called now and then: stops the process after ctrl-Z; true if the picture must be drawn
 * anew, because the size changed or the screen was given back meanwhile. */
bool screen_changed(void);

/* A descriptor that is readable when a key was pressed, -1 if stdin is no terminal. */
int screen_key_fd(void);
enum screen_key screen_key(void); /* SCREEN_NONE: that was all */

#endif
