/* screen.c - the terminal while a picture owns it, and its restoration whatever happens.
 *
 *     happy path   open: save modes, cbreak, enter -> pictures -> close: leave, modes back
 *     ctrl-Z       flag -> screen_changed: leave, stop, (later) enter, draw anew
 *     crash        handler: leave, modes back, the signal again with its default
 *     exit         atexit: close
 */
#include "cli/screen.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* Alternate screen, no cursor, no line wrap; and back. */
#define SCREEN_ENTER "\033[?1049h\033[?25l\033[?7l\033[2J"
#define SCREEN_LEAVE "\033[0m\033[?7h\033[?25h\033[?1049l"

/* What a handler can reach has to be static. */
static struct {
    volatile sig_atomic_t is_open, resized, stop_asked;
    bool has_modes;
    struct termios modes; /* as they were */
    char keys[32];        /* read, not yet given out; NUL behind */
} screen;

bool screen_is_there(void)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

/* write() alone is safe in a handler; a terminal that has gone cannot be helped. */
static void screen_put(const char *text, size_t n_bytes)
{
    ssize_t unused = write(STDOUT_FILENO, text, n_bytes);
    (void)unused;
}

static void screen_enter(void)
{
    if (screen.has_modes) {
        struct termios modes = screen.modes;
        modes.c_lflag &= ~(tcflag_t)(ICANON | ECHO); /* ISIG stays: ctrl-C and ctrl-Z are signals */
        modes.c_cc[VMIN] = 0;
        modes.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSADRAIN, &modes);
    }
    screen.is_open = 1;
    screen_put(SCREEN_ENTER, sizeof SCREEN_ENTER - 1);
}

static void screen_leave(void)
{
    if (!screen.is_open)
        return;
    screen.is_open = 0;
    screen_put(SCREEN_LEAVE, sizeof SCREEN_LEAVE - 1);
    if (screen.has_modes)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &screen.modes);
}

static void screen_on_signal(int number)
{
    if (number == SIGWINCH)
        screen.resized = 1;
    else if (number == SIGTSTP)
        screen.stop_asked = 1;
}

static void screen_on_crash(int number)
{
    screen_leave();
    raise(number); /* its default now, see SA_RESETHAND */
}

static void screen_catch(void)
{
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT};
    struct sigaction action = {.sa_handler = screen_on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGWINCH, &action, NULL);
    sigaction(SIGTSTP, &action, NULL);
    action.sa_handler = screen_on_crash;
    action.sa_flags = (int)SA_RESETHAND;
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        sigaction(crashes[i], &action, NULL);
}

void screen_open(void)
{
    screen.has_modes = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &screen.modes) == 0;
    atexit(screen_close);
    screen_catch();
    screen_enter();
}

void screen_close(void)
{
    screen_leave();
}

void screen_size(unsigned *ret_columns, unsigned *ret_lines)
{
    struct winsize window = {0};
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &window);
    *ret_columns = window.ws_col ? window.ws_col : 80;
    *ret_lines = window.ws_row ? window.ws_row : 24;
}

bool screen_changed(void)
{
    bool changed = screen.resized;
    screen.resized = 0;
    if (screen.stop_asked) {
        screen.stop_asked = 0;
        screen_leave();
        raise(SIGSTOP);
        screen_enter(); /* somebody has continued us */
        changed = true;
    }
    return changed;
}

int screen_key_fd(void)
{
    return screen.has_modes ? STDIN_FILENO : -1;
}

enum screen_key screen_key(void)
{
    static const struct {
        const char *bytes;
        enum screen_key key;
    } keys[] = {
        {"q", SCREEN_QUIT},       {"Q", SCREEN_QUIT},      {"\t", SCREEN_TAB},
        {"\033[A", SCREEN_UP},    {"\033[B", SCREEN_DOWN}, {"\033[C", SCREEN_RIGHT},
        {"\033[D", SCREEN_LEFT},  {"\033OA", SCREEN_UP},   {"\033OB", SCREEN_DOWN},
        {"\033OC", SCREEN_RIGHT}, {"\033OD", SCREEN_LEFT}, {"k", SCREEN_UP},
        {"j", SCREEN_DOWN},       {"l", SCREEN_RIGHT},     {"h", SCREEN_LEFT},
    };
    if (!*screen.keys) {
        ssize_t n = read(STDIN_FILENO, screen.keys, sizeof screen.keys - 1);
        screen.keys[n > 0 ? n : 0] = '\0';
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t n_bytes = strlen(keys[i].bytes);
        if (strncmp(screen.keys, keys[i].bytes, n_bytes) == 0) {
            memmove(screen.keys, screen.keys + n_bytes, sizeof screen.keys - n_bytes);
            return keys[i].key;
        }
    }
    screen.keys[0] = '\0'; /* none of ours, and perhaps half of another */
    return SCREEN_NONE;
}
