/* doors.c - the sockets that take something in: ingest (PULL, REP) and control (REP).
 *
 *     conf.ingest[i] --> PULL or REP with its listeners --> frames        conf.control --> requests
 *
 * nng closes the connection that sends too much without a word to anybody, so it is told twice the
 * limit: what lies between is refused with a reply and counted. */
#include "daemon/doors.h"

#include <stdio.h>
#include <stdlib.h>

struct sock_options doors_ingest_options(const struct conf *conf, const struct conf_ingest *ingest,
                                         struct intake *frames)
{
    return (struct sock_options){
        .kind = ingest->kind == CONF_INGEST_REP ? SOCK_REP : SOCK_PULL,
        .recv_max_bytes = conf->max_message_bytes * 2,
        .on_message = intake_push,
        .arg = frames,
    };
}

struct sock_options doors_control_options(struct intake *requests)
{
    return (struct sock_options){
        .kind = SOCK_REP,
        .recv_max_bytes = DOORS_REQUEST_BYTES + DOORS_NUMBER_BYTES,
        .on_message = intake_push,
        .arg = requests,
    };
}

int doors_open_sock(const struct sock_options *options, const struct conf_texts *listen,
                    struct sock **ret_sock, struct sock_error *reterr)
{
    struct sock *sock;
    if (sock_open(options, &sock, reterr) != 0)
        return -1;
    for (size_t i = 0; i < listen->n; i++) {
        if (sock_listen(sock, listen->items[i], reterr) != 0) {
            sock_close(sock);
            return -1;
        }
    }
    *ret_sock = sock;
    return 0;
}

void doors_each(const struct doors *doors, void (*visit)(struct sock *sock, void *arg), void *arg)
{
    for (size_t i = 0; i < doors->n_ingest; i++)
        visit(doors->ingest[i], arg);
    if (doors->control != NULL)
        visit(doors->control, arg);
}

static int doors_start(struct sock *sock, struct intake *intake, struct sock_error *reterr)
{
    if (sock_listen_commit(sock, reterr) != 0)
        return -1;
    if (intake_add(intake, sock) != 0) {
        snprintf(reterr->text, sizeof(reterr->text), "more than %d ingest entries; remove some",
                 DOORS_INGEST_MAX);
        return -1;
    }
    sock_resume(sock);
    return 0;
}

int doors_open(struct doors *doors, const struct conf *conf, struct intake *frames,
               struct intake *requests, struct sock_error *reterr)
{
    *doors = (struct doors){0};
    doors->ingest = calloc(conf->n_ingest + 1, sizeof(struct sock *));
    if (doors->ingest == NULL) {
        snprintf(reterr->text, sizeof(reterr->text), "out of memory");
        return -1;
    }
    for (; doors->n_ingest < conf->n_ingest; doors->n_ingest++) {
        const struct conf_ingest *ingest = &conf->ingest[doors->n_ingest];
        struct sock_options options = doors_ingest_options(conf, ingest, frames);
        struct sock **place = &doors->ingest[doors->n_ingest];
        if (doors_open_sock(&options, &ingest->listen, place, reterr) != 0)
            goto fail;
    }
    struct sock_options options = doors_control_options(requests);
    if (doors_open_sock(&options, &conf->control_listen, &doors->control, reterr) != 0)
        goto fail;
    for (size_t i = 0; i < doors->n_ingest; i++)
        if (doors_start(doors->ingest[i], frames, reterr) != 0)
            goto fail;
    if (doors_start(doors->control, requests, reterr) != 0)
        goto fail;
    return 0;
fail:
    doors_close(doors);
    return -1;
}

void doors_close(struct doors *doors)
{
    for (size_t i = 0; i < doors->n_ingest; i++)
        sock_close(doors->ingest[i]);
    sock_close(doors->control);
    free(doors->ingest);
    *doors = (struct doors){0};
}
