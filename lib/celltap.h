/* celltap.h - open up a recurrent network while it runs, one timestep at a time.
 *
 *     model (weights, shared, const) <--- stream (the states of one sequence)
 *                   ^                        |
 *                   +----- panel ------------+   steps streams, holds what they just computed
 *
 * Load an ONNX model once, open one stream per sequence of sensor readings, and step the streams
 * in a panel: afterwards the panel shows every tensor of every layer of that timestep, gates and
 * cell states included, until the next step.
 *
 *     celltap_model *model;
 *     celltap_stream *stream;
 *     celltap_panel *panel;
 *     celltap_model_load("pump.onnx", &model, NULL);
 *     celltap_stream_new(model, &stream);
 *     celltap_panel_new(model, 1, &panel);
 *     celltap_step(panel, stream, x, celltap_model_n_values(model));
 *     const float *h = celltap_panel_tensor(panel, 0, layer_ix, tensor_ix);
 *
 * Threads: a model may be shared by any number of threads; a stream or a panel is used by one at a
 * time.  Nothing here prints, exits, or touches a file other than the model's.  A step cannot fail
 * but for a wrong argument, and does not allocate; only while a watched stream warms up it may need
 * memory. */
#ifndef CELLTAP_H
#define CELLTAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CELLTAP_VERSION "0.1.0"

#if defined(__GNUC__)
#define CELLTAP_API __attribute__((visibility("default")))
#else
#define CELLTAP_API
#endif

/* Every code that a function here or in celltap_wire.h may return below zero: name, code, sentence.
 * celltap_strerror and the manual's table are made from this list. */
#define CELLTAP_ERRORS(X)                                                                          \
    X(ENOMEM, -1, "out of memory")                                                                 \
    X(EINVAL, -2, "an argument is out of its range")                                               \
    X(EFILE, -3, "the file cannot be read")                                                        \
    X(EMODEL, -4, "the file is not a valid ONNX model")                                            \
    X(EREFUSED, -5, "the model cannot be advanced one timestep at a time")                         \
    X(ELENGTH, -6, "the number of values differs from the model's inputs")                         \
    X(ETRUNCATED, -7, "the message ends inside a value")                                           \
    X(EMSGPACK, -8, "the message is not MessagePack")                                              \
    X(EDEPTH, -9, "the message is nested too deeply")                                              \
    X(ETYPE, -10, "a key has a value of the wrong type")                                           \
    X(EKEY, -11, "a required key is missing")                                                      \
    X(ESTREAM, -12, "a stream name is 1 to 255 bytes of [A-Za-z0-9._:/-]")                         \
    X(ERANGE, -13, "a number is out of its range")                                                 \
    X(ESTATE, -14, "the states are not whole, or of another model")                                \
    X(EIO, -15, "the disk does not take or give what it should")                                   \
    X(EDAMAGED, -16, "the journal is damaged")                                                     \
    X(EGONE, -17, "the journal does not hold what is asked for")

enum celltap_error {
#define CELLTAP_ERROR_CODE(name, code, sentence) CELLTAP_##name = (code),
    CELLTAP_ERRORS(CELLTAP_ERROR_CODE)
#undef CELLTAP_ERROR_CODE
};

/* The sentence of a code; "unknown error" for any other number.  Never NULL. */
CELLTAP_API const char *celltap_strerror(int code);

/* The name of the kernel in use: "plain", "avx2" or "neon".  Chosen at the first call of any
 * function that needs one; the environment variable CELLTAP_KERNEL forces it (a kernel that this
 * machine cannot run is ignored).  All kernels give the same bits. */
CELLTAP_API const char *celltap_kernel_name(void);

/* Why a model was refused. */
struct celltap_diagnosis {
    char node[256]; /* name of the ONNX node, or "" when the fault is not at a node */
    char text[512]; /* one line: what was expected, what was found */
};

/* ---- models ------------------------------------------------------------------------------- */

typedef struct celltap_model celltap_model;

/* Reads an ONNX model (opset 7 and up), with the files beside it that it keeps weights in, and turns
 * it into layers that advance one timestep.
 * On success *ret_model holds one reference.  On failure nothing is kept, *ret_model is untouched
 * and *reterr (if not NULL) says why.  CELLTAP_EFILE, _EMODEL, _EREFUSED, _ENOMEM. */
