/* replays.c - past timesteps computed again while the daemon runs, on a thread of low priority.
 *
 *     queue[]  wish | wish | ...   --thread-->  job: records, or an error   --loop--> reply
 *
 * Happy path: the loop puts a wish in the queue; the thread opens the replay at `from` (or goes on
 * with the one that it has, if the wish is for what comes next), steps until 1 MiB of records is
 * full or the range is over, and wakes the loop, which sends the reply.  What the journal does not
 * hold any more, damage, no memory: the reply says so.  At the end of the daemon the thread stops
 * within a slice, and wishes that are left get no reply. */
#include "daemon/replays.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/celltap_journal.h"
#include "lib/celltap_wire.h"

#define REPLAYS_QUEUE   64
#define REPLAYS_BYTES   ((size_t)1 << 20) /* records of one reply */
#define REPLAYS_NICE    19
#define REPLAYS_TENSORS 64 /* of a record */

struct replays_job {
    struct replays_job *next;
    struct replays_wish wish;
    sock_message *message; /* owned; NULL: no memory */
};

struct replays_list {
    struct replays_job *first, *last;
    size_t n;
};

struct replays {
    char *directory; /* owned */
    void (*wake)(void *arg);
    void *arg;
    pthread_t thread;
    pthread_mutex_t lock; /* guards the lists */
    pthread_cond_t some;
    struct replays_list asked, done;
    atomic_bool stopping;
    /* The thread's own: the replay that the next wish may go on with. */
    celltap_replay *past;
    struct replays_step {
        bool there;
        struct celltap_replay_step step; /* taken, but not yet in a reply */
    } ahead;
    char stream[256];
    uint64_t next, to;
};

static void job_free(struct replays_job *job)
{
    if (job == NULL)
        return;
    for (size_t i = 0; i < job->wish.layers.n; i++)
        free(job->wish.layers.items[i]);
    for (size_t i = 0; i < job->wish.tensors.n; i++)
        free(job->wish.tensors.items[i]);
    free(job->wish.layers.items);
    free(job->wish.tensors.items);
    sock_message_free(job->message);
    free(job);
}

static void list_put(struct replays_list *list, struct replays_job *job)
{
    job->next = NULL;
    if (list->last != NULL)
        list->last->next = job;
    else
        list->first = job;
    list->last = job;
    list->n++;
}

static struct replays_job *list_take(struct replays_list *list)
{
    struct replays_job *job = list->first;
    if (job == NULL)
        return NULL;
    list->first = job->next;
    if (list->first == NULL)
        list->last = NULL;
    list->n--;
    return job;
}

/* ---- records ------------------------------------------------------------------------------- */

static bool replays_selects(const struct replays_wish *wish, const char *layer, const char *tensor)
{
    if (!conf_match(&wish->layers, layer))
        return false;
    return conf_match(&wish->tensors, tensor) ||
           (strcmp(layer, "@output") == 0 && conf_match(&wish->tensors, "output"));
}

/* The records of one timestep.  False: they do not fit, and nothing was written. */
static bool replays_put(const struct replays_wish *wish, const struct celltap_replay_step *step,
                        struct celltap_writer *writer)
{
    unsigned char *before = writer->at;
    for (size_t i = 0; i < celltap_model_n_layers(step->model); i++) {
        struct celltap_record_tensor tensors[REPLAYS_TENSORS];
        struct celltap_record record = {
            .stream = wish->stream,
            .stream_bytes = strlen(wish->stream),
            .seq = step->seq,
            .ts_ns = step->ts_ns,
            .layer = celltap_layer_name(step->model, i),
            .tensors = tensors,
        };
        size_t n = celltap_layer_n_tensors(step->model, i);
        for (size_t j = 0; j < n && record.n_tensors < REPLAYS_TENSORS; j++) {
            const char *name = celltap_tensor_name(step->model, i, j);
            if (replays_selects(wish, record.layer, name))
                tensors[record.n_tensors++] =
                    (struct celltap_record_tensor){name, celltap_panel_tensor(step->panel, 0, i, j),
                                                   celltap_tensor_size(step->model, i, j)};
        }
        if (record.n_tensors > 0)
            celltap_put_record(writer, &record, CELLTAP_ENCODING_F4);
    }
    if (!writer->full)
        return true;
    writer->at = before;
    writer->full = false;
    return false;
}

/* ---- one slice ----------------------------------------------------------------------------- */

static void replays_drop(struct replays *replays)
{
    celltap_replay_close(replays->past);
    replays->past = NULL;
    replays->ahead.there = false;
}

static int replays_open(struct replays *replays, const struct replays_wish *wish,
                        struct celltap_journal_error *reterr)
{
    if (replays->past != NULL && replays->next == wish->from && replays->to == wish->to &&
        strcmp(replays->stream, wish->stream) == 0)
        return 0;
    struct celltap_replay_options options = {
        .files = celltap_files_posix(),
        .directory = replays->directory,
        .stream = wish->stream,
        .from_seq = wish->from,
        .to_seq = wish->to,
    };
    replays_drop(replays);
    snprintf(replays->stream, sizeof(replays->stream), "%s", wish->stream);
    replays->to = wish->to;
    return celltap_replay_open(&options, &replays->past, reterr);
}

