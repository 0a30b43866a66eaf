/* conf_table.c - every option there is: one row each.
 *
 * The rows of a model stand in conf_table_model.c.  A new option is a row, a field in conf.h, an entry in config/celltapd.yaml and in
 * celltapd.yaml(5); a test compares them.  An option of a later release has a row of
 * CONF_TYPE_LATER, so that whoever writes it is told so. */
#include "daemon/conf_table.h"

#include "daemon/conf_table_model.h"

#define SECTION(name_, rows, type)                                                                 \
    {                                                                                              \
        .name = (name_), .n_options = sizeof(rows) / sizeof *(rows), .options = (rows),            \
        .n_bytes = sizeof(type), .line_offset = offsetof(type, line)                               \
    }

#define TLS_LATER                                                                                  \
    {                                                                                              \
        .key = "tls", .type = CONF_TYPE_LATER,                                                     \
        .sentence = "use ipc://, or tcp:// on loopback, or say `insecure: true`"                   \
    }

static const char insecure_sentence[] =
    "Allows tcp:// beyond loopback, for anybody who reaches the port, unencrypted.";

/* ---- ingest: where frames come in --------------------------------------------------------- */

static const struct conf_choice socket_choices[] = {
    {"pull", CONF_INGEST_PULL, false}, {"rep", CONF_INGEST_REP, false}, {NULL, 0, false}};

static const struct conf_option ingest_options[] = {
    {.key = "socket",
     .type = CONF_TYPE_CHOICE,
     .offset = offsetof(struct conf_ingest, kind),
     .example = "pull",
     .choices = socket_choices,
     .sentence = "pull: frames without reply, back-pressure; rep: each message is acknowledged."},
    {.key = "listen",
     .type = CONF_TYPE_URLS,
     .offset = offsetof(struct conf_ingest, listen),
     .fallback = "ipc://<runtime_dir>/ingest.ipc, of rep ingest-ack.ipc",
     .example = "[\"ipc:///run/celltap/name.ipc\"]",
     .min = 1,
     .max = 16,
     .sentence = "URLs where producers dial: ipc:///path, tcp://host:port."},
    {.key = "insecure",
     .type = CONF_TYPE_BOOL,
     .offset = offsetof(struct conf_ingest, insecure),
     .fallback = "false",
     .sentence = insecure_sentence},
    TLS_LATER,
};

static const struct conf_section ingest_section =
    SECTION("an ingest", ingest_options, struct conf_ingest);

/* ---- taps: what is published where -------------------------------------------------------- */

static const struct conf_choice kind_choices[] = {{"activations", CONF_KIND_ACTIVATIONS, false},
                                                  {"scores", CONF_KIND_SCORES, false},
                                                  {"anomalies", CONF_KIND_ANOMALIES, false},
                                                  {NULL, 0, false}};
static const struct conf_choice group_choices[] = {{"tap", CONF_GROUP_TAP, false},
                                                   {"stream", CONF_GROUP_STREAM, false},
                                                   {"layer", CONF_GROUP_LAYER, false},
                                                   {NULL, 0, false}};
static const struct conf_choice layout_choices[] = {
    {"bin", CONF_LAYOUT_BIN, false}, {"array", CONF_LAYOUT_ARRAY, false}, {NULL, 0, false}};
static const struct conf_choice dtype_choices[] = {
    {"<f4", CONF_DTYPE_F4, false}, {"<f2", CONF_DTYPE_F2, false}, {NULL, 0, false}};

