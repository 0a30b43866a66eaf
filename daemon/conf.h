/* conf.h - the daemon's configuration, read whole or not at all.
 *
 *     celltapd.yaml --libyaml--> nodes --one table of options--> struct conf
 *
 * Every option is one row of the table in conf_table.c: key, type, offset, default, limits, whether
 * a reload may change it, and a sentence; the parser, --check, the reload, config/celltapd.yaml and
 * the manual are checked against that table.  A struct conf is const once read; everything in it
 * is owned by it.  The loop's thread only. */
#ifndef DAEMON_CONF_H
#define DAEMON_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/celltap_wire.h"

/* A list of texts: globs, URLs, names. */
struct conf_texts {
    char **items; /* [n], each ended by NUL */
    size_t n;
};

enum conf_missing { CONF_MISSING_HOLD, CONF_MISSING_ZERO, CONF_MISSING_REJECT };

#define CONF_BUILTIN_RESERVOIR "builtin:reservoir"

/* A span of time as it was written, and what the model's `rate` makes of it. */
struct conf_span {
    uint64_t number; /* timesteps; is_time: milliseconds */
    bool is_time;
    size_t n_steps; /* 0: could not be read */
};

struct conf_spans {
    struct conf_span *items; /* [n] */
    size_t n;
};

/* Whether the streams of a model are watched by a detector. */
enum conf_watch {
    CONF_WATCH_NO,
    CONF_WATCH_IF_POSSIBLE, /* nobody asked, but a tap publishes what it finds */
    CONF_WATCH_YES
};

enum conf_scale { CONF_SCALE_AUTO, CONF_SCALE_MODEL, CONF_SCALE_LEARN, CONF_SCALE_NONE };
enum conf_clock { CONF_CLOCK_NONE, CONF_CLOCK_DAY };
enum conf_history { CONF_HISTORY_AUTO, CONF_HISTORY_CALM, CONF_HISTORY_WARMUP };

struct conf_detector {
    bool off, given; /* `detector: none`; the key is there */
    bool smooth_given, range_smooth_given;
    struct conf_span warmup, smooth, range_smooth, refractory, forget;
    double threshold, level_state, level_error;
    enum conf_scale scale;
    enum conf_clock clock;
    enum conf_history history;
    char *statistics; /* a file, "auto" or "none" */
};

struct conf_forecast {
    bool off, given;
    char *output; /* or "auto" */
    struct conf_spans horizons;
};

struct conf_model {
    char *name;
    char *
        file; /* absolute: a relative one is looked for beside the configuration file; or builtin */
    uint64_t n_units; /* of the built-in one */
    bool units_given;
    struct conf_texts streams;  /* globs */
    struct conf_texts channels; /* names of the values; empty: none given */
    enum conf_missing missing;
    uint64_t gap_reset_ms; /* 0: never */
    double rate_hz;        /* timesteps per second; 0: not said */
    struct conf_forecast forecast;
    struct conf_detector detector;
    enum conf_watch watch; /* what `detector`, the model and the taps amount to */
    unsigned line;         /* of the configuration file, for messages; 0: a default */
};

enum conf_ingest_kind { CONF_INGEST_PULL, CONF_INGEST_REP };

struct conf_ingest {
    enum conf_ingest_kind kind;
    struct conf_texts listen; /* URLs */
    bool insecure;            /* tcp:// beyond loopback is allowed without TLS */
    unsigned line;
};

enum conf_kind { CONF_KIND_ACTIVATIONS, CONF_KIND_SCORES, CONF_KIND_ANOMALIES };
enum conf_layout { CONF_LAYOUT_BIN, CONF_LAYOUT_ARRAY };
enum conf_dtype { CONF_DTYPE_F4, CONF_DTYPE_F2 };
enum conf_group { CONF_GROUP_TAP, CONF_GROUP_STREAM, CONF_GROUP_LAYER };

struct conf_tap {
    char *name;
    enum conf_kind kind;
    struct conf_texts listen;
    bool insecure;
    struct conf_texts streams, layers, tensors; /* globs */
    uint64_t every;                             /* 1: every timestep; n: seq divisible by n */
    enum conf_group group;
    enum conf_layout layout;        /* `encoding:` */
    enum conf_dtype dtype;          /* `dtype:` */
    enum celltap_encoding encoding; /* what layout and dtype amount to */
    uint64_t queue;                 /* messages kept per subscriber before the oldest is lost */
    unsigned line;
};

enum conf_sync { CONF_SYNC_ALWAYS, CONF_SYNC_INTERVAL, CONF_SYNC_OFF };

struct conf_journal {
    bool off;            /* `journal: off` */
    enum conf_sync sync; /* when what was written is made safe */
    uint64_t sync_interval_ms;
    uint64_t retain_bytes, retain_age_ms; /* age 0: any */
    uint64_t segment_bytes;
    uint64_t snapshot_every; /* frames */
};

#define CONF_THREADS_MAX 64
#define CONF_LATENCY_ANY 2000000000 /* us: Linux's own PM_QOS_CPU_LATENCY_DEFAULT_VALUE */
#define CONF_TAPS_MAX    48

struct conf {
    char *path; /* of the file it was read from */
    char *runtime_dir, *state_dir;
    uint64_t max_message_bytes;  /* a frame message larger than this is refused */
    uint64_t max_streams;        /* a frame that would create one more is rejected */
    uint64_t threads;            /* that step streams and publish; at most CONF_THREADS_MAX */
    uint64_t cpu_dma_latency_us; /* asked of the kernel; CONF_LATENCY_ANY: nothing is */
    struct conf_model *models;
    size_t n_models;
    struct conf_ingest *ingest;
    size_t n_ingest;
    struct conf_tap *taps;
    size_t n_taps;
    struct conf_texts control_listen;
    bool control_insecure;
    struct conf_journal journal;
};

/* Everything wrong with a file: one line each, "FILE:LINE:COLUMN: what is wrong; what to do". */
struct conf_errors {
    const char *text; /* owned, lines ended by \n; "" when there are none */
    size_t n;
};

/* Reads a file.  On success *ret_conf is new; on failure (any error at all) it is untouched and
 * reterr holds every error.  Returns 0 or -1. */
int conf_load(const char *path, struct conf **ret_conf, struct conf_errors *reterr);
void conf_free(struct conf *conf); /* NULL is fine */
void conf_errors_done(struct conf_errors *errors);

/* 0 if a running daemon may go from `old` to `new`; -1 and errors for options that need a restart
 * (runtime_dir, state_dir, threads, cpu_dma_latency_us, the journal's `sync` and whether there is
 * one). */
int conf_reload_check(const struct conf *old, const struct conf *new_conf,
                      struct conf_errors *reterr);

/* What a tap's other options mean for its kind: scores and anomalies have no layer, and no anomaly is
 * left out. */
void conf_tap_settle(struct conf_tap *tap);

/* True for `file: builtin:reservoir`. */
bool conf_is_builtin(const struct conf_model *model);

/* True if any of the globs matches (fnmatch without flags: `*` also matches `/`). */
bool conf_match(const struct conf_texts *globs, const char *text);

#endif
