/* verdict.c - what a detector says of a timestep, as a record: live and of the past. */
#include "daemon/verdict.h"

#include <math.h>

void verdict_put_text(struct celltap_writer *writer, const char *key, const char *text)
{
    celltap_put_str(writer, key);
    celltap_put_str(writer, text);
}

void verdict_put_number(struct celltap_writer *writer, const char *key, double number)
{
    celltap_put_str(writer, key);
    if (isfinite(number))
        celltap_put_double(writer, number);
    else
        celltap_put_nil(writer);
}

void verdict_put_uint(struct celltap_writer *writer, const char *key, uint64_t number)
{
    celltap_put_str(writer, key);
    celltap_put_uint(writer, number);
}

void verdict_put_head(struct celltap_writer *writer, size_t n_pairs,
                      const struct verdict_head *head)
{
    celltap_put_map(writer, n_pairs);
    celltap_put_str(writer, "stream");
    celltap_put_strn(writer, head->stream, head->stream_bytes);
    verdict_put_uint(writer, "seq", head->seq);
    celltap_put_str(writer, "ts");
    celltap_put_int(writer, head->ts_ns);
}

void verdict_put_threshold(struct celltap_writer *writer, const celltap_stream *state)
{
    const celltap_detector *detector = celltap_stream_detector(state);
    verdict_put_number(writer, "threshold", celltap_detector_get_options(detector)->threshold);
}

void verdict_put_score(struct celltap_writer *writer, const struct verdict_head *head,
                       const struct celltap_score *score, const celltap_stream *state)
{
    verdict_put_head(writer, 9, head);
    verdict_put_number(writer, "score", score->score);
    verdict_put_threshold(writer, state);
    celltap_put_str(writer, "alarm");
    celltap_put_bool(writer, score->alarm);
    verdict_put_number(writer, "g", score->g);
    verdict_put_number(writer, "level", score->level);
    verdict_put_text(writer, "phase", score->phase == CELLTAP_PHASE_SCORE ? "score" : "warmup");
}