CELLTAP_API int celltap_model_load(const char *path, celltap_model **ret_model,
                                   struct celltap_diagnosis *reterr);

/* The bytes of an ONNX file as one piece, which can be hashed, kept and loaded: those of the file or,
 * when it keeps weights in other files (external data, as PyTorch's model.onnx.data), with these
 * inside.  The other files must be in the model's folder or below, also when reached by links.
 * *ret_bytes: the caller's, to be given back with free().  CELLTAP_EFILE, _EMODEL, _EREFUSED,
 * _ENOMEM: nothing is to be given back then.  Whether the model can be loaded is not looked at. */
CELLTAP_API int celltap_model_read(const char *path, void **ret_bytes, size_t *ret_n_bytes,
                                   struct celltap_diagnosis *reterr);

/* The same as celltap_model_load from memory; data is not kept.  Weights in other files are refused:
 * celltap_model_read puts them inside. */
CELLTAP_API int celltap_model_load_bytes(const void *data, size_t n_bytes,
                                         celltap_model **ret_model,
                                         struct celltap_diagnosis *reterr);

/* The built-in model: a fixed random LSTM, layer "reservoir", the same on every machine.  Its states
 * are features of any sensors, and what a detector can watch without training.  n_values: 1 to
 * 4096; n_units: 1 to 1024.  CELLTAP_EINVAL, CELLTAP_ENOMEM. */
CELLTAP_API int celltap_model_reservoir(size_t n_values, size_t n_units, celltap_model **ret_model);

/* The same as the bytes of an ONNX file, which loads as the same model.  Returns how many there are;
 * they are written if that is at most max_bytes (so ask with NULL and 0 first).  0: an argument is
 * out of its range, or there is no memory. */
CELLTAP_API size_t celltap_reservoir_onnx(size_t n_values, size_t n_units, void *ret_bytes,
                                          size_t max_bytes);

CELLTAP_API celltap_model *celltap_model_ref(celltap_model *model);
CELLTAP_API void celltap_model_unref(celltap_model *model); /* NULL is fine */

/* A hash of the bytes that the model was loaded from, weights from other files included: the model's
 * identity.  Journals and saved states name their model by it. */
CELLTAP_API uint64_t celltap_model_hash(const celltap_model *model);

/* What one may want to know of a model that loads, a line each, from 0 on; NULL: there is no more.
 * That it perhaps is not what it was thought to be: a recurrent layer that the exporter wrote out, a
 * state that is none, a GRU that is not PyTorch's. */
CELLTAP_API const char *celltap_model_remark(const celltap_model *model, size_t remark_ix);

/* Values of one frame: the sizes of all the graph's data inputs, side by side in graph order. */
CELLTAP_API size_t celltap_model_n_values(const celltap_model *model);

/* Layers in the order in which a step computes them: "@input" first, "@output" last. */
CELLTAP_API size_t celltap_model_n_layers(const celltap_model *model);

/* Bytes that each stream of this model keeps between timesteps. */
CELLTAP_API size_t celltap_model_state_bytes(const celltap_model *model);

/* A layer's name, and what it is: "LSTM", "GRU", "RNN", "Dense", or the ONNX operator's name;
 * "Input" and "Output" for the graph's own. */
CELLTAP_API const char *celltap_layer_name(const celltap_model *model, size_t layer_ix);
CELLTAP_API const char *celltap_layer_kind(const celltap_model *model, size_t layer_ix);

/* Values read and parameters held by a layer, and the multiply-adds of one timestep. */
CELLTAP_API size_t celltap_layer_n_inputs(const celltap_model *model, size_t layer_ix);
CELLTAP_API size_t celltap_layer_n_parameters(const celltap_model *model, size_t layer_ix);
CELLTAP_API size_t celltap_layer_n_macs(const celltap_model *model, size_t layer_ix);

/* A layer's tensors: LSTM output h c i f g o; GRU output h z r n; RNN output h; "@input" and
 * "@output" one per graph input or output, by its name; all others output. */
CELLTAP_API size_t celltap_layer_n_tensors(const celltap_model *model, size_t layer_ix);
CELLTAP_API const char *celltap_tensor_name(const celltap_model *model, size_t layer_ix,
                                            size_t tensor_ix);
