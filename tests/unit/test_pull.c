/* test_pull.c - messages come whole, once and in order, however their bytes are cut; no room stops
 * them and loses none; who breaks the protocol is disconnected. */
#include "daemon/pull.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/suite.h"

#define N_GOT_MAX 4096

/* A message's body is its number and then that number's low byte until its end. */
struct rig {
    uv_loop_t uv;
    char directory[32], url[64];
    struct pull *pull;
    struct pull_door *door;
    size_t n_got, room; /* on_message returns false when there is none */
    uint32_t got[N_GOT_MAX];
    size_t bytes[N_GOT_MAX];
};

static bool on_message(void *arg, sock_message *message)
{
    struct rig *rig = arg;
    const unsigned char *body = sock_message_body(message);
    size_t n = sock_message_bytes(message);
    ck_assert_uint_gt(rig->room, 0);
    ck_assert_uint_lt(rig->n_got, N_GOT_MAX);
    memcpy(&rig->got[rig->n_got], body, n < 4 ? n : 4);
    for (size_t i = 4; i < n; i++)
        ck_assert_uint_eq(body[i], (unsigned char)rig->got[rig->n_got]);
    rig->bytes[rig->n_got++] = n;
    sock_message_free(message);
    return --rig->room > 0;
}

static void rig_open(struct rig *rig)
{
    const char *why = "";
    *rig = (struct rig){.room = N_GOT_MAX};
    strcpy(rig->directory, "/tmp/celltap-pull-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(rig->directory));
    snprintf(rig->url, sizeof(rig->url), "ipc://%s/p", rig->directory);
    ck_assert_int_eq(uv_loop_init(&rig->uv), 0);
    rig->pull = pull_new(&rig->uv, 1 << 20, on_message, rig);
    ck_assert_ptr_nonnull(rig->pull);
    ck_assert_msg(pull_listen(rig->pull, rig->url, &rig->door, &why) == 0, "%s", why);
    pull_resume(rig->pull);
}

static void rig_close(struct rig *rig)
{
    pull_free(rig->pull);
    uv_run(&rig->uv, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&rig->uv), 0);
    ck_assert_int_eq(rmdir(rig->directory), 0); /* the path is gone */
}

static void rig_turn(struct rig *rig)
{
    for (int i = 0; i < 4; i++)
        uv_run(&rig->uv, UV_RUN_NOWAIT);
}

/* A producer that has connected; with a hello of these 8 bytes. */
static int rig_connect(struct rig *rig, const char *hello)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char theirs[8];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/p", rig->directory);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(write(fd, hello, 8), 8);
    rig_turn(rig);
    ck_assert_int_eq(read(fd, theirs, 8), 8);
    ck_assert_mem_eq(theirs, "\0SP\0\0\x51\0\0", 8);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

#define GOOD "\0SP\0\0\x50\0\0"

/* Writes message `number` to bytes: how many they are. */
static size_t put(unsigned char *bytes, uint32_t number, size_t n_body)
{
    bytes[0] = 1;
    for (size_t i = 0; i < 8; i++)
        bytes[1 + i] = (unsigned char)((uint64_t)n_body >> (56 - 8 * i));
    memset(bytes + 9, (unsigned char)number, n_body);
    memcpy(bytes + 9, &number, n_body < 4 ? n_body : 4);
    return 9 + n_body;
}

/* All of it, while the loop takes it. */
static void send_all(struct rig *rig, int fd, const unsigned char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t some = write(fd, bytes, n);
        rig_turn(rig);
        if (some > 0) {
            bytes += some;
            n -= (size_t)some;
        }
    }
}

static bool is_closed(int fd)
{
    char byte;
    return read(fd, &byte, 1) == 0;
}

START_TEST(test_messages_when_cut_anywhere_then_whole_and_in_order)
{
    static const size_t sizes[] = {4, 0, 1, 300, 9, 20000, 5, 17000, 0, 8};
    static unsigned char bytes[40000];
    struct rig rig;
    size_t n = 0, n_sizes = sizeof(sizes) / sizeof(sizes[0]);
    for (size_t i = 0; i < n_sizes; i++)
        n += put(bytes + n, (uint32_t)i, sizes[i]);
    for (size_t piece = 1; piece < n; piece = piece < 1000 ? piece * 5 : piece * 7) {
        rig_open(&rig);
        int fd = rig_connect(&rig, GOOD);
        for (size_t at = 0; at < n; at += piece) /* single bytes at both ends, where heads are */
            send_all(&rig, fd, bytes + at, piece < n - at ? piece : n - at);
        ck_assert_uint_eq(rig.n_got, n_sizes);
        for (size_t i = 0; i < n_sizes; i++)
            ck_assert_uint_eq(rig.bytes[i], sizes[i]);
        close(fd);
        rig_close(&rig);
    }
}
END_TEST

