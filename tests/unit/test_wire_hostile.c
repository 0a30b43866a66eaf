/* test_wire_hostile.c - messages that mean harm: cut, changed and random bytes, each at the very
 * end of its memory.
 *
 * What every reader must keep, whatever it is given: the cursor goes forward and never beyond the
 * end, a code is one of the wire's, and a view lies inside its message.  A sanitizer or valgrind
 * sees the byte too many. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/celltap_wire.h"
#include "tests/support/suite.h"

#define HOSTILE_VALUES_MAX 64

/* Frames and records that use every key and every kind of value. */
static const struct hostile_sample {
    const char *bytes;
    size_t n_bytes;
} hostile_samples[] = {
#define SAMPLE(text)                                                                               \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
    SAMPLE("\x84\xa6stream\xa6pump/1\xa3seq\x06\xa2ts\xcf\x17\x97\x9c\xfe\x3d\x85\xcd\x15\xa6values"
           "\x97\x01\xfe\xcb\x40\x04\x00\x00\x00\x00\x00\x00\xc0\xcd\x01\x2c\xd2\xff\xfe\xee\x90"
           "\xcf\x00\x00\x01\x00\x00\x00\x00\x00"),
    SAMPLE("\x83\xa6stream\xa6pump/1\xa6values\xc4\x0c\x00\x00\x80\x3f\x00\x00\xc0\x7f\x00\x00\x00"
           "\xbf\xa5reset\xc3\x82\xa6stream\xa1x\xa6values\x91\x07"),
    SAMPLE("\x83\xa1z\x92\x81\x01\xc7\x02\x05zz\xd6\xffzzzz\xa6stream\xd9\x01x\xa6values\xdc\x00"
           "\x02\xca\x3f\x80\x00\x00\x02"),
    SAMPLE("\x86\xa6stream\xa6pump/1\xa3seq\x07\xa2ts\x05\xa5layer\xa7lstms.0\xa5"
           "dtype\xa3<f4\xa7tensors\x82\xa1h\xc4\x08\x00\x00\x00\x3f\x00\x00\x80\xbf\xa1"
           "c\xc4\x08\x00\x00\x40\x40\x00\x00\x80\x40"),
    SAMPLE("\x85\xa6stream\xa1x\xa3seq\x07\xa2ts\x05\xa5layer\xa1l\xa7tensors\x81\xa1h\x92\xca\x3f"
           "\x80\x00\x00\xc0"),
};
#define HOSTILE_N_SAMPLES (sizeof hostile_samples / sizeof *hostile_samples)

/* An assertion that costs nothing while it holds; Check's own report to their parent each time. */
#define HOLD(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg("%s", #condition);                                                        \
    } while (0)

static void hostile_check_code(int err)
{
    HOLD(err == 0 || err == CELLTAP_ETRUNCATED || err == CELLTAP_EMSGPACK ||
         err == CELLTAP_EDEPTH || err == CELLTAP_ETYPE || err == CELLTAP_EKEY ||
         err == CELLTAP_ESTREAM || err == CELLTAP_ERANGE);
}

static void hostile_read_frames(const unsigned char *at, const unsigned char *end)
{
    float values[HOSTILE_VALUES_MAX];
    while (at < end) {
        const unsigned char *before = at;
        struct celltap_frame frame;
        const char *key = NULL;
        int err = celltap_frame_read(&at, end, &frame, &key);
        hostile_check_code(err);
        HOLD(at > before && at <= end && key != NULL);
        if (err < 0)
            continue;
        HOLD(frame.stream > (const char *)before);
        HOLD(frame.stream + frame.stream_bytes <= (const char *)at);
        HOLD(frame.values + frame.values_bytes <= at);
        HOLD(celltap_stream_name_ok(frame.stream, frame.stream_bytes));
        if (frame.n_values <= HOSTILE_VALUES_MAX)
            celltap_frame_values(&frame, values);
    }
}

static void hostile_read_records(const unsigned char *at, const unsigned char *end)
{
    while (at < end) {
        const unsigned char *before = at;
        struct celltap_record_view view;
        int err = celltap_record_read(&at, end, &view);
        hostile_check_code(err);
        HOLD(at > before && at <= end);
        for (size_t i = 0; err == 0 && i < view.n_tensors; i++) {
            const char *name;
            size_t name_bytes, n_values;
            float values[HOSTILE_VALUES_MAX];
            HOLD(celltap_record_tensor_read(&view, &view.tensors, at, &name, &name_bytes, values,
                                            HOSTILE_VALUES_MAX, &n_values) == 0);
            HOLD(view.tensors <= at);
        }
    }
}