static const struct conf_option tap_options[] = {
    {.key = "name",
     .type = CONF_TYPE_NAME,
     .offset = offsetof(struct conf_tap, name),
     .example = "pump",
     .sentence = "The first level of the tap's topics; unique."},
    {.key = "kind",
     .type = CONF_TYPE_CHOICE,
     .offset = offsetof(struct conf_tap, kind),
     .fallback = "activations",
     .choices = kind_choices,
     .sentence = "Tensors of the selected layers, the detector's scores, or what it found."},
    {.key = "listen",
     .type = CONF_TYPE_URLS,
     .offset = offsetof(struct conf_tap, listen),
     .fallback = "ipc://<runtime_dir>/<name>.ipc",
     .example = "[\"ipc:///run/celltap/name.ipc\"]",
     .min = 1,
     .max = 16,
     .sentence = "URLs where subscribers dial: ipc:///path, tcp://host:port."},
    {.key = "insecure",
     .type = CONF_TYPE_BOOL,
     .offset = offsetof(struct conf_tap, insecure),
     .fallback = "false",
     .sentence = insecure_sentence},
    TLS_LATER,
    {.key = "streams",
     .type = CONF_TYPE_GLOBS,
     .offset = offsetof(struct conf_tap, streams),
     .fallback = "[\"*\"]",
     .min = 1,
     .max = 256,
     .sentence = "Streams to publish, as globs."},
    {.key = "layers",
     .type = CONF_TYPE_GLOBS,
     .offset = offsetof(struct conf_tap, layers),
     .fallback = "[\"*\"]",
     .min = 1,
     .max = 256,
     .sentence = "Layers to publish, as globs; `celltap inspect MODEL` lists their names."},
    {.key = "tensors",
     .type = CONF_TYPE_GLOBS,
     .offset = offsetof(struct conf_tap, tensors),
     .fallback = "[output, h, c]",
     .min = 1,
     .max = 256,
     .sentence = "Tensors to publish, as globs; `output` also selects every tensor of @output."},
    {.key = "every",
     .type = CONF_TYPE_COUNT,
     .offset = offsetof(struct conf_tap, every),
     .fallback = "1",
     .min = 1,
     .max = UINT32_MAX,
     .sentence = "Publish only timesteps whose seq is divisible by this."},
    {.key = "group",
     .type = CONF_TYPE_CHOICE,
     .offset = offsetof(struct conf_tap, group),
     .fallback = "layer",
     .choices = group_choices,
     .sentence = "Levels of the topic: tap, tap/stream, or tap/stream/layer."},
    {.key = "encoding",
     .type = CONF_TYPE_CHOICE,
     .offset = offsetof(struct conf_tap, layout),
     .fallback = "bin",
     .choices = layout_choices,
     .sentence = "A tensor in a record: bin of little-endian numbers, or a MessagePack array."},
    {.key = "dtype",
     .type = CONF_TYPE_CHOICE,
     .offset = offsetof(struct conf_tap, dtype),
     .fallback = "<f4",
     .choices = dtype_choices,
     .sentence = "Numbers of a bin: float32 (<f4), or float16 at half the size (<f2)."},
    {.key = "queue",
     .type = CONF_TYPE_COUNT,
     .offset = offsetof(struct conf_tap, queue),
     .fallback = "4096",
     .min = 1,
     .max = 8192, /* nng's limit of NNG_OPT_SENDBUF */
     .sentence = "Messages kept for a slow subscriber before it loses the oldest."},
};

static const struct conf_section tap_section = SECTION("a tap", tap_options, struct conf_tap);

/* ---- control, and the whole --------------------------------------------------------------- */

static const struct conf_option control_options[] = {
    {.key = "listen",
     .type = CONF_TYPE_URLS,
     .offset = offsetof(struct conf, control_listen),
     .fallback = "ipc://<runtime_dir>/control.ipc",
     .example = "[\"ipc:///run/celltap/name.ipc\"]",
     .min = 1,
     .max = 16,
     .sentence = "URLs where `celltap status` and its like dial: ipc:///path, tcp://host:port."},
    {.key = "insecure",
     .type = CONF_TYPE_BOOL,
     .offset = offsetof(struct conf, control_insecure),
     .fallback = "false",
     .sentence = insecure_sentence},
    TLS_LATER,
};

static const struct conf_section control_section = {
    .name = "control",
    .n_options = sizeof control_options / sizeof *control_options,
    .options = control_options,
};

static const struct conf_choice sync_choices[] = {{"always", CONF_SYNC_ALWAYS, false},
                                                  {"interval", CONF_SYNC_INTERVAL, false},
                                                  {"off", CONF_SYNC_OFF, false},
                                                  {NULL, 0, false}};

static const struct conf_option journal_options[] = {
    {.key = "sync",
     .type = CONF_TYPE_CHOICE,
     .offset = offsetof(struct conf, journal.sync),
     .fallback = "interval",
     .choices = sync_choices,
     .restart = true,
     .sentence = "Synced to disk before the acknowledgement, now and then, or never."},
    {.key = "sync_interval_ms",
     .type = CONF_TYPE_COUNT,
     .offset = offsetof(struct conf, journal.sync_interval_ms),
     .fallback = "1000",
     .min = 1,
     .max = 3600000,
     .sentence = "Of `sync: interval`: what a loss of power may cost at most."},
    {.key = "retain_bytes",
     .type = CONF_TYPE_BYTES,
     .offset = offsetof(struct conf, journal.retain_bytes),
     .fallback = "1G",
     .min = 1 << 20,
     .max = UINT64_C(1) << 50,
     .sentence = "The oldest segments go when segments and snapshots take more than this."},
    {.key = "retain_age",
     .type = CONF_TYPE_MS,
     .offset = offsetof(struct conf, journal.retain_age_ms),
     .fallback = "0",
     .max = UINT64_C(315360000000), /* ten years */
     .sentence = "Segments last written to longer ago than this go; 0: at any age they stay."},
    {.key = "segment_bytes",
     .type = CONF_TYPE_BYTES,
     .offset = offsetof(struct conf, journal.segment_bytes),
     .fallback = "16M",
     .min = 1 << 12,
     .max = 1 << 30,
     .sentence = "A segment is full at this size: the journal is dropped in pieces of it."},
    {.key = "snapshot_every",
     .type = CONF_TYPE_COUNT,
     .offset = offsetof(struct conf, journal.snapshot_every),
     .fallback = "4096",
     .min = 1,
     .max = UINT64_C(1) << 40,
     .sentence = "Frames after which the states are saved; at most once a second."},
};

static const struct conf_section journal_section = {
    .name = "journal",
    .n_options = sizeof journal_options / sizeof *journal_options,
    .options = journal_options,
};

