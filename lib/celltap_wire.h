/* celltap_wire.h - what travels on celltap's sockets: frames in, records and replies out.
 *
 *     frames   | map | map | map | ...                     one message, msgpack maps back to back
 *     records  | topic | NUL | map | map | ...             see celltap-wire(7)
 *
 * Reading is a walk over the message in place, writing goes into memory of the caller: nothing here
 * allocates, recurses, or reads a byte beyond `end`.  Any thread. */
#ifndef CELLTAP_WIRE_H
#define CELLTAP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "celltap.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CELLTAP_STREAM_NAME_MAX 255 /* bytes */
#define CELLTAP_WIRE_DEPTH_MAX  16  /* maps and arrays inside each other */

/* ---- any MessagePack value, one token at a time ------------------------------------------- */

enum celltap_token_kind {
    CELLTAP_TOKEN_NIL,
    CELLTAP_TOKEN_BOOL,  /* .boolean */
    CELLTAP_TOKEN_UINT,  /* .uint: integers >= 0, however they were encoded */
    CELLTAP_TOKEN_INT,   /* .sint: integers < 0 */
    CELLTAP_TOKEN_FLOAT, /* .number: float32 and float64 */
    CELLTAP_TOKEN_STR,   /* .bytes, .n_bytes: in the message, no NUL behind */
    CELLTAP_TOKEN_BIN,   /* .bytes, .n_bytes */
    CELLTAP_TOKEN_EXT,   /* .bytes, .n_bytes; its type is bytes[-1] */
    CELLTAP_TOKEN_ARRAY, /* .n_items values follow */
    CELLTAP_TOKEN_MAP    /* .n_items pairs of key and value follow */
};

struct celltap_token {
    enum celltap_token_kind kind;
    __extension__ union { /* (unnamed: news to C99, and to C++ the struct) */
        bool boolean;
        uint64_t uint;
        int64_t sint;
        double number;
        size_t n_items;
        __extension__ struct {
            const unsigned char *bytes; /* borrowed from the message */
            size_t n_bytes;
        };
    };
};

/* Reads the token at *cursor and moves *cursor behind it.  A str, bin or ext is taken whole; of an
 * array or a map only the header (an array or map that claims more items than bytes are left is
 * refused).  CELLTAP_ETRUNCATED, CELLTAP_EMSGPACK: *cursor stays. */
CELLTAP_API int celltap_token_read(const unsigned char **cursor, const unsigned char *end,
                                   struct celltap_token *ret_token);

/* Moves *cursor behind the next whole value.  CELLTAP_EDEPTH if more than CELLTAP_WIRE_DEPTH_MAX
 * maps and arrays are open in it at once; otherwise as celltap_token_read.  *cursor stays then. */
CELLTAP_API int celltap_token_skip(const unsigned char **cursor, const unsigned char *end);

/* Looks up a key of the map whose header starts at `map` and reads its value's token; *ret_at (if
 * not NULL) is where that value starts.  Other keys are skipped; of a key given twice the last one
 * counts.  CELLTAP_EKEY if it is not there, CELLTAP_ETYPE if `map` is no map, or as
 * celltap_token_skip. */
CELLTAP_API int celltap_map_find(const unsigned char *map, const unsigned char *end,
                                 const char *key, struct celltap_token *ret_token,
                                 const unsigned char **ret_at);

CELLTAP_API bool celltap_token_is(const struct celltap_token *token,
                                  const char *text); /* a str equal to text */

/* ---- frames ------------------------------------------------------------------------------- */

/* One frame, a view into its message. */
struct celltap_frame {
    const char *stream; /* borrowed, stream_bytes long, no NUL behind */
    size_t stream_bytes;
    uint64_t seq;  /* if has_seq */
    int64_t ts_ns; /* if has_ts: nanoseconds since 1970 */
    bool has_seq, has_ts;
    bool reset;
    size_t n_values;
    const unsigned char *values; /* borrowed: msgpack numbers, or float32 if values_are_bin */
    size_t values_bytes;
    bool values_are_bin;
};

/* Reads the frame at *cursor.  Afterwards *cursor is behind it, also when its content is at fault
 * or nested too deeply (so the next frame can be read); when the bytes cannot be walked at all
 * (_ETRUNCATED, _EMSGPACK), *cursor is `end`.  Of a key given twice the last one counts.
 * *reterr_key (if not NULL) names the key at fault, or is "".  CELLTAP_ETRUNCATED, _EMSGPACK,
 * _EDEPTH, _ETYPE (also: no map; a bin of values that is no multiple of 4), _EKEY, _ESTREAM,
 * _ERANGE (a seq below 1, a ts beyond int64): *ret_frame is untouched then. */
CELLTAP_API int celltap_frame_read(const unsigned char **cursor, const unsigned char *end,
                                   struct celltap_frame *ret_frame, const char **reterr_key);