static void hostile_read(const unsigned char *bytes, size_t n_bytes)
{
    const unsigned char *end = bytes + n_bytes, *at = bytes;
    struct celltap_token token;
    hostile_read_frames(bytes, end);
    hostile_read_records(bytes, end);
    int err = celltap_token_skip(&at, end);
    hostile_check_code(err);
    HOLD(err == 0 ? at > bytes && at <= end : at == bytes);
    hostile_check_code(celltap_map_find(bytes, end, "stream", &token, &at));
    HOLD(at >= bytes && at <= end);
}

START_TEST(test_readers_when_cut_at_any_byte_then_stay_inside)
{
    for (size_t i = 0; i < HOSTILE_N_SAMPLES; i++) {
        for (size_t n = 0; n <= hostile_samples[i].n_bytes; n++) {
            unsigned char *bytes = malloc(n > 0 ? n : 1);
            HOLD(bytes != NULL);
            memcpy(bytes, hostile_samples[i].bytes, n);
            hostile_read(bytes, n);
            free(bytes);
        }
    }
}
END_TEST

START_TEST(test_readers_when_any_byte_is_changed_then_stay_inside)
{
    for (size_t i = 0; i < HOSTILE_N_SAMPLES; i++) {
        size_t n_bytes = hostile_samples[i].n_bytes;
        unsigned char *bytes = malloc(n_bytes);
        HOLD(bytes != NULL);
        memcpy(bytes, hostile_samples[i].bytes, n_bytes);
        for (size_t at = 0; at < n_bytes; at++) {
            unsigned char kept = bytes[at];
            for (unsigned value = 0; value < 256; value++) {
                bytes[at] = (unsigned char)value;
                hostile_read(bytes, n_bytes);
            }
            bytes[at] = kept;
        }
        free(bytes);
    }
}
END_TEST

static uint32_t hostile_random(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*state >> 32);
}

/* Random bytes, half of them over a sample, so that some get far; about a second. */
START_TEST(test_readers_when_bytes_are_random_then_stay_inside)
{
    uint64_t state = 1;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    time_t until = now.tv_sec + 1;
    for (size_t round = 0; round < 1000000 && now.tv_sec < until; round++) {
        const struct hostile_sample *sample =
            &hostile_samples[hostile_random(&state) % HOSTILE_N_SAMPLES];
        size_t n_bytes = 1 + hostile_random(&state) % sample->n_bytes;
        unsigned char *bytes = malloc(n_bytes);
        HOLD(bytes != NULL);
        memcpy(bytes, sample->bytes, n_bytes);
        size_t n_changes = round % 2 == 0 ? n_bytes : 1 + hostile_random(&state) % 4;
        for (size_t i = 0; i < n_changes; i++) {
            size_t at = round % 2 == 0 ? i : hostile_random(&state) % n_bytes;
            bytes[at] = (unsigned char)hostile_random(&state);
        }
        hostile_read(bytes, n_bytes);
        free(bytes);
        if (round % 1024 == 0)
            clock_gettime(CLOCK_MONOTONIC, &now);
    }
}
END_TEST

/* A map of many keys, arrays in arrays, a million one-byte frames: time grows with the bytes. */
START_TEST(test_readers_when_message_is_large_then_are_linear)
{
    enum { N = 1 << 20 };
    unsigned char *bytes = malloc(N);
    HOLD(bytes != NULL);
    static const unsigned char fills[] = {0x80, 0x90, 0xc0, 0x91, 0x81, 0x9f, 0x8f, 0xdd, 0xc4};
    for (size_t i = 0; i < sizeof fills; i++) {
        memset(bytes, fills[i], N);
        hostile_read(bytes, N);
    }
    memset(bytes, 0xc0, N);
    memcpy(bytes, "\xdf\x00\x07\xff\xfd", 5); /* one map of half a million pairs */
    hostile_read(bytes, N);
    free(bytes);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_readers_when_cut_at_any_byte_then_stay_inside,
        test_readers_when_any_byte_is_changed_then_stay_inside,
        test_readers_when_bytes_are_random_then_stay_inside,
        test_readers_when_message_is_large_then_are_linear,
        NULL,
    };
    return suite_run("wire_hostile", tests, 120);
}