static const struct conf_option root_options[] = {
    {.key = "runtime_dir",
     .type = CONF_TYPE_DIR,
     .offset = offsetof(struct conf, runtime_dir),
     .fallback = "/run/celltap",
     .restart = true,
     .sentence = "Directory of the sockets and the lock file."},
    {.key = "state_dir",
     .type = CONF_TYPE_DIR,
     .offset = offsetof(struct conf, state_dir),
     .fallback = "/var/lib/celltap",
     .restart = true,
     .sentence = "Directory of what outlives the daemon: the journal."},
    {.key = "max_message_bytes",
     .type = CONF_TYPE_BYTES,
     .offset = offsetof(struct conf, max_message_bytes),
     .fallback = "4M",
     .min = 1 << 10,
     .max = 1 << 30,
     .sentence = "A larger message is refused; one above twice this ends the connection."},
    {.key = "max_streams",
     .type = CONF_TYPE_COUNT,
     .offset = offsetof(struct conf, max_streams),
     .fallback = "100000",
     .min = 1,
     .max = 10000000,
     .sentence = "A frame that would create one stream more is rejected."},
    {.key = "threads",
     .type = CONF_TYPE_COUNT,
     .offset = offsetof(struct conf, threads),
     .fallback = "1",
     .min = 1,
     .max = CONF_THREADS_MAX,
     .restart = true,
     .sentence = "Threads that share the streams; each stream keeps to one of them."},
    {.key = "cpu_dma_latency_us",
     .type = CONF_TYPE_COUNT,
     .offset = offsetof(struct conf, cpu_dma_latency_us),
     .fallback = "2000000000",
     .max = CONF_LATENCY_ANY,
     .restart = true,
     .sentence = "How long an idle processor may take to wake; 0 keeps all of them awake."},
    {.key = "models",
     .type = CONF_TYPE_LIST,
     .offset = offsetof(struct conf, models),
     .n_offset = offsetof(struct conf, n_models),
     .fallback = "[{name: anything, file: \"builtin:reservoir\"}]",
     .example = "[{name: pump, file: /etc/celltap/pump.onnx}]",
     .min = 1,
     .max = 1024,
     .section = &conf_table_model,
     .sentence = "The models; at least one."},
    {.key = "ingest",
     .type = CONF_TYPE_LIST,
     .offset = offsetof(struct conf, ingest),
     .n_offset = offsetof(struct conf, n_ingest),
     .fallback = "[{socket: pull}, {socket: rep}]",
     .example = "[{socket: pull}]",
     .min = 1,
     .max = 64,
     .section = &ingest_section,
     .sentence = "Where frames come in."},
    {.key = "taps",
     .type = CONF_TYPE_LIST,
     .offset = offsetof(struct conf, taps),
     .n_offset = offsetof(struct conf, n_taps),
     .fallback = "[{name: activations}, {name: scores, kind: scores}, "
                 "{name: anomalies, kind: anomalies}]",
     .example = "[{name: activations}]",
     .max = CONF_TAPS_MAX,
     .section = &tap_section,
     .sentence =
         "What is published where; [] for none but those that clients open, up to 16 besides."},
    {.key = "control",
     .type = CONF_TYPE_SECTION,
     .fallback = "{}",
     .example = "{listen: [\"ipc:///run/celltap/control.ipc\"]}",
     .section = &control_section,
     .sentence = "Where the celltap command reaches the daemon."},
    {.key = "web", .type = CONF_TYPE_LATER, .sentence = "remove it"},
    {.key = "journal",
     .type = CONF_TYPE_SECTION,
     .fallback = "{}",
     .example = "{sync: always}",
     .off_offset = offsetof(struct conf, journal.off),
     .section = &journal_section,
     .sentence = "What was fed in, kept in state_dir; `off` for none."},
};

const struct conf_section conf_table_root = {
    .name = "the configuration",
    .n_options = sizeof root_options / sizeof *root_options,
    .options = root_options,
    .n_bytes = sizeof(struct conf),
};

const char *conf_table_type_name(enum conf_type type)
{
    static const char *const names[] = {
        [CONF_TYPE_NAME] = "name",           [CONF_TYPE_DIR] = "directory",
        [CONF_TYPE_TEXT] = "text",           [CONF_TYPE_FILE] = "file",
        [CONF_TYPE_BOOL] = "boolean",        [CONF_TYPE_COUNT] = "number",
        [CONF_TYPE_BYTES] = "size",          [CONF_TYPE_MS] = "time",
        [CONF_TYPE_REAL] = "decimal number", [CONF_TYPE_SPAN] = "timesteps",
        [CONF_TYPE_CHOICE] = "choice",       [CONF_TYPE_SPANS] = "list of timesteps",
        [CONF_TYPE_NAMES] = "list of names", [CONF_TYPE_GLOBS] = "list of globs",
        [CONF_TYPE_URLS] = "list of URLs",   [CONF_TYPE_SECTION] = "map",
        [CONF_TYPE_LIST] = "list of maps",   [CONF_TYPE_LATER] = "later",
    };
    return names[type];
}

const char *conf_table_example(const struct conf_option *option)
{
    return option->example != NULL ? option->example : option->fallback;
}
