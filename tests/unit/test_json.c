/* test_json.c - whatever goes in, JSON comes out. */
#include "cli/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/celltap_wire.h"
#include "tests/support/suite.h"

static void check_text(const char *bytes, size_t n_bytes, const char *expected)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    json_text(file, bytes, n_bytes);
    fclose(file);
    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(test_text_when_of_any_bytes_then_escaped)
{
    check_text("plain", 5, "\"plain\"");
    check_text("a\"b\\c", 5, "\"a\\\"b\\\\c\"");
    check_text("\n\0\x1b\x7f", 4, "\"\\u000a\\u0000\\u001b\\u007f\"");
    check_text("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9,
               "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
    check_text("\xff", 1, "\"\\ufffd\"");                       /* in no character */
    check_text("\xc0\xaf", 2, "\"\\ufffd\\ufffd\"");            /* longer than need be */
    check_text("\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\""); /* half of a pair */
    check_text("\xe2\x82", 2, "\"\\ufffd\\ufffd\"");            /* cut off */
}
END_TEST

START_TEST(test_floats_when_not_finite_then_null)
{
    static const float numbers[] = {1.5f, NAN, INFINITY, -0.0f};
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    json_floats(file, numbers, 4);
    fclose(file);
    ck_assert_str_eq(text, "[1.5,null,null,-0]");
    free(text);
}
END_TEST

START_TEST(test_msgpack_when_nested_then_the_same_in_json)
{
    unsigned char bytes[256];
    struct celltap_writer writer = {.at = bytes, .end = bytes + sizeof bytes};
    const unsigned char *at = bytes;
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    celltap_put_map(&writer, 3);
    celltap_put_str(&writer, "a");
    celltap_put_array(&writer, 4);
    celltap_put_uint(&writer, UINT64_MAX);
    celltap_put_int(&writer, -5);
    celltap_put_nil(&writer);
    celltap_put_double(&writer, (double)NAN);
    celltap_put_str(&writer, "b\"");
    celltap_put_bool(&writer, true);
    celltap_put_str(&writer, "c");
    celltap_put_map(&writer, 0);
    ck_assert_int_eq(json_msgpack(file, &at, writer.at), 0);
    fclose(file);
    ck_assert_str_eq(text, "{\"a\": [18446744073709551615, -5, null, null], \"b\\\"\": true, "
                           "\"c\": {}}");
    ck_assert_ptr_eq(at, writer.at);
    free(text);
}
END_TEST

START_TEST(test_msgpack_when_cut_or_too_deep_then_refused)
{
    unsigned char bytes[64];
    FILE *file = fopen("/dev/null", "w");
    memset(bytes, 0x91, sizeof bytes); /* an array in an array in ... */
    const unsigned char *at = bytes;
    ck_assert_int_eq(json_msgpack(file, &at, bytes + sizeof bytes), -1);
    at = bytes;
    ck_assert_int_eq(json_msgpack(file, &at, bytes + 3), -1);
    fclose(file);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_text_when_of_any_bytes_then_escaped,
        test_floats_when_not_finite_then_null,
        test_msgpack_when_nested_then_the_same_in_json,
        test_msgpack_when_cut_or_too_deep_then_refused,
        NULL,
    };
    return suite_run("json", tests, 60);
}
