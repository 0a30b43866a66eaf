/* test_wire_token.c - MessagePack token by token, checked against msgpack-c's own reader. */
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "lib/wire/wire_token.h"
#include "tests/support/suite.h"

#define BYTES(text) (const unsigned char *)(text), sizeof(text) - 1

/* A copy that ends where its memory ends, so that a sanitizer sees one byte too many. */
static unsigned char *token_exact(const void *bytes, size_t n_bytes)
{
    unsigned char *copy = malloc(n_bytes > 0 ? n_bytes : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, n_bytes);
    return copy;
}

static int token_read_all(const unsigned char *bytes, size_t n_bytes, struct celltap_token *token,
                          size_t *ret_used)
{
    unsigned char *copy = token_exact(bytes, n_bytes);
    const unsigned char *at = copy;
    int err = celltap_token_read(&at, copy + n_bytes, token);
    *ret_used = (size_t)(at - copy);
    free(copy);
    return err;
}

static int token_skip_all(const unsigned char *bytes, size_t n_bytes, size_t *ret_used)
{
    unsigned char *copy = token_exact(bytes, n_bytes);
    const unsigned char *at = copy;
    int err = celltap_token_skip(&at, copy + n_bytes);
    *ret_used = (size_t)(at - copy);
    free(copy);
    return err;
}

