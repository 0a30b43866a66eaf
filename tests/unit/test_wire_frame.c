/* test_wire_frame.c - frames read: samples that Python's msgpack made, and everything a frame can
 * have wrong. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/celltap_wire.h"
#include "tests/support/suite.h"

#define TEXT(text) text, sizeof(text) - 1

/* A message in memory that ends where the message ends. */
struct message {
    unsigned char *bytes, *end;
    const unsigned char *cursor;
};

static void message_init(struct message *message, const char *bytes, size_t n_bytes)
{
    message->bytes = malloc(n_bytes > 0 ? n_bytes : 1);
    ck_assert_ptr_nonnull(message->bytes);
    memcpy(message->bytes, bytes, n_bytes);
    message->cursor = message->bytes;
    message->end = message->bytes + n_bytes;
}

static int message_read(struct message *message, struct celltap_frame *frame, const char **key)
{
    return celltap_frame_read(&message->cursor, message->end, frame, key);
}

/* packb({"stream": "pump/1", "seq": 6, "ts": 1700000000123456789,
 *        "values": [1, -2, 2.5, None, 300, -70000, 1 << 40]}) */
START_TEST(test_frame_when_values_are_an_array_then_all_numbers_are_read)
{
    struct message message;
    struct celltap_frame frame;
    const char *key;
    message_init(&message,
                 TEXT("\x84\xa6stream\xa6pump/1\xa3seq\x06\xa2ts\xcf\x17\x97\x9c\xfe\x3d\x85\xcd"
                      "\x15\xa6values\x97\x01\xfe\xcb\x40\x04\x00\x00\x00\x00\x00\x00\xc0\xcd\x01"
                      "\x2c\xd2\xff\xfe\xee\x90\xcf\x00\x00\x01\x00\x00\x00\x00\x00"));
    ck_assert_int_eq(message_read(&message, &frame, &key), 0);
    ck_assert_str_eq(key, "");
    ck_assert_ptr_eq(message.cursor, message.end);
    ck_assert_uint_eq(frame.stream_bytes, 6);
    ck_assert_mem_eq(frame.stream, "pump/1", 6);
    ck_assert(frame.has_seq && frame.seq == 6);
    ck_assert(frame.has_ts && frame.ts_ns == 1700000000123456789);
    ck_assert(!frame.reset);
    ck_assert_uint_eq(frame.n_values, 7);
    float values[7];
    celltap_frame_values(&frame, values);
    ck_assert(values[0] == 1 && values[1] == -2 && values[2] == 2.5f && isnan(values[3]));
    ck_assert(values[4] == 300 && values[5] == -70000 && values[6] == 0x1p40f);
    free(message.bytes);
}
END_TEST

/* packb({"stream": "pump/1", "values": pack("<3f", 1, nan, -0.5), "reset": True}) */
START_TEST(test_frame_when_values_are_a_bin_then_they_are_little_endian)
{
    struct message message;
    struct celltap_frame frame;
    message_init(&message, TEXT("\x83\xa6stream\xa6pump/1\xa6values\xc4\x0c\x00\x00\x80\x3f\x00"
                                "\x00\xc0\x7f\x00\x00\x00\xbf\xa5reset\xc3"));
    ck_assert_int_eq(message_read(&message, &frame, NULL), 0);
    ck_assert(!frame.has_seq && !frame.has_ts && frame.reset);
    ck_assert_uint_eq(frame.n_values, 3);
    float values[3];
    celltap_frame_values(&frame, values);
    ck_assert(values[0] == 1 && isnan(values[1]) && values[2] == -0.5f);
    free(message.bytes);
}
END_TEST