CELLTAP_API size_t celltap_tensor_size(const celltap_model *model, size_t layer_ix,
                                       size_t tensor_ix); /* number of floats */

/* ---- streams ------------------------------------------------------------------------------ */

typedef struct celltap_stream celltap_stream;

/* A stream in the model's initial state.  Takes a reference to the model.  CELLTAP_ENOMEM. */
CELLTAP_API int celltap_stream_new(celltap_model *model, celltap_stream **ret_stream);
CELLTAP_API void celltap_stream_free(celltap_stream *stream); /* NULL is fine */

/* Back to the initial state.  What a watched stream's detector has learnt stays; its next 20
 * timesteps have no score. */
CELLTAP_API void celltap_stream_reset(celltap_stream *stream);

/* A stream's states as bytes, the same on every machine; of a watched one also its detector, or the
 * frames of its warm-up.  save writes celltap_stream_save_bytes to ret_bytes; load takes what save
 * wrote for a stream of the same model, watched with the same options (but for those that
 * celltap_detector_tune takes) or not at all.  CELLTAP_ESTATE
 * (other length, another model, other options), CELLTAP_ENOMEM: nothing has changed then. */
CELLTAP_API size_t celltap_stream_save_bytes(const celltap_stream *stream);
CELLTAP_API void celltap_stream_save(const celltap_stream *stream, void *ret_bytes);
CELLTAP_API int celltap_stream_load(celltap_stream *stream, const void *bytes, size_t n_bytes);

/* ---- panels: stepping --------------------------------------------------------------------- */

typedef struct celltap_panel celltap_panel;

/* Room to step up to `width` (1 to 4096) streams of one model together.  Takes a reference to the
 * model.  CELLTAP_ENOMEM, CELLTAP_EINVAL. */
CELLTAP_API int celltap_panel_new(celltap_model *model, size_t width, celltap_panel **ret_panel);
CELLTAP_API void celltap_panel_free(celltap_panel *panel); /* NULL is fine */

/* Advances one stream by one timestep.  x: [n_values]; a NaN in it goes through the network and
 * stays in its states, but for a watched stream, of which it says that the value is missing.  The
 * result is the panel's column 0.  CELLTAP_ELENGTH, CELLTAP_EINVAL (another model's stream),
 * CELLTAP_ENOMEM (of a watched stream's warm-up): nothing has changed then. */
CELLTAP_API int celltap_step(celltap_panel *panel, celltap_stream *stream, const float *x,
                             size_t n_values);

/* Advances n_streams different streams by one timestep each; the weights are read once.  x[i] is
 * the frame of streams[i]: [n_values]; its result is column i.  The bits are those of
 * celltap_step.  CELLTAP_ELENGTH; CELLTAP_EINVAL (more streams than the width, one given twice, or
 * another model's); CELLTAP_ENOMEM: nothing has changed then. */
CELLTAP_API int celltap_step_many(celltap_panel *panel, celltap_stream *const *streams,
                                  const float *const *x, size_t n_streams, size_t n_values);

/* A tensor of the last step: [celltap_tensor_size], valid until the panel's next step, which puts
 * the new values at the same address.  NULL for an index out of range. */
CELLTAP_API const float *celltap_panel_tensor(const celltap_panel *panel, size_t column_ix,
                                              size_t layer_ix, size_t tensor_ix);

/* ---- detectors: do the sensors behave abnormally? ------------------------------------------ */

/* A detector judges one stream: how unusual the states inside the network are (h and c of all its
 * recurrent layers), how wrong its forecasts were, and whether a sensor left its range.  It learns
 * from the first `warmup` timesteps, which are to be stepped up to three times:
 *
 *     scale     mean and deviation of each channel (not with CELLTAP_SCALE_NONE)
 *     learn     mean and covariance of the states and of the forecasts' errors, and the ranges
 *     level     how far calm timesteps stray
 *     score     from then on, every timestep
 *
 *     celltap_detector_input(detector, values, ts_ns, x);
 *     celltap_step(panel, stream, x, celltap_model_n_values(model));
 *     celltap_detector_step(detector, panel, 0, values, &score);
 *     if (score.rewind)     celltap_stream_reset(stream), and the same frames again from the first
 *
 * celltap_stream_watch does all this for a stream.  A caller who cannot step the same frames again
 * goes on with the next ones: each phase then takes `warmup` timesteps more.  Constant memory and time, no look-ahead, no libm: the scores have the
 * same bits on every machine and kernel. */
