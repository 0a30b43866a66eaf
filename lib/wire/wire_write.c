/* wire_write.c - MessagePack into a fixed window; the only door to msgpack-c.
 *
 *     struct celltap_writer   | written | at ... free ... end |
 *
 * msgpack-c's packing template is instantiated over the writer, so every token is encoded by
 * msgpack-c and appended inline: a record costs little more than its copies.  Nothing is allocated;
 * what does not fit sets `full` and ends the writing. */
#include <string.h>

#include "lib/base/le.h"
#include "lib/celltap_wire.h"
#include "lib/wire/wire_float.h"

static inline int write_bytes(struct celltap_writer *writer, const void *bytes, size_t n_bytes)
{
    if (writer->full || n_bytes > (size_t)(writer->end - writer->at)) {
        writer->full = true;
        return -1;
    }
    if (n_bytes > 0)
        memcpy(writer->at, bytes, n_bytes);
    writer->at += n_bytes;
    return 0;
}

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ /* Debian's header is fixed to little-endian */
#define MSGPACK_ENDIAN_BIG_BYTE    1
#define MSGPACK_ENDIAN_LITTLE_BYTE 0
#endif
#include <msgpack/pack_define.h>
#include <msgpack/timestamp.h>
#define msgpack_pack_inline_func(name)                 static inline int msgpack_pack##name
#define msgpack_pack_inline_func_cint(name)            static inline int msgpack_pack##name
#define msgpack_pack_inline_func_fixint(name)          static inline int msgpack_pack_fix##name
#define msgpack_pack_user                              struct celltap_writer *
#define msgpack_pack_append_buffer(user, buf, n_bytes) return write_bytes(user, buf, n_bytes)
#include <msgpack/pack_template.h>

/* ---- single values ------------------------------------------------------------------------- */

/* False, and the writer full, for more items than the head of any MessagePack value can say. */
static inline bool write_count_ok(struct celltap_writer *writer, size_t n)
{
    if (n > UINT32_MAX)
        writer->full = true;
    return !writer->full;
}

void celltap_put_map(struct celltap_writer *writer, size_t n_pairs)
{
    if (write_count_ok(writer, n_pairs))
        msgpack_pack_map(writer, n_pairs);
}

void celltap_put_array(struct celltap_writer *writer, size_t n_items)
{
    if (write_count_ok(writer, n_items))
        msgpack_pack_array(writer, n_items);
}

void celltap_put_strn(struct celltap_writer *writer, const char *text, size_t n_bytes)
{
    if (!write_count_ok(writer, n_bytes))
        return;
    msgpack_pack_str(writer, n_bytes);
    msgpack_pack_str_body(writer, text, n_bytes);
}

void celltap_put_str(struct celltap_writer *writer, const char *text)
{
    celltap_put_strn(writer, text, strlen(text));
}

void celltap_put_bin(struct celltap_writer *writer, const void *bytes, size_t n_bytes)
{
    if (!write_count_ok(writer, n_bytes))
        return;
    msgpack_pack_bin(writer, n_bytes);
    msgpack_pack_bin_body(writer, bytes, n_bytes);
}

void celltap_put_uint(struct celltap_writer *writer, uint64_t value)
{
    msgpack_pack_uint64(writer, value);
}

void celltap_put_int(struct celltap_writer *writer, int64_t value)
{
    msgpack_pack_int64(writer, value);
}

void celltap_put_float(struct celltap_writer *writer, float value)
{
    msgpack_pack_float(writer, value);
}

void celltap_put_double(struct celltap_writer *writer, double value)
{
    msgpack_pack_double(writer, value);
}

void celltap_put_bool(struct celltap_writer *writer, bool value)
{
    if (value)
        msgpack_pack_true(writer);
    else
        msgpack_pack_false(writer);
}

void celltap_put_nil(struct celltap_writer *writer)
{
    msgpack_pack_nil(writer);
}

void celltap_put_raw(struct celltap_writer *writer, const void *bytes, size_t n_bytes)
{
    write_bytes(writer, bytes, n_bytes);
}

/* ---- values of a tensor or a frame --------------------------------------------------------- */

/* The head of a bin of n values and room for them; NULL if they do not fit. */
static unsigned char *write_bin_room(struct celltap_writer *writer, size_t n, size_t value_bytes)
{
    if (n > UINT32_MAX / value_bytes) {
        writer->full = true;
        return NULL;
    }
    size_t n_bytes = n * value_bytes;
    msgpack_pack_bin(writer, n_bytes);
    if (writer->full || n_bytes > (size_t)(writer->end - writer->at)) {
        writer->full = true;
        return NULL;
    }
    unsigned char *room = writer->at;
    writer->at += n_bytes;
    return room;
}

static void write_f4(struct celltap_writer *writer, const float *values, size_t n)
{
    unsigned char *room = write_bin_room(writer, n, 4);
    if (room != NULL)
        le_put_floats(room, values, n);
}

static void write_f2(struct celltap_writer *writer, const float *values, size_t n)
{
    unsigned char *room = write_bin_room(writer, n, 2);
    for (size_t i = 0; room != NULL && i < n; i++)
        wire_store16(room + 2 * i, wire_half_of_float(values[i]));
}

