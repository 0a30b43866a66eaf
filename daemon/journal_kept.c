/* journal_kept.c - the detectors that a journal names, each read once, for a recovery.
 *
 *     hash --> list[n] | hash, detector | .. |     NULL: it is not there, or not whole
 *
 * There are as many as reloads have changed how streams are judged: few. */
#include <stdlib.h>

#include "daemon/journal_priv.h"

static celltap_journal_detector *kept_find(void *arg, uint64_t hash)
{
    struct journal_kept *kept = arg;
    struct celltap_journal_error unused;
    for (size_t i = kept->n; i-- > 0;)
        if (kept->list[i].hash == hash)
            return kept->list[i].detector;
    struct journal_kept_detector *list = realloc(kept->list, (kept->n + 1) * sizeof *list);
    if (list == NULL)
        return NULL;
    kept->list = list;
    list[kept->n] = (struct journal_kept_detector){.hash = hash};
    if (celltap_journal_load_detector(kept->files, kept->directory, hash, &list[kept->n].detector,
                                      &unused) != 0)
        list[kept->n].detector = NULL;
    return list[kept->n++].detector;
}

void journal_kept_init(struct journal_kept *kept, const struct journal *journal)
{
    *kept = (struct journal_kept){
        .detectors = {kept, kept_find}, .files = journal->files, .directory = journal->directory};
}

void journal_kept_done(struct journal_kept *kept)
{
    for (size_t i = 0; i < kept->n; i++)
        celltap_journal_detector_unref(kept->list[i].detector);
    free(kept->list);
}
