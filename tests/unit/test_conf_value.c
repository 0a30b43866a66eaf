/* test_conf_value.c - texts become numbers, switches and near keys, or nothing. */
#include "daemon/conf_value.h"

#include <check.h>
#include <stdlib.h>

static const struct number {
    const char *text;
    const struct conf_unit *units;
    bool ok;
    uint64_t value;
} numbers[] = {
    {"0", conf_value_no_units, true, 0},
    {"18446744073709551615", conf_value_no_units, true, UINT64_MAX},
    {"18446744073709551616", conf_value_no_units, false, 0},
    {"", conf_value_no_units, false, 0},
    {"-1", conf_value_no_units, false, 0},
    {"+1", conf_value_no_units, false, 0},
    {"1.0", conf_value_no_units, false, 0},
    {"1e3", conf_value_no_units, false, 0},
    {"0x10", conf_value_no_units, false, 0},
    {"1 ", conf_value_no_units, false, 0},
    {"1K", conf_value_no_units, false, 0},
    {"64K", conf_value_bytes, true, 65536},
    {"1M", conf_value_bytes, true, 1 << 20},
    {"1G", conf_value_bytes, true, 1 << 30},
    {"17179869184G", conf_value_bytes, false, 0},
    {"1KB", conf_value_bytes, false, 0},
    {"K", conf_value_bytes, false, 0},
    {"500", conf_value_ms, true, 500},
    {"500ms", conf_value_ms, true, 500},
    {"30s", conf_value_ms, true, 30000},
    {"5m", conf_value_ms, true, 300000},
    {"1h", conf_value_ms, true, 3600000},
    {"1d", conf_value_ms, false, 0},
    {"30 s", conf_value_ms, false, 0},
};

START_TEST(test_number_of_text_then_value_or_none)
{
    const struct number *row = &numbers[_i];
    uint64_t value = 77;
    ck_assert_msg(conf_value_number(row->text, row->units, &value) == row->ok, "%s", row->text);
    if (row->ok)
        ck_assert_uint_eq(value, row->value);
}
END_TEST

START_TEST(test_bool_of_text_then_value_or_none)
{
    bool value = false;
    ck_assert(conf_value_bool("true", &value) && value);
    ck_assert(conf_value_bool("Off", &value) && !value);
    ck_assert(conf_value_bool("YES", &value) && value);
    ck_assert(!conf_value_bool("1", &value));
    ck_assert(!conf_value_bool("", &value));
}
END_TEST

START_TEST(test_distance_of_texts_then_edits_needed)
{
    ck_assert_uint_eq(conf_value_distance("layers", "layers"), 0);
    ck_assert_uint_eq(conf_value_distance("Layers", "layers"), 0);
    ck_assert_uint_eq(conf_value_distance("layer", "layers"), 1);
    ck_assert_uint_eq(conf_value_distance("alyers", "layers"), 1);
    ck_assert_uint_eq(conf_value_distance("laxyers", "layers"), 1);
    ck_assert_uint_eq(conf_value_distance("lasers", "layers"), 1);
    ck_assert_uint_eq(conf_value_distance("", "layers"), 6);
    ck_assert_uint_eq(conf_value_distance("layers", ""), 6);
    ck_assert_uint_eq(conf_value_distance("kitten", "sitting"), 3);
}
END_TEST

START_TEST(test_distance_of_long_text_then_bounded)
{
    static char text[100000];
    for (size_t i = 0; i + 1 < sizeof text; i++)
        text[i] = 'x';
    ck_assert_uint_le(conf_value_distance(text, "layers"), 32);
    ck_assert(!conf_value_near(text, "layers"));
    ck_assert(conf_value_near("tensor", "tensors"));
    ck_assert(!conf_value_near("zzz", "taps"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf_value");
    TCase *tests = tcase_create("conf_value");
    tcase_add_loop_test(tests, test_number_of_text_then_value_or_none, 0,
                        sizeof numbers / sizeof *numbers);
    tcase_add_test(tests, test_bool_of_text_then_value_or_none);
    tcase_add_test(tests, test_distance_of_texts_then_edits_needed);
    tcase_add_test(tests, test_distance_of_long_text_then_bounded);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