/* Integers of all widths, at their borders. */
START_TEST(test_token_when_integer_then_is_uint_or_int_by_sign)
{
    static const struct {
        const char *bytes;
        size_t n_bytes;
        int64_t value;
    } rows[] = {
        {"\x00", 1, 0},
        {"\x7f", 1, 127},
        {"\xcc\x80", 2, 128},
        {"\xcd\xff\xff", 3, 65535},
        {"\xce\xff\xff\xff\xff", 5, 4294967295},
        {"\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9, INT64_MAX},
        {"\xff", 1, -1},
        {"\xe0", 1, -32},
        {"\xd0\x80", 2, -128},
        {"\xd0\x05", 2, 5},
        {"\xd1\x80\x00", 3, -32768},
        {"\xd2\x80\x00\x00\x00", 5, -2147483648LL},
        {"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9, INT64_MIN},
        {"\xd3\x00\x00\x00\x00\x00\x00\x00\x07", 9, 7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct celltap_token token;
        size_t used;
        ck_assert_int_eq(
            token_read_all((const unsigned char *)rows[i].bytes, rows[i].n_bytes, &token, &used),
            0);
        ck_assert_uint_eq(used, rows[i].n_bytes);
        ck_assert_int_eq(token.kind, rows[i].value < 0 ? CELLTAP_TOKEN_INT : CELLTAP_TOKEN_UINT);
        ck_assert_int_eq(token.sint, rows[i].value);
    }
}
END_TEST

static void token_compare_bytes(const struct celltap_token *token, const char *bytes)
{
    if (token->n_bytes > 0)
        ck_assert_mem_eq(token->bytes, bytes, token->n_bytes);
}

/* What a token says, compared with msgpack-c's object. */
static void token_compare(const struct celltap_token *token, const msgpack_object *object)
{
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
        ck_assert_int_eq(token->kind, CELLTAP_TOKEN_NIL);
        break;
    case MSGPACK_OBJECT_BOOLEAN:
        ck_assert_int_eq(token->kind, CELLTAP_TOKEN_BOOL);
        ck_assert_int_eq(token->boolean, object->via.boolean);
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        ck_assert_int_eq(token->kind, CELLTAP_TOKEN_UINT);
        ck_assert_uint_eq(token->uint, object->via.u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        ck_assert_int_eq(token->kind, CELLTAP_TOKEN_INT);
        ck_assert_int_eq(token->sint, object->via.i64);
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        ck_assert_int_eq(token->kind, CELLTAP_TOKEN_FLOAT);
        ck_assert_mem_eq(&token->number, &object->via.f64, sizeof token->number);
        break;
    case MSGPACK_OBJECT_STR:
        ck_assert_int_eq(token->kind, CELLTAP_TOKEN_STR);
        ck_assert_uint_eq(token->n_bytes, object->via.str.size);
        token_compare_bytes(token, object->via.str.ptr);
        break;
    case MSGPACK_OBJECT_BIN:
        ck_assert_int_eq(token->kind, CELLTAP_TOKEN_BIN);
        ck_assert_uint_eq(token->n_bytes, object->via.bin.size);
        token_compare_bytes(token, object->via.bin.ptr);
        break;
    case MSGPACK_OBJECT_EXT:
        ck_assert_int_eq(token->kind, CELLTAP_TOKEN_EXT);
        ck_assert_uint_eq(token->n_bytes, object->via.ext.size);
        token_compare_bytes(token, object->via.ext.ptr);
        ck_assert_int_eq((int8_t)token->bytes[-1], object->via.ext.type);
        break;
    case MSGPACK_OBJECT_ARRAY:
        ck_assert_int_eq(token->kind, CELLTAP_TOKEN_ARRAY);
        ck_assert_uint_eq(token->n_items, object->via.array.size);
        break;
    case MSGPACK_OBJECT_MAP:
        ck_assert_int_eq(token->kind, CELLTAP_TOKEN_MAP);
        ck_assert_uint_eq(token->n_items, object->via.map.size);
        break;
    default:
        ck_abort_msg("no such type");
    }
}

/* Every first byte, with random bytes behind it: both readers agree on what is there.  msgpack-c
 * wants all of an array or map, so those are held to their head and filled with nils. */
START_TEST(test_token_when_any_first_byte_then_agrees_with_msgpack_c)
{
    enum { ROOM = 70000 };
    unsigned char *bytes = calloc(1, ROOM);
    ck_assert_ptr_nonnull(bytes);
    size_t n_compared = 0;
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned second = 0; second < 256; second += 15) {
            memset(bytes, 0xc0, ROOM);
            bytes[0] = (unsigned char)first;
            bool long_count = first == 0xc6 || first == 0xc9 || first == 0xdb || first == 0xdd ||
                              first == 0xdf || (first >= 0xc4 && first <= 0xde);
            bytes[1] = bytes[2] = long_count ? 0 : (unsigned char)second;
            bytes[3] = 0;
            bytes[4] = (unsigned char)second;
            struct celltap_token token;
            const unsigned char *at = bytes;
            int err = celltap_token_read(&at, bytes + ROOM, &token);
            msgpack_unpacked unpacked;
            msgpack_unpacked_init(&unpacked);
            size_t used = 0;
            int theirs = msgpack_unpack_next(&unpacked, (const char *)bytes, ROOM, &used);
            ck_assert_int_eq(err == 0, theirs == MSGPACK_UNPACK_SUCCESS);
            if (err == 0) {
                token_compare(&token, &unpacked.data);
                const unsigned char *behind = bytes;
                ck_assert_int_eq(celltap_token_skip(&behind, bytes + ROOM), 0);
                ck_assert_uint_eq((size_t)(behind - bytes), used);
                n_compared++;
            }
            msgpack_unpacked_destroy(&unpacked);
        }
    }
    ck_assert_uint_eq(n_compared, 255 * 18); /* all but c1 */
    free(bytes);
}
END_TEST

START_TEST(test_token_when_cut_short_then_is_truncated_and_cursor_stays)
{
    static const struct {
        const char *bytes;
        size_t n_bytes;
    } rows[] = {
        {"\xc4\x03"
         "abc",
         5},
        {"\xc5\x00\x03"
         "abc",
         6},
        {"\xc6\x00\x00\x00\x03"
         "abc",
         8},
        {"\xc7\x03\x01"
         "abc",
         6},
        {"\xc8\x00\x03\x01"
         "abc",
         7},
        {"\xc9\x00\x00\x00\x03\x01"
         "abc",
         9},
        {"\xca\x3f\xc0\x00\x00", 5},
        {"\xcb\x3f\xc0\x00\x00\x00\x00\x00\x00", 9},
        {"\xcc\xff", 2},
        {"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9},
        {"\xd3\xff\xff\xff\xff\xff\xff\xff\xff", 9},
        {"\xd4\x01"
         "a",
         3},
        {"\xd8\x01"
         "abcdefghijklmnop",
         18},
        {"\xd9\x03"
         "abc",
         5},
        {"\xda\x00\x03"
         "abc",
         6},
        {"\xdb\x00\x00\x00\x03"
         "abc",
         8},
        {"\xa3"
         "abc",
         4},
        {"\x93\x01\x02\x03", 4},
        {"\x81\x01\x02", 3},
        {"\xdc\x00\x02\x01\x02", 5},
        {"\xde\x00\x01\x01\x02", 5},
        {"\xdd\x00\x00\x00\x02\x01\x02", 7},
        {"\xdf\x00\x00\x00\x01\x01\x02", 7},
        {"\x92\x91\x01\x81\x01\x02", 6},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const unsigned char *bytes = (const unsigned char *)rows[i].bytes;
        size_t used;
        ck_assert_int_eq(token_skip_all(bytes, rows[i].n_bytes, &used), 0);
        ck_assert_uint_eq(used, rows[i].n_bytes);
        for (size_t n = 0; n < rows[i].n_bytes; n++) {
            ck_assert_int_eq(token_skip_all(bytes, n, &used), CELLTAP_ETRUNCATED);
            ck_assert_uint_eq(used, 0);
        }
    }
}
END_TEST

/* Heads that claim up to 4 GiB, with a few bytes behind them. */
START_TEST(test_token_when_size_is_a_lie_then_is_truncated)
{
    static const char *const heads[] = {"\xc6\xff\xff\xff\xff", "\xc9\xff\xff\xff\xff",
                                        "\xdb\xff\xff\xff\xff", "\xdd\xff\xff\xff\xff",
                                        "\xdf\xff\xff\xff\xff", "\xdd\x00\x00\x00\x09",
                                        "\xdf\x00\x00\x00\x05", "\xdf\x80\x00\x00\x01"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        unsigned char bytes[13] = {0};
        memcpy(bytes, heads[i], 5);
        struct celltap_token token;
        size_t used;
        ck_assert_int_eq(token_read_all(bytes, sizeof bytes, &token, &used), CELLTAP_ETRUNCATED);
        ck_assert_uint_eq(used, 0);
    }
}
END_TEST

START_TEST(test_token_when_byte_is_c1_then_is_not_msgpack)
{
    size_t used;
    ck_assert_int_eq(token_skip_all(BYTES("\xc1"), &used), CELLTAP_EMSGPACK);
    ck_assert_int_eq(token_skip_all(BYTES("\x92\x01\xc1"), &used), CELLTAP_EMSGPACK);
    ck_assert_uint_eq(used, 0);
}
END_TEST

START_TEST(test_skip_when_nested_beyond_the_limit_then_is_refused)
{
    unsigned char bytes[40];
    size_t used;
    memset(bytes, 0x91, sizeof bytes);
    bytes[CELLTAP_WIRE_DEPTH_MAX] = 0x01;
    ck_assert_int_eq(token_skip_all(bytes, CELLTAP_WIRE_DEPTH_MAX + 1, &used), 0);
    bytes[CELLTAP_WIRE_DEPTH_MAX] = 0x90;
    ck_assert_int_eq(token_skip_all(bytes, CELLTAP_WIRE_DEPTH_MAX + 1, &used), CELLTAP_EDEPTH);
    ck_assert_uint_eq(used, 0);
    bytes[CELLTAP_WIRE_DEPTH_MAX] = 0x91;
    bytes[30] = 0xc0;
    const unsigned char *at = bytes;
    ck_assert_int_eq(wire_token_walk(&at, bytes + 31), CELLTAP_EDEPTH);
    ck_assert_ptr_eq(at, bytes + 31);
    ck_assert_int_eq(token_skip_all(bytes, 30, &used), CELLTAP_ETRUNCATED);
}
END_TEST

/* A million arrays inside each other, and a million side by side: one pass, no stack. */
START_TEST(test_skip_when_nested_a_million_times_then_returns)
{
    enum { N = 1000000 };
    unsigned char *bytes = malloc(N);
    ck_assert_ptr_nonnull(bytes);
    const unsigned char *at = bytes;
    memset(bytes, 0x91, N);
    ck_assert_int_eq(celltap_token_skip(&at, bytes + N), CELLTAP_ETRUNCATED);
    bytes[N - 1] = 0xc0;
    ck_assert_int_eq(wire_token_walk(&at, bytes + N), CELLTAP_EDEPTH);
    ck_assert_ptr_eq(at, bytes + N);
    free(bytes);
}
END_TEST

START_TEST(test_map_find_when_key_is_there_then_last_one_counts)
{
    unsigned char *map = token_exact(BYTES("\x85\xa1"
                                           "a\x01\x90\x02\x81\x01\x02\x92\x01\x02\xa1"
                                           "b\x91\x07\xa1"
                                           "a\x03"));
    const unsigned char *end = map +
                               sizeof "\x85\xa1"
                                      "a\x01\x90\x02\x81\x01\x02\x92\x01\x02\xa1"
                                      "b\x91\x07\xa1"
                                      "a\x03" -
                               1;
    struct celltap_token token;
    const unsigned char *at = NULL;
    ck_assert_int_eq(celltap_map_find(map, end, "a", &token, &at), 0);
    ck_assert_uint_eq(token.uint, 3);
    ck_assert_ptr_eq(at, end - 1);
    ck_assert_int_eq(celltap_map_find(map, end, "b", &token, &at), 0);
    ck_assert_int_eq(token.kind, CELLTAP_TOKEN_ARRAY);
    ck_assert_int_eq(celltap_token_skip(&at, end), 0);
    ck_assert_uint_eq(*at, 0xa1);
    ck_assert_int_eq(celltap_map_find(map, end, "b", &token, NULL), 0);
    ck_assert_int_eq(celltap_map_find(map, end, "c", &token, &at), CELLTAP_EKEY);
    ck_assert_int_eq(celltap_map_find(map, end, "", &token, &at), CELLTAP_EKEY);
    ck_assert_int_eq(celltap_map_find(map + 1, end, "a", &token, &at), CELLTAP_ETYPE);
    ck_assert_int_eq(celltap_map_find(map, end - 1, "a", &token, &at), CELLTAP_ETRUNCATED);
    ck_assert_int_eq(celltap_map_find(map, map, "a", &token, &at), CELLTAP_ETRUNCATED);
    free(map);
}
END_TEST

START_TEST(test_token_is_when_compared_then_wants_the_whole_str)
{
    struct celltap_token token;
    size_t used;
    const unsigned char *bytes = (const unsigned char *)"\xa3"
                                                        "seq";
    ck_assert_int_eq(token_read_all(bytes, 4, &token, &used), 0);
    token.bytes = bytes + 1;
    ck_assert(celltap_token_is(&token, "seq"));
    ck_assert(!celltap_token_is(&token, "se"));
    ck_assert(!celltap_token_is(&token, "seqs"));
    token.kind = CELLTAP_TOKEN_BIN;
    ck_assert(!celltap_token_is(&token, "seq"));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_token_when_integer_then_is_uint_or_int_by_sign,
        test_token_when_any_first_byte_then_agrees_with_msgpack_c,
        test_token_when_cut_short_then_is_truncated_and_cursor_stays,
        test_token_when_size_is_a_lie_then_is_truncated,
        test_token_when_byte_is_c1_then_is_not_msgpack,
        test_skip_when_nested_beyond_the_limit_then_is_refused,
        test_skip_when_nested_a_million_times_then_returns,
        test_map_find_when_key_is_there_then_last_one_counts,
        test_token_is_when_compared_then_wants_the_whole_str,
        NULL,
    };
    return suite_run("wire_token", tests, 60);
}