/* What counts as missing, in an array and in a bin; 0x1.fffffep127 is the largest float. */
START_TEST(test_frame_values_when_not_finite_as_float_then_are_missing)
{
    static const double sent[] = {(double)INFINITY, -(double)INFINITY, (double)NAN, 1e39, -1e39,
                                  0x1.ffffffp127,   0x1.fffffefp127,   1e-46,       0.1};
    enum { N = sizeof sent / sizeof *sent };
    unsigned char bytes[256];
    struct celltap_writer writer = {bytes, bytes + sizeof bytes, false};
    celltap_put_map(&writer, 2);
    celltap_put_str(&writer, "stream");
    celltap_put_str(&writer, "x");
    celltap_put_str(&writer, "values");
    celltap_put_array(&writer, N);
    for (size_t i = 0; i < N; i++)
        celltap_put_double(&writer, sent[i]);
    const unsigned char *cursor = bytes;
    struct celltap_frame frame;
    ck_assert_int_eq(celltap_frame_read(&cursor, writer.at, &frame, NULL), 0);
    float values[N];
    celltap_frame_values(&frame, values);
    for (size_t i = 0; i < 6; i++)
        ck_assert(isnan(values[i]));
    ck_assert(values[6] == 0x1.fffffep127f && values[7] == 0 && values[8] == 0.1f);

    const float floats[] = {INFINITY, -INFINITY, NAN, 0x1.fffffep127f};
    writer = (struct celltap_writer){bytes, bytes + sizeof bytes, false};
    frame = (struct celltap_frame){.stream = "x", .stream_bytes = 1, .n_values = 4};
    celltap_put_frame(&writer, &frame, floats);
    cursor = bytes;
    ck_assert_int_eq(celltap_frame_read(&cursor, writer.at, &frame, NULL), 0);
    celltap_frame_values(&frame, values);
    ck_assert(isnan(values[0]) && isnan(values[1]) && isnan(values[2]));
    ck_assert(values[3] == 0x1.fffffep127f);
}
END_TEST

/* One fault a row; a good frame behind it is still read. */
static const struct frame_fault {
    const char *bytes;
    size_t n_bytes;
    int err;
    const char *key;
} frame_faults[] = {
    {TEXT("\x01"), CELLTAP_ETYPE, ""},
    {TEXT("\xc0"), CELLTAP_ETYPE, ""},
    {TEXT("\x93\x01\x02\x03"), CELLTAP_ETYPE, ""},
    {TEXT("\x80"), CELLTAP_EKEY, "stream"},
    {TEXT("\x81\xa6stream\xa1x"), CELLTAP_EKEY, "values"},
    {TEXT("\x81\xa6values\x90"), CELLTAP_EKEY, "stream"},
    {TEXT("\x82\xa6stream\x05\xa6values\x90"), CELLTAP_ETYPE, "stream"},
    {TEXT("\x82\xa6stream\xc4\x01x\xa6values\x90"), CELLTAP_ETYPE, "stream"},
    {TEXT("\x82\xa6stream\xa0\xa6values\x90"), CELLTAP_ESTREAM, "stream"},
    {TEXT("\x82\xa6stream\xa3x y\xa6values\x90"), CELLTAP_ESTREAM, "stream"},
    {TEXT("\x82\xa6stream\xa2x\x00\xa6values\x90"), CELLTAP_ESTREAM, "stream"},
    {TEXT("\x82\xa6stream\xa1x\xa6values\xa1y"), CELLTAP_ETYPE, "values"},
    {TEXT("\x82\xa6stream\xa1x\xa6values\xc0"), CELLTAP_ETYPE, "values"},
    {TEXT("\x82\xa6stream\xa1x\xa6values\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"), CELLTAP_ETYPE,
     "values"},
    {TEXT("\x82\xa6stream\xa1x\xa6values\x91\xa1y"), CELLTAP_ETYPE, "values"},
    {TEXT("\x82\xa6stream\xa1x\xa6values\x91\xc3"), CELLTAP_ETYPE, "values"},
    {TEXT("\x82\xa6stream\xa1x\xa6values\x92\x01\x91\x02"), CELLTAP_ETYPE, "values"},
    {TEXT("\x82\xa6stream\xa1x\xa6values\xc4\x05zzzzz"), CELLTAP_ETYPE, "values"},
    {TEXT("\x83\xa6stream\xa1x\xa6values\x90\xa3seq\x00"), CELLTAP_ERANGE, "seq"},
    {TEXT("\x83\xa6stream\xa1x\xa6values\x90\xa3seq\xff"), CELLTAP_ERANGE, "seq"},
    {TEXT("\x83\xa6stream\xa1x\xa6values\x90\xa3seq\xca\x3f\x80\x00\x00"), CELLTAP_ETYPE, "seq"},
    {TEXT("\x83\xa6stream\xa1x\xa6values\x90\xa3seq\xc0"), CELLTAP_ETYPE, "seq"},
    {TEXT("\x83\xa6stream\xa1x\xa6values\x90\xa2ts\xcf\x80\x00\x00\x00\x00\x00\x00\x00"),
     CELLTAP_ERANGE, "ts"},
    {TEXT("\x83\xa6stream\xa1x\xa6values\x90\xa2ts\xa1y"), CELLTAP_ETYPE, "ts"},
    {TEXT("\x83\xa6stream\xa1x\xa6values\x90\xa5reset\x01"), CELLTAP_ETYPE, "reset"},
    {TEXT("\x83\xa6stream\xa1x\xa6values\x90\xa1y\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"
          "\x91\x91\x91\x91\x91\xc0"),
     CELLTAP_EDEPTH, ""},
};
#define FRAME_N_FAULTS (sizeof frame_faults / sizeof *frame_faults)
#define FRAME_GOOD     "\x82\xa6stream\xa1x\xa6values\x91\x07"

