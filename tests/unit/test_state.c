/* test_state.c - a stream's states as bytes: what is saved comes back, nothing else is taken. */
#include "lib/stream/stream.h"
#include "tests/support/suite.h"
#include "tests/support/toy.h"

#define HASH 0x0123456789abcdefu

static celltap_stream *new_stream(struct toy *toy)
{
    celltap_stream *stream = NULL;
    toy_init(toy);
    toy->model.hash = HASH;
    ck_assert_int_eq(celltap_stream_new(&toy->model, &stream), 0);
    return stream;
}

START_TEST(test_state_when_saved_and_loaded_then_is_the_same)
{
    struct toy toy;
    unsigned char bytes[16 + 4 * CELL_PAD];
    celltap_stream *stream = new_stream(&toy);
    ck_assert_uint_eq(celltap_stream_save_bytes(stream), sizeof bytes);
    for (size_t i = 0; i < CELL_PAD; i++)
        stream->states[i] = (float)i * -0.3f;
    celltap_stream_save(stream, bytes);
    celltap_stream_reset(stream);
    ck_assert_int_eq(celltap_stream_load(stream, bytes, sizeof bytes), 0);
    for (size_t i = 0; i < CELL_PAD; i++)
        ck_assert(stream->states[i] == (float)i * -0.3f);
    celltap_stream_free(stream);
}
END_TEST

START_TEST(test_state_when_saved_then_bytes_are_little_endian)
{
    struct toy toy;
    unsigned char bytes[16 + 4 * CELL_PAD];
    static const unsigned char expected[] = {0xef, 0xcd,     0xab, 0x89, 0x67, 0x45, 0x23,
                                             0x01, CELL_PAD, 0,    0,    0,    0,    0,
                                             0,    0,        0x00, 0x00, 0x80, 0x3f};
    celltap_stream *stream = new_stream(&toy);
    stream->states[0] = 1.0f;
    celltap_stream_save(stream, bytes);
    ck_assert_mem_eq(bytes, expected, sizeof expected);
    celltap_stream_free(stream);
}
END_TEST

START_TEST(test_state_when_of_another_model_or_length_then_nothing_changes)
{
    struct toy toy;
    unsigned char bytes[16 + 4 * CELL_PAD];
    celltap_stream *stream = new_stream(&toy);
    celltap_stream_save(stream, bytes);
    stream->states[1] = 7;
    ck_assert_int_eq(celltap_stream_load(stream, bytes, sizeof bytes - 1), CELLTAP_ESTATE);
    ck_assert_int_eq(celltap_stream_load(stream, bytes, 0), CELLTAP_ESTATE);
    toy.model.hash++;
    ck_assert_int_eq(celltap_stream_load(stream, bytes, sizeof bytes), CELLTAP_ESTATE);
    ck_assert(stream->states[1] == 7);
    celltap_stream_free(stream);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_state_when_saved_and_loaded_then_is_the_same,
        test_state_when_saved_then_bytes_are_little_endian,
        test_state_when_of_another_model_or_length_then_nothing_changes,
        NULL,
    };
    return suite_run("state", tests, 4);
}
