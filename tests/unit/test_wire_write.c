/* test_wire_write.c - what is written is what msgpack-c reads, and stays inside its window. */
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "lib/celltap_wire.h"
#include "tests/support/suite.h"

/* One of everything, with strs, bins and counts on both sides of each border of a head's size. */
static void write_everything(struct celltap_writer *writer)
{
    static const size_t sizes[] = {0, 15, 16, 31, 32, 255, 256, 65535, 65536};
    static char text[65536];
    enum { N = sizeof sizes / sizeof *sizes };
    memset(text, 't', sizeof text);
    celltap_put_array(writer, 8 + 2 * N);
    celltap_put_nil(writer);
    celltap_put_bool(writer, true);
    celltap_put_bool(writer, false);
    celltap_put_uint(writer, UINT64_MAX);
    celltap_put_int(writer, INT64_MIN);
    celltap_put_float(writer, 0.1f);
    celltap_put_double(writer, 0.1);
    celltap_put_map(writer, 1);
    celltap_put_str(writer, "key");
    celltap_put_raw(writer, "\x2a", 1);
    for (size_t i = 0; i < N; i++) {
        celltap_put_strn(writer, text, sizes[i]);
        celltap_put_bin(writer, text, sizes[i]);
    }
}

START_TEST(test_put_when_read_by_msgpack_c_then_is_the_same)
{
    enum { ROOM = 400000 };
    unsigned char *bytes = malloc(ROOM);
    ck_assert_ptr_nonnull(bytes);
    struct celltap_writer writer = {bytes, bytes + ROOM, false};
    write_everything(&writer);
    ck_assert(!writer.full);
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t n_bytes = (size_t)(writer.at - bytes), used = 0;
    ck_assert_int_eq(msgpack_unpack_next(&unpacked, (const char *)bytes, n_bytes, &used),
                     MSGPACK_UNPACK_SUCCESS);
    ck_assert_uint_eq(used, n_bytes);
    ck_assert_uint_eq(unpacked.data.via.array.size, 26);
    const msgpack_object *items = unpacked.data.via.array.ptr;
    ck_assert_int_eq(items[0].type, MSGPACK_OBJECT_NIL);
    ck_assert(items[1].via.boolean && !items[2].via.boolean);
    ck_assert(items[3].via.u64 == UINT64_MAX && items[4].via.i64 == INT64_MIN);
    ck_assert_int_eq(items[5].type, MSGPACK_OBJECT_FLOAT32);
    ck_assert(items[5].via.f64 == (double)0.1f && items[6].via.f64 == 0.1);
    ck_assert_uint_eq(items[7].via.map.ptr[0].val.via.u64, 42);
    ck_assert_uint_eq(items[24].via.str.size, 65536);
    ck_assert_int_eq(items[25].type, MSGPACK_OBJECT_BIN);
    msgpack_unpacked_destroy(&unpacked);
    free(bytes);
}
END_TEST

/* Integers take the shortest form there is, as msgpack asks for. */
START_TEST(test_put_integer_when_at_a_border_then_is_shortest)
{
    static const struct {
        int64_t value;
        size_t n_bytes;
    } rows[] = {{0, 1},      {127, 1},    {128, 2},         {255, 2},         {256, 3},
                {65535, 3},  {65536, 5},  {4294967295, 5},  {4294967296, 9},  {INT64_MAX, 9},
                {-1, 1},     {-32, 1},    {-33, 2},         {-128, 2},        {-129, 3},
                {-32768, 3}, {-32769, 5}, {-2147483648, 5}, {-2147483649, 9}, {INT64_MIN, 9}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned char bytes[9];
        struct celltap_writer writer = {bytes, bytes + sizeof bytes, false};
        celltap_put_int(&writer, rows[i].value);
        ck_assert_uint_eq((size_t)(writer.at - bytes), rows[i].n_bytes);
        const unsigned char *at = bytes;
        struct celltap_token token;
        ck_assert_int_eq(celltap_token_read(&at, writer.at, &token), 0);
        ck_assert_int_eq(token.sint, rows[i].value);
        if (rows[i].value >= 0) {
            writer = (struct celltap_writer){bytes, bytes + sizeof bytes, false};
            celltap_put_uint(&writer, (uint64_t)rows[i].value);
            ck_assert_uint_eq((size_t)(writer.at - bytes), rows[i].n_bytes);
        }
    }
}
END_TEST

/* A window too small by any number of bytes: full, and not a byte behind it. */
START_TEST(test_put_when_window_is_too_small_then_is_full_and_stays_inside)
{
    static const float values[] = {1, 2, 3};
    static const struct celltap_record_tensor tensors[] = {{"h", values, 3}, {"c", values, 3}};
    static const struct celltap_record record = {"pump/1", 6, 300, 400, "lstms.0", 2, tensors};
    for (int encoding = 0; encoding < 3; encoding++) {
        unsigned char whole[256];
        struct celltap_writer writer = {whole, whole + sizeof whole, false};
        celltap_put_record(&writer, &record, (enum celltap_encoding)encoding);
        size_t n_whole = (size_t)(writer.at - whole);
        for (size_t n = 0; n <= n_whole; n++) {
            unsigned char *bytes = malloc(n > 0 ? n : 1);
            ck_assert_ptr_nonnull(bytes);
            writer = (struct celltap_writer){bytes, bytes + n, false};
            celltap_put_record(&writer, &record, (enum celltap_encoding)encoding);
            ck_assert_int_eq(writer.full, n < n_whole);
            ck_assert_mem_eq(bytes, whole, (size_t)(writer.at - bytes));
            unsigned char *at = writer.at;
            if (n < n_whole)
                celltap_put_nil(&writer); /* would fit perhaps, but the message has a hole */
            ck_assert_ptr_eq(writer.at, at);
            free(bytes);
        }
    }
}
END_TEST

START_TEST(test_put_when_count_is_beyond_msgpack_then_is_full)
{
    unsigned char bytes[64];
    const size_t beyond = (size_t)UINT32_MAX + 1;
    void (*const counts[])(struct celltap_writer *, size_t) = {celltap_put_map, celltap_put_array};
    for (size_t i = 0; i < 2; i++) {
        struct celltap_writer writer = {bytes, bytes + sizeof bytes, false};
        counts[i](&writer, beyond);
        ck_assert(writer.full && writer.at == bytes);
    }
    struct celltap_writer writer = {bytes, bytes + sizeof bytes, false};
    celltap_put_bin(&writer, bytes, beyond);
    ck_assert(writer.full && writer.at == bytes);
    writer = (struct celltap_writer){bytes, bytes + sizeof bytes, false};
    celltap_put_strn(&writer, "", beyond);
    ck_assert(writer.full && writer.at == bytes);
    const struct celltap_frame frame = {.stream = "x", .stream_bytes = 1, .n_values = beyond};
    writer = (struct celltap_writer){bytes, bytes + sizeof bytes, false};
    celltap_put_frame(&writer, &frame, NULL);
    ck_assert(writer.full);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_put_when_read_by_msgpack_c_then_is_the_same,
        test_put_integer_when_at_a_border_then_is_shortest,
        test_put_when_window_is_too_small_then_is_full_and_stays_inside,
        test_put_when_count_is_beyond_msgpack_then_is_full,
        NULL,
    };
    return suite_run("wire_write", tests, 30);
}
