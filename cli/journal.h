/* journal.h - what the actions of celltap journal have in common. */
#ifndef CLI_JOURNAL_H
#define CLI_JOURNAL_H

#include "cli/command.h"
#include "cli/opts.h"
#include "lib/celltap_journal.h"

#define JOURNAL_DEFAULT "/var/lib/celltap/journal"

/* The option --journal, into options.journal. */
#define JOURNAL_ROW(options)                                                                       \
    {                                                                                              \
        .name = "journal", .kind = OPTS_TEXT, .value = "DIR",                                      \
        .offset = offsetof(options, journal),                                                      \
        .sentence = "where it lies (/var/lib/celltap/journal)"                                     \
    }

/* Calls visit for every entry.  0, or a code of celltap.h; 1: visit wanted no more. */
int journal_each(const char *directory, struct celltap_journal_error *reterr,
                 int (*visit)(void *arg, const struct celltap_journal_entry *entry), void *arg);

/* journal_verify.c */
extern const struct command journal_verify_command;

#endif