START_TEST(test_frame_when_content_is_at_fault_then_only_that_frame_is)
{
    for (size_t i = 0; i < FRAME_N_FAULTS; i++) {
        char bytes[256];
        const struct frame_fault *fault = &frame_faults[i];
        memcpy(bytes, fault->bytes, fault->n_bytes);
        memcpy(bytes + fault->n_bytes, FRAME_GOOD, sizeof FRAME_GOOD - 1);
        struct message message;
        struct celltap_frame frame = {.n_values = 99};
        const char *key = NULL;
        message_init(&message, bytes, fault->n_bytes + sizeof FRAME_GOOD - 1);
        int err = message_read(&message, &frame, &key);
        ck_assert_msg(err == fault->err, "row %zu: %d instead of %d", i, err, fault->err);
        ck_assert_str_eq(key, fault->key);
        ck_assert_uint_eq(frame.n_values, 99);
        ck_assert_ptr_eq(message.cursor, message.bytes + fault->n_bytes);
        ck_assert_int_eq(message_read(&message, &frame, &key), 0);
        ck_assert_uint_eq(frame.n_values, 1);
        ck_assert_ptr_eq(message.cursor, message.end);
        free(message.bytes);
    }
}
END_TEST

START_TEST(test_frame_when_bytes_cannot_be_walked_then_cursor_is_at_the_end)
{
    struct message message;
    struct celltap_frame frame;
    const char *key;
    message_init(&message, TEXT("\x82\xa6stream\xa1x\xa6values\x92\x07"));
    ck_assert_int_eq(message_read(&message, &frame, &key), CELLTAP_ETRUNCATED);
    ck_assert_str_eq(key, "");
    ck_assert_ptr_eq(message.cursor, message.end);
    free(message.bytes);
    message_init(&message, TEXT("\x82\xa6stream\xa1x\xa6values\xc1\x07\x07"));
    ck_assert_int_eq(message_read(&message, &frame, &key), CELLTAP_EMSGPACK);
    ck_assert_ptr_eq(message.cursor, message.end);
    free(message.bytes);
    message_init(&message, "", 0);
    ck_assert_int_eq(message_read(&message, &frame, &key), CELLTAP_ETRUNCATED);
    free(message.bytes);
}
END_TEST

/* Unknown keys of any type, keys that are no str, and keys given twice. */
START_TEST(test_frame_when_key_is_unknown_or_twice_then_is_ignored_or_last_counts)
{
    struct message message;
    struct celltap_frame frame;
    message_init(&message, TEXT("\x87\xa6stream\xa1x\x01\x02\x91\x03\x81\x04\x05\xa6streas\xc0"
                                "\xa6values\x92\x01\x02\xa6stream\xa1y\xa6values\xc4\x04zzzz"));
    ck_assert_int_eq(message_read(&message, &frame, NULL), 0);
    ck_assert_mem_eq(frame.stream, "y", 1);
    ck_assert(frame.values_are_bin && frame.n_values == 1);
    free(message.bytes);
}
END_TEST

