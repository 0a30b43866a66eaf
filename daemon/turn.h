/* turn.h - one turn of the loop: what has arrived is taken, stepped, published, acknowledged.
 *
 *     intake --> engine_take --> (commit) --> engine_step --> taps --> replies
 *                                             by one thread per shard, if it is worth it
 *
 * Called on the loop's thread only. */
#ifndef DAEMON_TURN_H
#define DAEMON_TURN_H

#include "daemon/crew.h"
#include "daemon/engine.h"
#include "daemon/intake.h"
#include "daemon/journal.h"
#include "daemon/taps.h"

#define TURN_MESSAGES 1024 /* messages of one turn */

struct turn_job {
    struct intake_message in;
    struct engine_batch batch;
};

struct turn {
    struct turn_job jobs[TURN_MESSAGES];
    bool carried;            /* jobs[0] is a message that the turn before has not finished */
    struct journal *journal; /* borrowed; NULL: none */
    struct crew *crew;       /* borrowed; NULL: one shard */
    uint64_t n_turns;
    uint64_t n_messages; /* finished since the start */
};

/* Returns true if there is more to do at once. */
bool turn_run(struct turn *turn, struct intake *intake, struct engine *engine, struct taps *taps,
              size_t max_message_bytes);

/* Gives back what a turn has not finished. */
void turn_done(struct turn *turn);

#endif