typedef struct celltap_detector celltap_detector;

enum celltap_scale {
    CELLTAP_SCALE_MODEL, /* the model scales its inputs itself: it gets the values as they come */
    CELLTAP_SCALE_LEARN, /* it gets them standardised by the warm-up, clipped to +-6 */
    CELLTAP_SCALE_NONE   /* they come standardised: it gets them clipped to +-6 */
};

enum celltap_clock {
    CELLTAP_CLOCK_NONE,
    CELLTAP_CLOCK_DAY /* the model's last two inputs are sine and cosine of the time of day, UTC */
};

/* What the network gets for a missing value. */
enum celltap_missing {
    CELLTAP_MISSING_HOLD, /* the channel's last value; its mean, or 0, before any */
    CELLTAP_MISSING_ZERO
};

/* What the first distances after the warm-up are compared with. */
enum celltap_history {
    CELLTAP_HISTORY_CALM,  /* as many as the warm-up has, all of them 0: the first can look rare */
    CELLTAP_HISTORY_WARMUP /* those of the warm-up, which count for 100 */
};

/* j: of judging alone: celltap_detector_tune changes it, and nothing that was learnt depends on it. */
struct celltap_detector_options {
    size_t warmup;       /* timesteps, 32 to 10^7; 750 */
    double threshold;    /* j: of the score, above which is an event; 2.7 */
    double level_state;  /* j: level alarm: times the warm-up's 0.99 quantile; 0: none; 2 */
    double level_error;  /* j: the same for forecasts; 1.5 */
    double smooth;       /* of distances, timesteps, at least 1; 8, reservoir 6 */
    double range_smooth; /* means over so many timesteps have a range, too; 1: no; reservoir 20 */
    double refractory;   /* j: timesteps until an event is half forgotten; 100 */
    double forget;       /* j: timesteps until the history of distances fades to 1/e; 2000 */
    enum celltap_scale scale;     /* CELLTAP_SCALE_MODEL; of the built-in reservoir _LEARN */
    enum celltap_clock clock;     /* CELLTAP_CLOCK_NONE */
    enum celltap_missing missing; /* CELLTAP_MISSING_HOLD */
    enum celltap_history history; /* CELLTAP_HISTORY_CALM; of the built-in reservoir _WARMUP */
    const char *forecast;   /* which graph output predicts the channels; NULL: the first that has
                                 channels x horizons values, if any; "none": none */
    const size_t *horizons; /* how many timesteps ahead, rising; the output holds all channels of
                                 the first, then of the second, and so on; NULL: 1 */
    size_t n_horizons;      /* up to 64 */
};

/* The values above. */
CELLTAP_API void celltap_detector_defaults(const celltap_model *model,
                                           struct celltap_detector_options *ret_options);

enum celltap_phase {
    CELLTAP_PHASE_SCALE,
    CELLTAP_PHASE_LEARN,
    CELLTAP_PHASE_LEVEL,
    CELLTAP_PHASE_SCORE
};

enum celltap_view { CELLTAP_VIEW_STATE, CELLTAP_VIEW_ERROR, CELLTAP_N_VIEWS };

/* A timestep's verdict.  All 0 before CELLTAP_PHASE_SCORE; never NaN. */
struct celltap_score {
    enum celltap_phase phase;  /* in which this timestep was */
    bool rewind;               /* the phase is over: step the same frames again */
    bool event;                /* score >= threshold */
    bool alarm;                /* from an event or a level passed until g and level are low again */
    bool begin, end;           /* the alarm began or ended at this timestep */
    double score;              /* g, or 0 while an earlier one of that size is still remembered */
    double g;                  /* minus log10 of the probability, of both views and the ranges */
    double level;              /* of the view that is highest; 1: the level alarm begins */
    double s[CELLTAP_N_VIEWS]; /* smoothed distance */
    double g_view[CELLTAP_N_VIEWS]; /* state: with the ranges */
};

