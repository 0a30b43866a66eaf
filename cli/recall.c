/* recall.c - past timesteps asked of the running daemon, a slice at a time. */
#include "cli/recall.h"

#include <stdio.h>

static void recall_put(struct celltap_writer *writer, const char *key, uint64_t value)
{
    celltap_put_str(writer, key);
    celltap_put_uint(writer, value);
}

static void recall_put_ts(struct celltap_writer *writer, const char *key, int64_t ts_ns)
{
    celltap_put_str(writer, key);
    celltap_put_int(writer, ts_ns);
}

int recall_send(struct control *control, const struct recall_range *range, char *ret_error)
{
    size_t n_keys =
        5u + range->scores + (range->every > 1) + (range->limit > 0) + 2u * range->by_time;
    struct celltap_writer *writer = control_begin(control, "replay", n_keys);
    celltap_put_str(writer, "stream");
    celltap_put_str(writer, range->stream);
    control_put_globs(writer, "layers", range->layers);
    control_put_globs(writer, "tensors", range->tensors);
    if (range->scores) {
        celltap_put_str(writer, "kind");
        celltap_put_str(writer, "scores");
    }
    recall_put(writer, "from", range->from_seq);
    recall_put(writer, "to", range->to_seq);
    if (range->every > 1)
        recall_put(writer, "every", range->every);
    if (range->limit > 0)
        recall_put(writer, "limit", range->limit);
    if (range->by_time) {
        recall_put_ts(writer, "from_ts", range->from_ts);
        recall_put_ts(writer, "to_ts", range->to_ts);
    }
    return control_send(control, ret_error);
}

int recall_receive(struct control *control, struct recall_range *range,
                   struct recall_slice *ret_slice, char *ret_error)
{
    struct control_reply reply;
    struct celltap_token token;
    *ret_slice = (struct recall_slice){0};
    int code = control_receive(control, &reply, ret_error);
    if (code == CONTROL_REFUSED)
        ret_slice->held_from = control_count(reply.map, reply.end, "from");
    if (code < 0)
        return code;
    if (celltap_map_find(reply.map, reply.end, "cursor", &token, NULL) == 0 &&
        token.kind == CELLTAP_TOKEN_UINT) {
        ret_slice->more = true;
        range->from_seq = token.uint;
    }
    control_text(reply.map, reply.end, "model", ret_slice->model, sizeof ret_slice->model);
    ret_slice->n_bytes = control_count(reply.map, reply.end, "bytes");
    ret_slice->total = control_count(reply.map, reply.end, "total");
    if (celltap_map_find(reply.map, reply.end, "records", &token, NULL) != 0 ||
        token.kind != CELLTAP_TOKEN_BIN) {
        snprintf(ret_error, CONTROL_ERROR_MAX,
                 "the daemon's answer holds no records; is it older?");
        return -1;
    }
    ret_slice->records = token.bytes;
    ret_slice->end = ret_slice->records + token.n_bytes;
    return 0;
}
