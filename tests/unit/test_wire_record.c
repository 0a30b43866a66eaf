/* test_wire_record.c - activation records: written in every encoding, read back, refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/celltap_wire.h"
#include "tests/support/suite.h"

#define TEXT(text) text, sizeof(text) - 1

/* packb({"stream": "pump/1", "seq": 7, "ts": 5, "layer": "lstms.0", "dtype": "<f4",
 *        "tensors": {"h": pack("<2f", 0.5, -1), "c": pack("<2f", 3, 4)}}) */
#define RECORD_PYTHON                                                                              \
    "\x86\xa6stream\xa6pump/1\xa3seq\x07\xa2ts\x05\xa5layer\xa7lstms.0\xa5"                        \
    "dtype\xa3<f4\xa7tensors\x82\xa1h\xc4\x08\x00\x00\x00\x3f\x00\x00\x80\xbf\xa1"                 \
    "c\xc4\x08\x00\x00\x40\x40\x00\x00\x80\x40"

static const float record_h[] = {0.5f, -1}, record_c[] = {3, 4};
static const struct celltap_record_tensor record_tensors[] = {{"h", record_h, 2},
                                                              {"c", record_c, 2}};
static const struct celltap_record record_sample = {
    .stream = "pump/1",
    .stream_bytes = 6,
    .seq = 7,
    .ts_ns = 5,
    .layer = "lstms.0",
    .n_tensors = 2,
    .tensors = record_tensors,
};

START_TEST(test_record_when_written_then_is_what_python_writes)
{
    unsigned char bytes[256];
    struct celltap_writer writer = {bytes, bytes + sizeof bytes, false};
    celltap_put_record(&writer, &record_sample, CELLTAP_ENCODING_F4);
    ck_assert(!writer.full);
    ck_assert_uint_eq((size_t)(writer.at - bytes), sizeof RECORD_PYTHON - 1);
    ck_assert_mem_eq(bytes, RECORD_PYTHON, sizeof RECORD_PYTHON - 1);
}
END_TEST

/* Back to back in one message, read one after the other in each encoding. */
START_TEST(test_record_when_read_back_then_is_the_same_in_every_encoding)
{
    enum { ENCODINGS = 3 };
    static const enum celltap_encoding encodings[ENCODINGS] = {
        CELLTAP_ENCODING_F4, CELLTAP_ENCODING_F2, CELLTAP_ENCODING_ARRAY};
    unsigned char bytes[1024];
    struct celltap_writer writer = {bytes, bytes + sizeof bytes, false};
    for (size_t i = 0; i < ENCODINGS; i++)
        celltap_put_record(&writer, &record_sample, encodings[i]);
    const unsigned char *cursor = bytes;
    for (size_t i = 0; i < ENCODINGS; i++) {
        struct celltap_record_view view;
        ck_assert_int_eq(celltap_record_read(&cursor, writer.at, &view), 0);
        ck_assert_int_eq(view.encoding, encodings[i]);
        ck_assert(view.seq == 7 && view.ts_ns == 5 && view.n_tensors == 2);
        ck_assert(view.stream_bytes == 6 && memcmp(view.stream, "pump/1", 6) == 0);
        ck_assert(view.layer_bytes == 7 && memcmp(view.layer, "lstms.0", 7) == 0);
        const unsigned char *at = view.tensors;
        for (size_t j = 0; j < view.n_tensors; j++) {
            const char *name;
            size_t name_bytes, n_values;
            float values[2];
            ck_assert_int_eq(celltap_record_tensor_read(&view, &at, cursor, &name, &name_bytes,
                                                        values, 2, &n_values),
                             0);
            ck_assert(name_bytes == 1 && name[0] == record_tensors[j].name[0]);
            ck_assert_uint_eq(n_values, 2);
            ck_assert_mem_eq(values, record_tensors[j].values, sizeof values);
        }
        ck_assert_ptr_eq(at, cursor);
    }
    ck_assert_ptr_eq(cursor, writer.at);
}
END_TEST