/* Copies a frame's values: [n_values].  Missing ones (nil, NaN, infinite, beyond float32) are NaN.
 */
CELLTAP_API void celltap_frame_values(const struct celltap_frame *frame, float *ret_values);

/* True for 1 to 255 bytes of [A-Za-z0-9._:/-]. */
CELLTAP_API bool celltap_stream_name_ok(const char *name, size_t n_bytes);

/* ---- writing ------------------------------------------------------------------------------ */

/* Writes go to `at`, never beyond `end`; once something did not fit, `full` is set and nothing more
 * is written (what was begun may be there in part: keep `at` from before to take it back). */
struct celltap_writer {
    unsigned char *at;
    unsigned char *end;
    bool full;
};

CELLTAP_API void celltap_put_map(struct celltap_writer *writer, size_t n_pairs);
CELLTAP_API void celltap_put_array(struct celltap_writer *writer, size_t n_items);
CELLTAP_API void celltap_put_str(struct celltap_writer *writer, const char *text); /* NUL ends it */
CELLTAP_API void celltap_put_strn(struct celltap_writer *writer, const char *text, size_t n_bytes);
CELLTAP_API void celltap_put_bin(struct celltap_writer *writer, const void *bytes, size_t n_bytes);
CELLTAP_API void celltap_put_uint(struct celltap_writer *writer, uint64_t value);
CELLTAP_API void celltap_put_int(struct celltap_writer *writer, int64_t value);
CELLTAP_API void celltap_put_float(struct celltap_writer *writer, float value);
CELLTAP_API void celltap_put_double(struct celltap_writer *writer, double value);
CELLTAP_API void celltap_put_bool(struct celltap_writer *writer, bool value);
CELLTAP_API void celltap_put_nil(struct celltap_writer *writer);
CELLTAP_API void celltap_put_raw(struct celltap_writer *writer, const void *bytes, size_t n_bytes);

/* A frame as bytes: values as bin of float32 (NaN: missing).  seq if has_seq, ts if has_ts. */
CELLTAP_API void celltap_put_frame(struct celltap_writer *writer, const struct celltap_frame *frame,
                                   const float *values);
CELLTAP_API size_t celltap_frame_bytes_max(size_t stream_bytes, size_t n_values);

/* ---- activation records ------------------------------------------------------------------- */

enum celltap_encoding {
    CELLTAP_ENCODING_F4,   /* bin of little-endian float32, "dtype": "<f4" */
    CELLTAP_ENCODING_F2,   /* bin of little-endian float16, rounded to even, "dtype": "<f2" */
    CELLTAP_ENCODING_ARRAY /* msgpack array of float32 */
};

struct celltap_record_tensor {
    const char *name;
    const float *values; /* [n_values] */
    size_t n_values;
};

struct celltap_record {
    const char *stream; /* stream_bytes long */
    size_t stream_bytes;
    uint64_t seq;
    int64_t ts_ns;
    const char *layer;
    size_t n_tensors;
    const struct celltap_record_tensor *tensors; /* [n_tensors] */
};

CELLTAP_API void celltap_put_record(struct celltap_writer *writer,
                                    const struct celltap_record *record,
                                    enum celltap_encoding encoding);

/* At least as many bytes as celltap_put_record will write. */
CELLTAP_API size_t celltap_record_bytes_max(const struct celltap_record *record,
                                            enum celltap_encoding encoding);

/* A record read back: a view into its message.  Tensors are taken one after the other. */
struct celltap_record_view {
    const char *stream;
    size_t stream_bytes;
    uint64_t seq;
    int64_t ts_ns;
    const char *layer;
    size_t layer_bytes;
    enum celltap_encoding encoding;
    size_t n_tensors;
    const unsigned char *tensors; /* cursor at the first tensor's name */
};

/* Reads the record at *cursor and moves behind it; all of it is checked, tensors included.  Faults
 * and *cursor as celltap_frame_read; an unknown dtype is CELLTAP_ETYPE.  Start behind the message's
 * topic and its NUL byte. */
CELLTAP_API int celltap_record_read(const unsigned char **cursor, const unsigned char *end,
                                    struct celltap_record_view *ret_record);

/* Takes the tensor at *cursor (start with record->tensors, n_tensors times).  Copies at most
 * max_values floats to ret_values; *ret_n_values is how many the tensor has.  After a successful
 * celltap_record_read it cannot fail. */
CELLTAP_API int celltap_record_tensor_read(const struct celltap_record_view *record,
                                           const unsigned char **cursor, const unsigned char *end,
                                           const char **ret_name, size_t *ret_name_bytes,
                                           float *ret_values, size_t max_values,
                                           size_t *ret_n_values);

#ifdef __cplusplus
}
#endif

#endif
