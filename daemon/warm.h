/* warm.h - the end of a stream's warm-up, beside the loop.
 *
 *     engine_due --> celltap_warmup on libuv's threads --> engine_warmed --> wake
 *
 * The loop's thread only. */
#ifndef DAEMON_WARM_H
#define DAEMON_WARM_H

#include <uv.h>

#include "daemon/engine.h"

struct warm;

/* wake(arg): late frames may go on.  NULL: no memory. */
struct warm *warm_new(struct engine *engine, uv_loop_t *uv, void (*wake)(void *arg), void *arg);

/* Nothing is begun any more, and what runs ends within some timesteps. */
void warm_stop(struct warm *warm); /* NULL is fine */

/* When the loop has run its handles and work to the end; NULL is fine. */
void warm_free(struct warm *warm);

/* After every turn: begins what is due. */
void warm_run(struct warm *warm);

#endif
