/* backlog.c - a watched stream's warm-up, and the frames that were accepted while it is under way. */
#include "daemon/backlog.h"

#include <stdlib.h>

struct backlog *backlog_new(void)
{
    return calloc(1, sizeof(struct backlog));
}

void backlog_free(struct backlog *backlog)
{
    struct backlog_frame *frame;
    if (backlog == NULL)
        return;
    while ((frame = backlog_take(backlog)) != NULL)
        backlog_frame_free(frame);
    free(backlog);
}

struct backlog_frame *backlog_frame_new(size_t n_values)
{
    struct backlog_frame *frame = calloc(1, sizeof(*frame) + n_values * sizeof(float));
    if (frame != NULL)
        frame->n_values = n_values;
    return frame;
}

void backlog_frame_free(struct backlog_frame *frame)
{
    free(frame);
}

size_t backlog_frame_bytes(const struct backlog_frame *frame)
{
    return sizeof(*frame) + frame->n_values * sizeof(float);
}

void backlog_put(struct backlog *backlog, struct backlog_frame *frame)
{
    frame->next = NULL;
    if (backlog->last != NULL)
        backlog->last->next = frame;
    else
        backlog->first = frame;
    backlog->last = frame;
    backlog->n++;
}

struct backlog_frame *backlog_take(struct backlog *backlog)
{
    struct backlog_frame *frame = backlog->first;
    if (frame == NULL)
        return NULL;
    backlog->first = frame->next;
    if (backlog->first == NULL)
        backlog->last = NULL;
    backlog->n--;
    return frame;
}