START_TEST(test_frame_when_there_are_no_values_then_is_a_frame_of_none)
{
    struct message message;
    struct celltap_frame frame;
    message_init(&message, TEXT("\x82\xa6stream\xa1x\xa6values\x90"));
    ck_assert_int_eq(message_read(&message, &frame, NULL), 0);
    ck_assert_uint_eq(frame.n_values, 0);
    celltap_frame_values(&frame, NULL);
    free(message.bytes);
}
END_TEST

START_TEST(test_frame_when_seq_and_ts_are_at_their_borders_then_are_taken)
{
    struct message message;
    struct celltap_frame frame;
    message_init(&message, TEXT("\x84\xa6stream\xa1x\xa6values\x90\xa3seq\xcf\xff\xff\xff\xff\xff"
                                "\xff\xff\xff\xa2ts\xd3\x80\x00\x00\x00\x00\x00\x00\x00"));
    ck_assert_int_eq(message_read(&message, &frame, NULL), 0);
    ck_assert_uint_eq(frame.seq, UINT64_MAX);
    ck_assert_int_eq(frame.ts_ns, INT64_MIN);
    free(message.bytes);
}
END_TEST

START_TEST(test_stream_name_when_any_byte_then_only_the_listed_are_ok)
{
    const char *listed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/-";
    for (int c = 0; c < 256; c++) {
        char name = (char)c;
        ck_assert_int_eq(celltap_stream_name_ok(&name, 1), c != 0 && strchr(listed, c) != NULL);
    }
    char name[257];
    memset(name, 'a', sizeof name);
    ck_assert(!celltap_stream_name_ok(name, 0));
    ck_assert(celltap_stream_name_ok(name, 255));
    ck_assert(!celltap_stream_name_ok(name, 256));
    ck_assert(!celltap_stream_name_ok("ok\n", 3));
}
END_TEST

/* Written, read back, and never larger than announced. */
START_TEST(test_frame_when_written_then_is_read_back)
{
    for (unsigned with = 0; with < 8; with++) {
        for (size_t n = 0; n < 3000; n = 2 * n + 1) {
            float values[3000], back[3000];
            for (size_t i = 0; i < n; i++)
                values[i] = (float)i / 3;
            struct celltap_frame frame = {
                .stream = "site-1/pump:2/a_b.c",
                .stream_bytes = 19,
                .has_seq = with & 1,
                .seq = UINT64_MAX,
                .has_ts = with >> 1 & 1,
                .ts_ns = INT64_MIN,
                .reset = with >> 2,
                .n_values = n,
            };
            size_t n_max = celltap_frame_bytes_max(19, n);
            unsigned char *bytes = malloc(n_max);
            ck_assert_ptr_nonnull(bytes);
            struct celltap_writer writer = {bytes, bytes + n_max, false};
            celltap_put_frame(&writer, &frame, values);
            ck_assert(!writer.full);
            struct celltap_frame read;
            const unsigned char *cursor = bytes;
            ck_assert_int_eq(celltap_frame_read(&cursor, writer.at, &read, NULL), 0);
            ck_assert_ptr_eq(cursor, writer.at);
            ck_assert(read.has_seq == frame.has_seq && read.has_ts == frame.has_ts);
            ck_assert(!read.has_seq || read.seq == frame.seq);
            ck_assert(!read.has_ts || read.ts_ns == frame.ts_ns);
            ck_assert(read.reset == frame.reset && read.n_values == n);
            celltap_frame_values(&read, back);
            if (n > 0)
                ck_assert_mem_eq(back, values, n * sizeof *values);
            free(bytes);
        }
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_frame_when_values_are_an_array_then_all_numbers_are_read,
        test_frame_when_values_are_a_bin_then_they_are_little_endian,
        test_frame_values_when_not_finite_as_float_then_are_missing,
        test_frame_when_content_is_at_fault_then_only_that_frame_is,
        test_frame_when_bytes_cannot_be_walked_then_cursor_is_at_the_end,
        test_frame_when_key_is_unknown_or_twice_then_is_ignored_or_last_counts,
        test_frame_when_there_are_no_values_then_is_a_frame_of_none,
        test_frame_when_seq_and_ts_are_at_their_borders_then_are_taken,
        test_stream_name_when_any_byte_then_only_the_listed_are_ok,
        test_frame_when_written_then_is_read_back,
        NULL,
    };
    return suite_run("wire_frame", tests, 10);
}