START_TEST(test_messages_when_there_is_no_room_then_wait_and_none_is_lost)
{
    static unsigned char bytes[N_GOT_MAX * 64];
    struct rig rig;
    size_t n = 0;
    rig_open(&rig);
    rig.room = 7;
    int fd = rig_connect(&rig, GOOD);
    for (uint32_t i = 0; i < 1000; i++)
        n += put(bytes + n, i, 20);
    ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
    for (size_t expected = 7; expected < 1000; expected += 7) {
        rig_turn(&rig);
        ck_assert_uint_eq(rig.n_got, expected);
        rig.room = 7;
        pull_resume(rig.pull);
    }
    ck_assert_uint_eq(rig.n_got, 1000);
    for (size_t i = 0; i < rig.n_got; i++)
        ck_assert_uint_eq(rig.got[i], i);
    close(fd);
    rig_close(&rig);
}
END_TEST

START_TEST(test_producers_when_there_is_little_room_then_each_has_its_turn)
{
    static unsigned char bytes[64 * 1024];
    struct rig rig;
    int fds[3];
    size_t n_of[3] = {0};
    rig_open(&rig);
    rig.room = 1;
    for (uint32_t i = 0; i < 3; i++) {
        size_t n = 0;
        fds[i] = rig_connect(&rig, GOOD);
        for (int j = 0; j < 100; j++)
            n += put(bytes + n, i, 4);
        ck_assert_int_eq(write(fds[i], bytes, n), (ssize_t)n);
    }
    for (int i = 0; i < 30; i++) {
        rig_turn(&rig);
        rig.room = 1;
        pull_resume(rig.pull);
    }
    for (size_t i = 0; i < rig.n_got; i++)
        n_of[rig.got[i]]++;
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_ge(n_of[i], 5);
        close(fds[i]);
    }
    rig_close(&rig);
}
END_TEST

/* A listener that is asked whether it is alive answers, however full it is. */
START_TEST(test_probe_when_there_is_no_room_then_closed)
{
    unsigned char bytes[64];
    struct rig rig;
    rig_open(&rig);
    rig.room = 1;
    int fd = rig_connect(&rig, GOOD);
    size_t n = put(bytes, 1, 8);
    ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
    rig_turn(&rig);
    int other = rig_connect(&rig, "\0SP\0\0\0\0\0");
    ck_assert(is_closed(other));
    ck_assert(!is_closed(fd));
    close(other);
    close(fd);
    rig_close(&rig);
}
END_TEST

START_TEST(test_producers_when_they_break_the_protocol_then_closed)
{
    static const unsigned char type_2[9] = {2, 0, 0, 0, 0, 0, 0, 0, 1};
    static const unsigned char too_long[9] = {1, 0, 0, 0, 0, 0, 0x10, 0, 1};
    static const unsigned char huge[9] = {1, 255, 255, 255, 255, 255, 255, 255, 255};
    const unsigned char *heads[] = {type_2, too_long, huge};
    struct rig rig;
    rig_open(&rig);
    for (size_t i = 0; i < 3; i++) {
        int fd = rig_connect(&rig, GOOD);
        ck_assert(!is_closed(fd));
        ck_assert_int_eq(write(fd, heads[i], 9), 9);
        rig_turn(&rig);
        ck_assert(is_closed(fd));
        close(fd);
    }
    int fd = rig_connect(&rig, "GET / HT");
    ck_assert(is_closed(fd));
    close(fd);
    ck_assert_uint_eq(rig.n_got, 0);
    rig_close(&rig);
}
END_TEST

START_TEST(test_messages_when_it_is_deaf_then_none_come)
{
    unsigned char bytes[64];
    struct rig rig;
    rig_open(&rig);
    int fd = rig_connect(&rig, GOOD);
    size_t n = put(bytes, 1, 8);
    ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
    rig_turn(&rig);
    ck_assert_uint_eq(rig.n_got, 1);
    pull_deafen(rig.pull);
    pull_resume(rig.pull);
    ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
    rig_turn(&rig);
    ck_assert_uint_eq(rig.n_got, 1);
    close(fd);
    rig_close(&rig);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_messages_when_cut_anywhere_then_whole_and_in_order,
        test_messages_when_there_is_no_room_then_wait_and_none_is_lost,
        test_producers_when_there_is_little_room_then_each_has_its_turn,
        test_probe_when_there_is_no_room_then_closed,
        test_producers_when_they_break_the_protocol_then_closed,
        test_messages_when_it_is_deaf_then_none_come,
        NULL,
    };
    return suite_run("pull", tests, 30);
}