/* What a network holds is passed on as it is, NaN and infinity too. */
START_TEST(test_record_when_values_are_not_finite_then_they_stay)
{
    const float odd[] = {INFINITY, -INFINITY, NAN, -0.0f};
    const struct celltap_record_tensor tensor = {"h", odd, 4};
    struct celltap_record record = record_sample;
    record.n_tensors = 1;
    record.tensors = &tensor;
    for (int i = 0; i < 3; i++) {
        unsigned char bytes[256];
        struct celltap_writer writer = {bytes, bytes + sizeof bytes, false};
        celltap_put_record(&writer, &record, (enum celltap_encoding)i);
        const unsigned char *cursor = bytes;
        struct celltap_record_view view;
        ck_assert_int_eq(celltap_record_read(&cursor, writer.at, &view), 0);
        const char *name;
        size_t name_bytes, n_values;
        float values[4];
        celltap_record_tensor_read(&view, &view.tensors, cursor, &name, &name_bytes, values, 4,
                                   &n_values);
        ck_assert(values[0] == INFINITY && values[1] == -INFINITY && isnan(values[2]));
        ck_assert(values[3] == 0 && signbit(values[3]));
    }
}
END_TEST

START_TEST(test_record_tensor_when_room_is_short_then_the_rest_is_left_out)
{
    const unsigned char *cursor = (const unsigned char *)RECORD_PYTHON;
    const unsigned char *end = cursor + sizeof RECORD_PYTHON - 1;
    struct celltap_record_view view;
    ck_assert_int_eq(celltap_record_read(&cursor, end, &view), 0);
    const char *name;
    size_t name_bytes, n_values;
    float values[2] = {99, 99};
    ck_assert_int_eq(celltap_record_tensor_read(&view, &view.tensors, end, &name, &name_bytes,
                                                values, 1, &n_values),
                     0);
    ck_assert_uint_eq(n_values, 2);
    ck_assert(values[0] == 0.5f && values[1] == 99);
    ck_assert_int_eq(celltap_record_tensor_read(&view, &view.tensors, end, &name, &name_bytes, NULL,
                                                0, &n_values),
                     0);
    ck_assert_uint_eq(n_values, 2);
    ck_assert_ptr_eq(view.tensors, end);
}
END_TEST

static const struct {
    const char *bytes;
    size_t n_bytes;
    int err;
} record_faults[] = {
    {TEXT("\x90"), CELLTAP_ETYPE},
    {TEXT("\x80"), CELLTAP_EKEY},
    {TEXT("\x84\xa6stream\xa1x\xa3seq\x07\xa2ts\x05\xa5layer\xa1h"), CELLTAP_EKEY},
    {TEXT("\x84\xa6stream\xa1x\xa3seq\x07\xa2ts\x05\xa7tensors\x80"), CELLTAP_EKEY},
    {TEXT("\x85\xa6stream\x01\xa3seq\x07\xa2ts\x05\xa5layer\xa1h\xa7tensors\x80"), CELLTAP_ETYPE},
    {TEXT("\x85\xa6stream\xa1 \xa3seq\x07\xa2ts\x05\xa5layer\xa1h\xa7tensors\x80"),
     CELLTAP_ESTREAM},
    {TEXT("\x85\xa6stream\xa1x\xa3seq\x00\xa2ts\x05\xa5layer\xa1h\xa7tensors\x80"), CELLTAP_ERANGE},
    {TEXT("\x85\xa6stream\xa1x\xa3seq\x07\xa2ts\xc0\xa5layer\xa1h\xa7tensors\x80"), CELLTAP_ETYPE},
    {TEXT("\x85\xa6stream\xa1x\xa3seq\x07\xa2ts\x05\xa5layer\x01\xa7tensors\x80"), CELLTAP_ETYPE},
    {TEXT("\x85\xa6stream\xa1x\xa3seq\x07\xa2ts\x05\xa5layer\xa1h\xa7tensors\x90"), CELLTAP_ETYPE},
    {TEXT("\x85\xa6stream\xa1x\xa3seq\x07\xa2ts\x05\xa5layer\xa1h\xa7tensors\x81\x01\x90"),
     CELLTAP_ETYPE},
    {TEXT("\x85\xa6stream\xa1x\xa3seq\x07\xa2ts\x05\xa5layer\xa1h\xa7tensors\x81\xa1h\xc4\x04"
          "zzzz"),
     CELLTAP_ETYPE},
    {TEXT("\x85\xa6stream\xa1x\xa3seq\x07\xa2ts\x05\xa5layer\xa1h\xa7tensors\x81\xa1h\x91\xa1z"),
     CELLTAP_ETYPE},
    {TEXT("\x86\xa6stream\xa1x\xa3seq\x07\xa2ts\x05\xa5layer\xa1h\xa5"
          "dtype\xa3<f8\xa7tensors\x80"),
     CELLTAP_ETYPE},
    {TEXT("\x86\xa6stream\xa1x\xa3seq\x07\xa2ts\x05\xa5layer\xa1h\xa5"
          "dtype\xa3<f4\xa7tensors\x81\xa1h\xc4\x03zzz"),
     CELLTAP_ETYPE},
    {TEXT("\x86\xa6stream\xa1x\xa3seq\x07\xa2ts\x05\xa5layer\xa1h\xa5"
          "dtype\xa3<f2\xa7tensors\x81\xa1h\x90"),
     CELLTAP_ETYPE},
};

