/* test_sock_listen.c - a listener that closes leaves nothing behind, whoever is shaking hands.
 *
 * What nng 1.5.2 loses keeps its descriptor, so descriptors are counted. */
#include <arpa/inet.h>
#include <dirent.h>
#include <nng/nng.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "daemon/sock.h"
#include "tests/support/suite.h"

#define DEADLINE_MS 10000

static char directory[] = "/tmp/test_sock_listen.XXXXXX";
static char url[64];
static const char *path = url + 6; /* of ipc:// */

static struct sock_tasks *tasks; /* as in the daemon: one thread calls back */
static struct sock *sock;

static void setup(void)
{
    struct sock_options options = {.kind = SOCK_PUB, .recv_max_bytes = 1 << 20, .queue = 16};
    struct sock_error error;
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(url, sizeof(url), "ipc://%s/s", directory);
    tasks = sock_tasks_new();
    ck_assert_int_eq(sock_open(&options, &sock, &error), 0);
}

static void teardown(void)
{
    sock_close(sock);
    sock_tasks_free(tasks);
    nng_fini();
    rmdir(directory);
}

static void listen_at(const char *where)
{
    struct sock_error error;
    ck_assert_msg(sock_listen(sock, where, &error) == 0, "%s", error.text);
    ck_assert_msg(sock_listen_commit(sock, &error) == 0, "%s", error.text);
}

static size_t n_descriptors(void)
{
    size_t n = 0;
    DIR *list = opendir("/proc/self/fd");
    while (readdir(list) != NULL)
        n++;
    closedir(list);
    return n;
}

/* nng closes what has ended on a thread of its own, a little later. */
static void check_descriptors(size_t n)
{
    struct timespec pause = {.tv_nsec = 100 * 1000};
    for (long i = 0; i < DEADLINE_MS * 10 && n_descriptors() > n; i++)
        nanosleep(&pause, NULL);
    ck_assert_uint_eq(n_descriptors(), n);
}

static int connect_to(const char *where)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", where);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void say_hello(int fd)
{
    static const unsigned char subscriber[8] = {0, 'S', 'P', 0, 0, 0x21, 0, 0};
    ck_assert_int_eq(send(fd, subscriber, sizeof(subscriber), MSG_NOSIGNAL), 8);
}

START_TEST(test_listener_when_closed_while_probed_then_nothing_is_lost)
{
    for (int i = 0; i < 200; i++) {
        size_t n = n_descriptors();
        listen_at(url);
        sock_probe(sock);
        sock_unlisten(sock, url);
        check_descriptors(n);
    }
}
END_TEST

START_TEST(test_listener_when_its_port_is_closed_while_probed_then_nothing_is_lost)
{
    for (int i = 0; i < 200; i++) {
        size_t n = n_descriptors();
        listen_at("tcp://127.0.0.1:0");
        sock_probe(sock);
        sock_unlisten(sock, "tcp://127.0.0.1:0");
        check_descriptors(n);
    }
}
END_TEST

START_TEST(test_listener_when_closed_while_clients_shake_hands_then_nothing_is_lost)
{
    for (int i = 0; i < 200; i++) {
        size_t n = n_descriptors();
        listen_at(url);
        int clients[3];
        for (size_t k = 0; k < 3; k++)
            say_hello(clients[k] = connect_to(path));
        sock_unlisten(sock, url);
        ck_assert_int_ne(access(path, F_OK), 0);
        for (size_t k = 0; k < 3; k++)
            close(clients[k]);
        check_descriptors(n);
    }
}
END_TEST

/* nng pauses such a listener for 100 ms; who comes meanwhile waits. */
START_TEST(test_listener_when_closed_after_a_broken_handshake_then_nothing_is_lost)
{
    for (int i = 0; i < 5; i++) {
        size_t n = n_descriptors();
        listen_at(url);
        close(connect_to(path));
        int client = connect_to(path);
        say_hello(client);
        sock_unlisten(sock, url);
        close(client);
        check_descriptors(n);
    }
}
END_TEST

START_TEST(test_listener_when_closed_while_a_client_keeps_silent_then_nothing_is_lost)
{
    for (int i = 0; i < 50; i++) {
        size_t n = n_descriptors();
        listen_at(url);
        int client = connect_to(path);
        sock_unlisten(sock, url);
        close(client);
        check_descriptors(n);
    }
}
END_TEST

START_TEST(test_listener_when_its_path_is_taken_over_then_the_path_stays)
{
    struct sock_options options = {.kind = SOCK_PUB, .recv_max_bytes = 1 << 20, .queue = 16};
    struct sock_error error;
    struct sock *old = sock;
    listen_at(url);
    ck_assert_int_eq(sock_open(&options, &sock, &error), 0);
    listen_at(url);
    sock_close(old);
    close(connect_to(path));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("sock_listen");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_listener_when_closed_while_probed_then_nothing_is_lost);
    tcase_add_test(tcase, test_listener_when_its_port_is_closed_while_probed_then_nothing_is_lost);
    tcase_add_test(tcase, test_listener_when_closed_while_clients_shake_hands_then_nothing_is_lost);
    tcase_add_test(tcase, test_listener_when_closed_after_a_broken_handshake_then_nothing_is_lost);
    tcase_add_test(tcase,
                   test_listener_when_closed_while_a_client_keeps_silent_then_nothing_is_lost);
    tcase_add_test(tcase, test_listener_when_its_path_is_taken_over_then_the_path_stays);
    Suite *suite = suite_create("sock_listen");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? 0 : 1;
}