static void write_array(struct celltap_writer *writer, const float *values, size_t n)
{
    celltap_put_array(writer, n);
    for (size_t i = 0; !writer->full && i < n; i++)
        msgpack_pack_float(writer, values[i]);
}

struct write_encoding {
    const char *dtype;      /* NULL: none is written */
    size_t value_bytes_max; /* of one value */
    void (*write)(struct celltap_writer *writer, const float *values, size_t n);
};

static const struct write_encoding write_encodings[] = {
    [CELLTAP_ENCODING_F4] = {"<f4", 4, write_f4},
    [CELLTAP_ENCODING_F2] = {"<f2", 2, write_f2},
    [CELLTAP_ENCODING_ARRAY] = {NULL, 5, write_array},
};

/* ---- frames -------------------------------------------------------------------------------- */

#define WRITE_HEAD_MAX   5 /* bytes before the items of a map, array, str or bin */
#define WRITE_NUMBER_MAX 9 /* bytes of an integer or a float */

/* A key: its text is a literal, so that its head and length are constants. */
#define WRITE_KEY(writer, literal)                                                                 \
    do {                                                                                           \
        msgpack_pack_str(writer, sizeof literal - 1);                                              \
        msgpack_pack_str_body(writer, literal, sizeof literal - 1);                                \
    } while (0)
#define WRITE_KEY_BYTES(literal) (sizeof literal) /* one byte of head instead of the NUL */

void celltap_put_frame(struct celltap_writer *writer, const struct celltap_frame *frame,
                       const float *values)
{
    msgpack_pack_map(writer, 2u + frame->has_seq + frame->has_ts + frame->reset);
    WRITE_KEY(writer, "stream");
    celltap_put_strn(writer, frame->stream, frame->stream_bytes);
    if (frame->has_seq) {
        WRITE_KEY(writer, "seq");
        msgpack_pack_uint64(writer, frame->seq);
    }
    if (frame->has_ts) {
        WRITE_KEY(writer, "ts");
        msgpack_pack_int64(writer, frame->ts_ns);
    }
    if (frame->reset) {
        WRITE_KEY(writer, "reset");
        msgpack_pack_true(writer);
    }
    WRITE_KEY(writer, "values");
    write_f4(writer, values, frame->n_values);
}

size_t celltap_frame_bytes_max(size_t stream_bytes, size_t n_values)
{
    return 1 + WRITE_KEY_BYTES("stream") + WRITE_HEAD_MAX + stream_bytes + WRITE_KEY_BYTES("seq") +
           WRITE_NUMBER_MAX + WRITE_KEY_BYTES("ts") + WRITE_NUMBER_MAX + WRITE_KEY_BYTES("reset") +
           1 + WRITE_KEY_BYTES("values") + WRITE_HEAD_MAX + 4 * n_values;
}

/* ---- activation records -------------------------------------------------------------------- */

void celltap_put_record(struct celltap_writer *writer, const struct celltap_record *record,
                        enum celltap_encoding encoding)
{
    const struct write_encoding *how = &write_encodings[encoding];
    msgpack_pack_map(writer, how->dtype == NULL ? 5 : 6);
    WRITE_KEY(writer, "stream");
    celltap_put_strn(writer, record->stream, record->stream_bytes);
    WRITE_KEY(writer, "seq");
    msgpack_pack_uint64(writer, record->seq);
    WRITE_KEY(writer, "ts");
    msgpack_pack_int64(writer, record->ts_ns);
    WRITE_KEY(writer, "layer");
    celltap_put_str(writer, record->layer);
    if (how->dtype != NULL) {
        WRITE_KEY(writer, "dtype");
        celltap_put_strn(writer, how->dtype, 3);
    }
    WRITE_KEY(writer, "tensors");
    celltap_put_map(writer, record->n_tensors);
    for (size_t i = 0; !writer->full && i < record->n_tensors; i++) {
        const struct celltap_record_tensor *tensor = &record->tensors[i];
        celltap_put_str(writer, tensor->name);
        how->write(writer, tensor->values, tensor->n_values);
    }
}

size_t celltap_record_bytes_max(const struct celltap_record *record, enum celltap_encoding encoding)
{
    size_t n_bytes = 1 + WRITE_KEY_BYTES("stream") + WRITE_HEAD_MAX + record->stream_bytes +
                     WRITE_KEY_BYTES("seq") + WRITE_NUMBER_MAX + WRITE_KEY_BYTES("ts") +
                     WRITE_NUMBER_MAX + WRITE_KEY_BYTES("layer") + WRITE_HEAD_MAX +
                     strlen(record->layer) + WRITE_KEY_BYTES("dtype") + WRITE_KEY_BYTES("<f4") +
                     WRITE_KEY_BYTES("tensors") + WRITE_HEAD_MAX;
    for (size_t i = 0; i < record->n_tensors; i++)
        n_bytes += WRITE_HEAD_MAX + strlen(record->tensors[i].name) + WRITE_HEAD_MAX +
                   record->tensors[i].n_values * write_encodings[encoding].value_bytes_max;
    return n_bytes;
}