/* Takes a reference to the model.  CELLTAP_EINVAL (an option is out of its range, or nothing in
 * the model can be watched), CELLTAP_ENOMEM; *reterr, if not NULL, says why. */
CELLTAP_API int celltap_detector_new(celltap_model *model,
                                     const struct celltap_detector_options *options,
                                     celltap_detector **ret_detector,
                                     struct celltap_diagnosis *reterr);
CELLTAP_API void celltap_detector_free(celltap_detector *detector); /* NULL is fine */

/* Its options, complete: forecast is the output's name, or "none". */
CELLTAP_API const struct celltap_detector_options *
celltap_detector_get_options(const celltap_detector *detector);

/* Takes the options marked j; the next timestep is judged by them.  CELLTAP_EINVAL (one is out of its
 * range): nothing has changed then. */
CELLTAP_API int celltap_detector_tune(celltap_detector *detector,
                                      const struct celltap_detector_options *options);

/* Values of a frame: the model's, without the clock's two. */
CELLTAP_API size_t celltap_detector_n_channels(const celltap_detector *detector);

/* Bytes that it keeps now: more during the warm-up. */
CELLTAP_API size_t celltap_detector_bytes(const celltap_detector *detector);

/* What the network gets: values [n_channels] scaled as the options say, then the clock.  NaN and
 * infinite ones are missing and replaced as the options say.  ret_x: [celltap_model_n_values]. */
CELLTAP_API void celltap_detector_input(celltap_detector *detector, const float *values,
                                        int64_t ts_ns, float *ret_x);

/* Judges the timestep that the panel's column has just computed.  values: as above; a missing one
 * has no range and no error.  CELLTAP_EINVAL (another model's panel, no such column): nothing has
 * changed then. */
CELLTAP_API int celltap_detector_step(celltap_detector *detector, const celltap_panel *panel,
                                      size_t column_ix, const float *values,
                                      struct celltap_score *ret_score);

/* All over again, with a new warm-up.  CELLTAP_ENOMEM: nothing has changed then. */
CELLTAP_API int celltap_detector_reset(celltap_detector *detector);

/* The stream was reset; what has been learnt stays.  The next 20 timesteps have no score. */
CELLTAP_API void celltap_detector_resume(celltap_detector *detector);

struct celltap_channel_share {
    size_t channel_ix;
    double value, expected; /* in the values' own unit; expected: the forecast, else the mean */
    double share;           /* of what is unusual, 0 to 1 */
};

struct celltap_unit_share {
    size_t layer_ix, tensor_ix, unit_ix;
    double deviation; /* standard deviations from what the units before it let expect */
};

/* Which channels and units make the timestep unusual that celltap_detector_step was called for
 * last, the strongest first: up to n_max; returns how many.  0 before CELLTAP_PHASE_SCORE. */
CELLTAP_API size_t celltap_detector_channels(celltap_detector *detector, const float *values,
                                             struct celltap_channel_share *ret_shares,
                                             size_t n_max);
CELLTAP_API size_t celltap_detector_units(celltap_detector *detector, const celltap_panel *panel,
                                          size_t column_ix, struct celltap_unit_share *ret_shares,
                                          size_t n_max);

/* All of a detector as bytes, the same on every machine, as many as save_bytes says now.  load
 * takes them for a detector of the same model and options.  CELLTAP_ESTATE, CELLTAP_ENOMEM:
 * nothing has changed then. */
CELLTAP_API size_t celltap_detector_save_bytes(const celltap_detector *detector);
CELLTAP_API void celltap_detector_save(const celltap_detector *detector, void *ret_bytes);
CELLTAP_API int celltap_detector_load(celltap_detector *detector, const void *bytes,
                                      size_t n_bytes);

/* ---- watched streams: a detector as part of the stream ------------------------------------- */

