/* conf_url.c - the form of a URL, and whether it stays on this machine.
 *
 *     ipc:///run/celltap/ingest.ipc      tcp://127.0.0.1:5550   tcp://[::1]:5550 */
#include "daemon/conf_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HOST_BYTES 256

/* What nng could do and this release does not, with the reason. */
static const struct url_refused {
    const char *prefix, *fault;
} url_refused[] = {
    {"inproc://", "reaches this process only; use ipc:///path or tcp://host:port"},
    {"abstract://", "has no file permissions; use ipc:///path"},
    {"unix://", "is spelled ipc:///path here"},
    {"tls+tcp://", "needs TLS, which is not in this release; use tcp:// or ipc://"},
    {"ws://", "needs WebSocket, which is not in this release; use tcp:// or ipc://"},
    {"wss://", "needs WebSocket, which is not in this release; use tcp:// or ipc://"},
};

/* The text behind a prefix; NULL if it is not there. */
static const char *behind(const char *url, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(url, prefix, n) == 0 ? url + n : NULL;
}

static const char *ipc_fault(const char *path)
{
    if (path[0] != '/')
        return "needs an absolute path: ipc:///run/celltap/name.ipc, three slashes";
    if (path[strlen(path) - 1] == '/')
        return "names a directory; add the socket's name: ipc:///run/celltap/name.ipc";
    if (strlen(path) > CONF_URL_PATH_MAX)
        return "has a path of more than 106 bytes, the system's limit; choose a shorter one";
    return NULL;
}

/* Splits "host:port" or "[host]:port"; the host without brackets.  NULL: no colon, or too long. */
static const char *split(const char *address, char ret_host[HOST_BYTES])
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL)
        return NULL;
    size_t n = (size_t)(colon - address);
    if (n >= 2 && address[0] == '[' && address[n - 1] == ']') {
        address++;
        n -= 2;
    } else if (memchr(address, ':', n) != NULL) {
        return NULL; /* IPv6 without brackets */
    }
    if (n >= HOST_BYTES)
        return NULL;
    memcpy(ret_host, address, n);
    ret_host[n] = 0;
    return colon + 1;
}

static const char *tcp_fault(const char *address)
{
    char host[HOST_BYTES];
    struct in6_addr in6;
    const char *port = split(address, host);
    if (port == NULL || (address[0] == '[' && inet_pton(AF_INET6, host, &in6) != 1))
        return "must be tcp://host:port, such as tcp://127.0.0.1:5550 or tcp://[::1]:5550";
    size_t n = strspn(port, "0123456789");
    if (n == 0 || n > 5 || port[n] != 0 || atoi(port) < 1 || atoi(port) > 65535)
        return "needs a port from 1 to 65535 at its end: tcp://127.0.0.1:5550";
    if (address[0] == '[' || strcmp(host, "*") == 0)
        return NULL;
    for (const char *at = host; *at != 0; at++)
        if (!isalnum((unsigned char)*at) && *at != '.' && *at != '-')
            return "has a host that is neither a name nor an address: tcp://127.0.0.1:5550";
    return host[0] == 0 ? "needs a host: tcp://127.0.0.1:5550, or tcp://*:5550 for all" : NULL;
}

const char *conf_url_fault(const char *url)
{
    const char *rest;
    if ((rest = behind(url, "ipc://")) != NULL)
        return ipc_fault(rest);
    if ((rest = behind(url, "tcp://")) != NULL)
        return tcp_fault(rest);
    for (size_t i = 0; i < sizeof url_refused / sizeof *url_refused; i++)
        if (behind(url, url_refused[i].prefix) != NULL)
            return url_refused[i].fault;
    return "is not a URL to listen on; use ipc:///absolute/path or tcp://host:port";
}

bool conf_url_is_remote(const char *url)
{
    char host[HOST_BYTES];
    struct in_addr in;
    struct in6_addr in6;
    const char *address = behind(url, "tcp://");
    if (address == NULL || split(address, host) == NULL)
        return false;
    if (inet_pton(AF_INET, host, &in) == 1)
        return (ntohl(in.s_addr) >> 24) != 127;
    if (inet_pton(AF_INET6, host, &in6) == 1)
        return !IN6_IS_ADDR_LOOPBACK(&in6);
    return strcasecmp(host, "localhost") != 0;
}