START_TEST(test_record_when_at_fault_then_the_next_one_is_still_read)
{
    for (size_t i = 0; i < sizeof record_faults / sizeof *record_faults; i++) {
        unsigned char bytes[256];
        size_t n_bytes = record_faults[i].n_bytes;
        memcpy(bytes, record_faults[i].bytes, n_bytes);
        memcpy(bytes + n_bytes, RECORD_PYTHON, sizeof RECORD_PYTHON - 1);
        const unsigned char *cursor = bytes, *end = bytes + n_bytes + sizeof RECORD_PYTHON - 1;
        struct celltap_record_view view = {.n_tensors = 99};
        int err = celltap_record_read(&cursor, end, &view);
        ck_assert_msg(err == record_faults[i].err, "row %zu: %d", i, err);
        ck_assert_uint_eq(view.n_tensors, 99);
        ck_assert_ptr_eq(cursor, bytes + n_bytes);
        ck_assert_int_eq(celltap_record_read(&cursor, end, &view), 0);
        ck_assert_ptr_eq(cursor, end);
    }
}
END_TEST

/* dtype behind the tensors: keys have no order. */
START_TEST(test_record_when_keys_are_in_another_order_then_is_read)
{
    const char bytes[] = "\x86\xa7tensors\x81\xa1h\xc4\x02\x00\x3c\xa5"
                         "dtype\xa3<f2\xa5layer\xa1h\xa2ts\x05\xa3seq\x07\xa6stream\xa1x";
    const unsigned char *cursor = (const unsigned char *)bytes;
    const unsigned char *end = cursor + sizeof bytes - 1;
    struct celltap_record_view view;
    ck_assert_int_eq(celltap_record_read(&cursor, end, &view), 0);
    const char *name;
    size_t name_bytes, n_values;
    float value;
    ck_assert_int_eq(celltap_record_tensor_read(&view, &view.tensors, end, &name, &name_bytes,
                                                &value, 1, &n_values),
                     0);
    ck_assert(n_values == 1 && value == 1);
}
END_TEST

START_TEST(test_record_bytes_max_when_asked_then_is_enough_and_close)
{
    static float values[20000];
    char stream[255];
    memset(stream, 's', sizeof stream);
    for (size_t n = 1; n <= 20000; n *= 7) {
        const struct celltap_record_tensor tensors[] = {{"h", values, n}, {"output", values, n}};
        const struct celltap_record record = {
            stream, sizeof stream, UINT64_MAX, INT64_MIN, "lstms.0", 2, tensors};
        for (int i = 0; i < 3; i++) {
            size_t n_max = celltap_record_bytes_max(&record, (enum celltap_encoding)i);
            unsigned char *bytes = malloc(n_max);
            ck_assert_ptr_nonnull(bytes);
            struct celltap_writer writer = {bytes, bytes + n_max, false};
            celltap_put_record(&writer, &record, (enum celltap_encoding)i);
            ck_assert(!writer.full);
            ck_assert_uint_lt(n_max - (size_t)(writer.at - bytes), 64);
            free(bytes);
        }
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_record_when_written_then_is_what_python_writes,
        test_record_when_read_back_then_is_the_same_in_every_encoding,
        test_record_when_values_are_not_finite_then_they_stay,
        test_record_tensor_when_room_is_short_then_the_rest_is_left_out,
        test_record_when_at_fault_then_the_next_one_is_still_read,
        test_record_when_keys_are_in_another_order_then_is_read,
        test_record_bytes_max_when_asked_then_is_enough_and_close,
        NULL,
    };
    return suite_run("wire_record", tests, 10);
}
