/* stop.c - ctrl-C and its kin, noticed between two rows instead of in the middle of one. */
#include "cli/stop.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

/* What a handler can reach has to be static. */
static volatile sig_atomic_t stop_signal;

static const int STOP_SIGNALS[] = {SIGINT, SIGTERM, SIGHUP};

#define STOP_N_SIGNALS (sizeof STOP_SIGNALS / sizeof *STOP_SIGNALS)

static void stop_handler(int number)
{
    stop_signal = number;
}

void stop_catch(void)
{
    struct sigaction action = {.sa_handler = stop_handler}; /* no SA_RESTART: a read ends */
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < STOP_N_SIGNALS; i++)
        sigaction(STOP_SIGNALS[i], &action, NULL);
}

bool stop_asked(void)
{
    return stop_signal != 0;
}

void stop_die(void)
{
    if (!stop_signal)
        return;
    signal(stop_signal, SIG_DFL);
    raise(stop_signal);
}
