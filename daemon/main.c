/* main.c - celltapd's command line.
 *
 *     arguments --> help, version, check      or      configuration --> loop_run, until SIGTERM
 *
 * Never forks: whoever starts it keeps it.  Exit codes: 0, 1 failure, 2 usage, 78 configuration. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/check.h"
#include "daemon/conf.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "lib/celltap.h"

#define EXIT_USAGE 2

static const char help[] =
    "celltapd - publishes every layer's activations and states of networks, live\n"
    "\n"
    "Usage: celltapd --config FILE [--check] [--log-level LEVEL]\n"
    "\n"
    "  -c, --config FILE      the configuration; celltapd.yaml(5) describes it\n"
    "      --check            tell all that is wrong with it and its models; exit\n"
    "      --log-level LEVEL  err, warning, notice, info (the default) or debug\n"
    "      --version          print the version\n"
    "  -h, --help             print this\n"
    "\n"
    "It stays in the foreground and logs to stderr.  SIGHUP reads the configuration\n"
    "again; SIGTERM and SIGINT end it when what has arrived was published.\n"
    "Exit codes: 0, 1 failure, 2 usage, 78 configuration.\n"
    "\n"
    "Example:\n"
    "  echo 'runtime_dir: /tmp' > my.yaml\n"
    "  echo 'models: [{name: pump, file: pump.onnx}]' >> my.yaml\n"
    "  celltapd --config my.yaml --check && celltapd --config my.yaml\n";

struct arguments {
    const char *config; /* borrowed; NULL: not given */
    enum log_level log_level;
    bool check, version, help;
};

static int usage(const char *what, const char *which)
{
    char safe[256];
    log_escape(safe, sizeof safe, which);
    fprintf(stderr, "celltapd: %s%s; see celltapd --help\n", what, safe);
    return -1;
}

/* Takes one option.  Returns 0, or -1 after a line about it. */
static int take_option(int option, char **argv, struct arguments *arguments)
{
    int level;
    switch (option) {
    case 'c':
        arguments->config = optarg;
        return 0;
    case 'k':
        arguments->check = true;
        return 0;
    case 'v':
        arguments->version = true;
        return 0;
    case 'h':
        arguments->help = true;
        return 0;
    case 'l':
        level = log_level_find(optarg);
        if (level < 0)
            return usage("--log-level is err, warning, notice, info or debug, not ", optarg);
        arguments->log_level = (enum log_level)level;
        return 0;
    case ':':
        return usage("a value must follow ", argv[optind - 1]);
    default:
        return usage("unknown option ", argv[optind - 1]);
    }
}

static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'k'},
        {"version", no_argument, NULL, 'v'},      {"log-level", required_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, ":c:h", options, NULL)) != -1)
        if (take_option(option, argv, arguments) < 0)
            return -1;
    if (optind < argc)
        return usage("nothing is expected here: ", argv[optind]);
    if (arguments->config == NULL && !arguments->version && !arguments->help)
        return usage("--config FILE is missing", "");
    return 0;
}

/* One log line for each error. */
static void log_errors(const char *text)
{
    while (*text != 0) {
        size_t n = strcspn(text, "\n");
        log_line(LOG_LEVEL_ERR, "%.*s", (int)n, text);
        text += n + (text[n] != 0);
    }
}

/* The library takes the widest kernel instead, without a word. */
static void warn_of_kernel(void)
{
    const char *wanted = getenv("CELLTAP_KERNEL");
    if (wanted != NULL && *wanted != 0 && strcmp(wanted, celltap_kernel_name()) != 0)
        log_line(LOG_LEVEL_WARNING, "CELLTAP_KERNEL=%s cannot run here; the kernel is %s", wanted,
                 celltap_kernel_name());
}

static int run(const struct arguments *arguments)
{
    struct conf *conf;
    struct conf_errors errors;
    log_init(arguments->log_level);
    int r = conf_load(arguments->config, &conf, &errors);
    if (r < 0)
        log_errors(errors.text);
    conf_errors_done(&errors);
    if (r < 0)
        return CHECK_EXIT_CONFIG;
    warn_of_kernel();
    r = loop_run(conf);
    if (r == LOOP_MISCONFIGURED)
        return CHECK_EXIT_CONFIG;
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.log_level = LOG_LEVEL_INFO};
    if (read_arguments(argc, argv, &arguments) < 0)
        return EXIT_USAGE;
    if (arguments.help)
        fputs(help, stdout);
    else if (arguments.version)
        puts("celltapd " CELLTAP_VERSION);
    else if (arguments.check)
        return check_run(arguments.config);
    else
        return run(&arguments);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