/* Gives a stream that has not been stepped yet a detector of its own.  From then on a step takes its
 * frames in the sensors' own unit, NaN where a value is missing, as many as celltap_stream_n_values
 * says; it scales them for the network, steps, and judges:
 *
 *     celltap_stream_watch(stream, NULL, NULL);
 *     celltap_stream_at(stream, ts_ns);
 *     celltap_step(panel, stream, values, celltap_stream_n_values(stream));
 *     const struct celltap_score *score = celltap_panel_score(panel, 0);
 *
 * The warm-up: its first `warmup` frames are kept, at most 1 GiB, of 8 + 4 n_values bytes each, and
 * stepped as they come, with the scaling known by then and without a score.  Then the warm-up is
 * due: they are stepped twice more from the initial state, to learn and to find the levels, and the
 * next frame goes on from there with a score.  The next step does this first, or the caller before
 * it, as below.  Scores and states are a function of the frames and their times alone.
 *
 * options: NULL: celltap_detector_defaults.  CELLTAP_EINVAL (an option is out of its range, nothing
 * in the model can be watched, the stream is watched or has been stepped), CELLTAP_ENOMEM; *reterr,
 * if not NULL, says why. */
CELLTAP_API int celltap_stream_watch(celltap_stream *stream,
                                     const struct celltap_detector_options *options,
                                     struct celltap_diagnosis *reterr);

/* Values of a frame: the model's, of a watched stream without the clock's two. */
CELLTAP_API size_t celltap_stream_n_values(const celltap_stream *stream);

/* The time of the stream's next frame, nanoseconds since 1970; the clock shows it.  0 at first. */
CELLTAP_API void celltap_stream_at(celltap_stream *stream, int64_t ts_ns);

/* The verdict on a column of the last step: NULL if its stream is not watched.  Valid until that
 * stream is stepped, loaded or freed. */
CELLTAP_API const struct celltap_score *celltap_panel_score(const celltap_panel *panel,
                                                            size_t column_ix);

/* The detector of a watched stream, to be asked for channels and units and to be saved; NULL: not
 * watched.  Valid until the stream is stepped or loaded.  It has learnt nothing before
 * celltap_stream_warm_left is SIZE_MAX. */
CELLTAP_API celltap_detector *celltap_stream_detector(const celltap_stream *stream);

/* What another stream's detector has learnt (celltap_detector_save), instead of a warm-up.  For a
 * watched stream.  CELLTAP_ESTATE (of another model, clock, scale or forecast; the warm-up was not
 * over; damaged): nothing has changed then, and *reterr, if not NULL, says why. */
CELLTAP_API int celltap_stream_learn(celltap_stream *stream, const void *bytes, size_t n_bytes,
                                     struct celltap_diagnosis *reterr);

/* Back to where celltap_stream_watch left it: the states, and a new warm-up.  Of a stream that is
 * not watched: celltap_stream_reset. */
CELLTAP_API void celltap_stream_rewarm(celltap_stream *stream);

/* Timesteps until the warm-up is due; 0: it is; SIZE_MAX: it is over, or the stream is not watched. */
CELLTAP_API size_t celltap_stream_warm_left(const celltap_stream *stream);

/* Makes room for n_frames more of the warm-up (if it is over: of the next one), so that their steps
 * need no memory.  CELLTAP_ENOMEM. */
CELLTAP_API int celltap_stream_reserve(celltap_stream *stream, size_t n_frames);

/* Ends a warm-up that is due; nothing to do otherwise.  CELLTAP_ENOMEM: nothing has changed then. */
CELLTAP_API int celltap_stream_warm(celltap_stream *stream);

/* The same on another thread, while the stream lives on (it may be saved, reset, rewarmed or freed,
 * but a step would do the work itself): new, end and free are for the stream's thread, run for any.
 *
 *     celltap_warmup_new(stream, &warmup);
 *     while (celltap_warmup_run(warmup, 1000)) ;
 *     celltap_warmup_end(warmup, stream);
 *     celltap_warmup_free(warmup); */
typedef struct celltap_warmup celltap_warmup;

/* CELLTAP_EINVAL (no warm-up is due), CELLTAP_ENOMEM. */
CELLTAP_API int celltap_warmup_new(celltap_stream *stream, celltap_warmup **ret_warmup);
CELLTAP_API void celltap_warmup_free(celltap_warmup *warmup); /* NULL is fine */

/* Up to n_timesteps of it: true: there are more. */
CELLTAP_API bool celltap_warmup_run(celltap_warmup *warmup, size_t n_timesteps);

/* The stream takes what was learnt.  CELLTAP_ESTATE: it is not whole, or the stream is not any more
 * as it was; nothing has changed then. */
CELLTAP_API int celltap_warmup_end(celltap_warmup *warmup, celltap_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