/* Fills the writer.  1: there is more from replays->next on, 0: that was all, or a negative code. */
static int replays_fill(struct replays *replays, const struct replays_wish *wish,
                        struct celltap_writer *writer, struct celltap_journal_error *reterr)
{
    unsigned char *begin = writer->at;
    for (;;) {
        int code = 1;
        if (!replays->ahead.there)
            code = celltap_replay_next(replays->past, &replays->ahead.step, reterr);
        if (code == CELLTAP_REPLAY_ON && !atomic_load(&replays->stopping))
            continue;
        if (code != 1)
            return code;
        replays->ahead.there = true;
        if (!replays_put(wish, &replays->ahead.step, writer)) {
            replays->next = replays->ahead.step.seq;
            if (writer->at > begin)
                return 1;
            snprintf(reterr->text, sizeof(reterr->text),
                     "one timestep is larger than a reply; select fewer layers or tensors");
            return CELLTAP_ERANGE;
        }
        replays->ahead.there = false;
    }
}

static sock_message *replays_error(const char *text)
{
    sock_message *message = sock_message_new(strlen(text) + 32);
    if (message == NULL)
        return NULL;
    unsigned char *body = sock_message_body(message);
    struct celltap_writer writer = {.at = body, .end = body + sock_message_bytes(message)};
    celltap_put_map(&writer, 1);
    celltap_put_str(&writer, "error");
    celltap_put_str(&writer, text);
    sock_message_cut(message, (size_t)(writer.at - body));
    return message;
}

/* {"cursor": seq or nil, "records": bin}; the records are written first, behind room for the head. */
static sock_message *replays_slice(struct replays *replays, const struct replays_wish *wish)
{
    struct celltap_journal_error error = {"out of memory"};
    unsigned char *records = malloc(REPLAYS_BYTES);
    sock_message *message = NULL;
    int code = records != NULL ? replays_open(replays, wish, &error) : CELLTAP_ENOMEM;
    struct celltap_writer writer = {.at = records, .end = records + REPLAYS_BYTES};
    if (code == 0)
        code = replays_fill(replays, wish, &writer, &error);
    if (code < 0) {
        replays_drop(replays);
        message = replays_error(error.text);
    } else if ((message = sock_message_new((size_t)(writer.at - records) + 64)) != NULL) {
        unsigned char *body = sock_message_body(message);
        struct celltap_writer reply = {.at = body, .end = body + sock_message_bytes(message)};
        celltap_put_map(&reply, 2);
        celltap_put_str(&reply, "cursor");
        if (code == 1)
            celltap_put_uint(&reply, replays->next);
        else
            celltap_put_nil(&reply);
        celltap_put_str(&reply, "records");
        celltap_put_bin(&reply, records, (size_t)(writer.at - records));
        sock_message_cut(message, (size_t)(reply.at - body));
    }
    if (code == 0)
        replays_drop(replays);
    free(records);
    return message;
}

static void *replays_run(void *arg)
{
    struct replays *replays = arg;
    setpriority(PRIO_PROCESS, (id_t)gettid(), REPLAYS_NICE);
    pthread_mutex_lock(&replays->lock);
    while (!atomic_load(&replays->stopping)) {
        struct replays_job *job = list_take(&replays->asked);
        if (job == NULL) {
            pthread_cond_wait(&replays->some, &replays->lock);
            continue;
        }
        pthread_mutex_unlock(&replays->lock);
        job->message = replays_slice(replays, &job->wish);
        pthread_mutex_lock(&replays->lock);
        list_put(&replays->done, job);
        replays->wake(replays->arg);
    }
    pthread_mutex_unlock(&replays->lock);
    replays_drop(replays);
    return NULL;
}

/* ---- the loop's ---------------------------------------------------------------------------- */

struct replays *replays_new(const char *directory, void (*wake)(void *arg), void *arg)
{
    struct replays *replays = calloc(1, sizeof(*replays));
    if (replays == NULL)
        return NULL;
    replays->wake = wake;
    replays->arg = arg;
    replays->directory = strdup(directory);
    pthread_mutex_init(&replays->lock, NULL);
    pthread_cond_init(&replays->some, NULL);
    if (replays->directory != NULL &&
        pthread_create(&replays->thread, NULL, replays_run, replays) == 0)
        return replays;
    free(replays->directory);
    free(replays);
    return NULL;
}

void replays_free(struct replays *replays)
{
    struct replays_job *job;
    if (replays == NULL)
        return;
    atomic_store(&replays->stopping, true);
    pthread_mutex_lock(&replays->lock);
    pthread_cond_signal(&replays->some);
    pthread_mutex_unlock(&replays->lock);
    pthread_join(replays->thread, NULL);
    while ((job = list_take(&replays->asked)) != NULL ||
           (job = list_take(&replays->done)) != NULL) {
        sock_give_up(job->wish.reply);
        job_free(job);
    }
    pthread_cond_destroy(&replays->some);
    pthread_mutex_destroy(&replays->lock);
    free(replays->directory);
    free(replays);
}

int replays_ask(struct replays *replays, const struct replays_wish *wish)
{
    struct replays_job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        return -1;
    pthread_mutex_lock(&replays->lock);
    bool full = replays->asked.n + replays->done.n >= REPLAYS_QUEUE;
    if (!full) {
        job->wish = *wish;
        list_put(&replays->asked, job);
        pthread_cond_signal(&replays->some);
    }
    pthread_mutex_unlock(&replays->lock);
    if (full)
        free(job);
    return full ? -1 : 0;
}

void replays_answer(struct replays *replays)
{
    while (replays != NULL) {
        pthread_mutex_lock(&replays->lock);
        struct replays_job *job = list_take(&replays->done);
        pthread_mutex_unlock(&replays->lock);
        if (job == NULL)
            return;
        if (job->message != NULL)
            sock_reply(job->wish.reply, job->message);
        else
            sock_give_up(job->wish.reply);
        job->message = NULL;
        job_free(job);
    }
}
