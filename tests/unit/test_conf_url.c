/* test_conf_url.c - URLs to listen on: which are taken, and which leave this machine. */
#include "daemon/conf_url.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct good {
    const char *url;
    bool is_remote;
} goods[] = {
    {"ipc:///run/celltap/a.ipc", false},
    {"ipc:///a b", false},
    {"ipc:///" A50 A50 "aaaaa", false}, /* 106 bytes */
    {"tcp://127.0.0.1:1", false},
    {"tcp://127.255.0.1:65535", false},
    {"tcp://[::1]:5550", false},
    {"tcp://localhost:5550", false},
    {"tcp://LocalHost:5550", false},
    {"tcp://0.0.0.0:5550", true},
    {"tcp://*:5550", true},
    {"tcp://[::]:5550", true},
    {"tcp://[fe80::1]:5550", true},
    {"tcp://[::ffff:127.0.0.1]:5550", true},
    {"tcp://192.168.0.7:5550", true},
    {"tcp://host.example:5550", true},
    {"tcp://127.1:5550", true}, /* whatever a resolver makes of it */
    {"tcp://localhost.example:5550", true},
};

static const struct bad {
    const char *url, *fault;
} bads[] = {
    {"", "is not a URL"},
    {"run/a.ipc", "is not a URL"},
    {"/run/a.ipc", "is not a URL"},
    {"http://a", "is not a URL"},
    {"IPC:///a", "is not a URL"},
    {"ipc://", "needs an absolute path"},
    {"ipc://a", "needs an absolute path"},
    {"ipc:///a/", "names a directory"},
    {"ipc:///" A50 A50 "aaaaaa", "more than 106 bytes"}, /* 107 bytes */
    {"tcp://", "must be tcp://host:port"},
    {"tcp://127.0.0.1", "must be tcp://host:port"},
    {"tcp://:5550", "needs a host"},
    {"tcp://127.0.0.1:", "needs a port"},
    {"tcp://127.0.0.1:0", "needs a port"},
    {"tcp://127.0.0.1:65536", "needs a port"},
    {"tcp://127.0.0.1:000001", "needs a port"},
    {"tcp://127.0.0.1:55x", "needs a port"},
    {"tcp://127.0.0.1:5550/x", "needs a port"},
    {"tcp://::1:5550", "must be tcp://host:port"},
    {"tcp://[::1:5550", "must be tcp://host:port"},
    {"tcp://[localhost]:5550", "must be tcp://host:port"},
    {"tcp://a b:5550", "neither a name nor an address"},
    {"tcp://user@host:5550", "neither a name nor an address"},
    {"inproc://a", "this process only"},
    {"abstract://a", "no file permissions"},
    {"unix:///a", "is spelled ipc:///path"},
    {"tls+tcp://a:1", "needs TLS, which is not in this release"},
    {"ws://a:1", "needs WebSocket, which is not in this release"},
    {"wss://a:1", "needs WebSocket, which is not in this release"},
};

START_TEST(test_url_when_good_then_taken)
{
    const char *fault = conf_url_fault(goods[_i].url);
    ck_assert_msg(fault == NULL, "%s %s", goods[_i].url, fault);
    ck_assert_msg(conf_url_is_remote(goods[_i].url) == goods[_i].is_remote, "%s", goods[_i].url);
}
END_TEST

START_TEST(test_url_when_bad_then_why)
{
    const char *fault = conf_url_fault(bads[_i].url);
    ck_assert_msg(fault != NULL, "%s was taken", bads[_i].url);
    ck_assert_msg(strstr(fault, bads[_i].fault) != NULL, "%s %s", bads[_i].url, fault);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf_url");
    TCase *tests = tcase_create("conf_url");
    tcase_add_loop_test(tests, test_url_when_good_then_taken, 0, sizeof goods / sizeof *goods);
    tcase_add_loop_test(tests, test_url_when_bad_then_why, 0, sizeof bads / sizeof *bads);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
