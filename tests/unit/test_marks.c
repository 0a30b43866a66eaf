/* test_marks.c - how far each layer of each stream has come. */
#include <stdio.h>
#include <string.h>

#include "cli/marks.h"
#include "tests/support/suite.h"

START_TEST(test_streams_when_many_then_each_is_found_again)
{
    struct marks marks = {0};
    char name[16];
    for (int round = 0; round < 2; round++)
        for (uint64_t i = 0; i < 1000; i++) {
            snprintf(name, sizeof name, "s%u", (unsigned)i);
            struct marks_stream *stream = marks_stream(&marks, name, strlen(name));
            ck_assert_uint_eq(stream->target, round ? i + 1 : 0);
            stream->target = i + 1;
        }
    ck_assert_uint_eq(marks.n, 1000);
    marks_done(&marks);
}
END_TEST

START_TEST(test_due_when_layers_have_come_differently_far_then_of_the_one_behind)
{
    struct marks marks = {0};
    struct marks_stream *stream = marks_stream(&marks, "s/1x", 3);
    ck_assert_str_eq(stream->name, "s/1");
    stream->base = 4;
    ck_assert_uint_eq(marks_due(stream, 1), 5);
    ck_assert_uint_eq(marks_due(stream, 3), 6);
    marks_layer(stream, "a", 1)->last = 9;
    ck_assert_uint_eq(marks_due(stream, 1), 10);
    ck_assert_uint_eq(marks_layer(stream, "b", 1)->last, 4);
    ck_assert_uint_eq(marks_due(stream, 1), 5);
    marks_raise(stream, 7);
    ck_assert_uint_eq(marks_due(stream, 1), 8);
    ck_assert_uint_eq(marks_layer(stream, "a", 1)->last, 9);
    ck_assert_uint_eq(marks_layer(stream, "c", 1)->last, 7);
    marks_restart(stream, 1);
    ck_assert_uint_eq(marks_due(stream, 1), 1);
    marks_done(&marks);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_streams_when_many_then_each_is_found_again,
        test_due_when_layers_have_come_differently_far_then_of_the_one_behind,
        NULL,
    };
    return suite_run("marks", tests, 60);
}
