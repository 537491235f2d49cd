/* The record of a run for those who only read: options, metrics, the newest checkpoint's state. Opens run.db read-only
 * and takes no lock, so the run may be going on. */
#ifndef PBKD_EVAL_RUN_READ_H
#define PBKD_EVAL_RUN_READ_H

#include <cjson/cJSON.h>

#include "engine/base/db.h"
#include "engine/option/option.h"

/* Open folder/run.db; "holds no run" when there is none. Close with db_close. */
bool run_read_open(struct db *db, const char *folder, struct err *e);
/* A text of table run ("options", "title", "started"); caller frees; NULL with e filled when it is missing. */
char *run_read_text(struct db *db, const char *key, struct err *e);
/* Options as stored at the start. */
bool run_read_options(struct db *db, struct options *o, struct err *e);
/* The same with every change made since: `set` commands of the journal, in order. */
bool run_read_options_now(struct db *db, struct options *o, struct err *e);
/* First (last: newest) finite value of a metric; NAN when there is none. */
bool run_read_metric(struct db *db, const char *name, bool last, double *out, struct err *e);
/* The game's state in the newest checkpoint (engine/game/game_checkpoint.c), parsed; *state NULL when none was made.
 * Free with cJSON_Delete. */
bool run_read_state(struct db *db, cJSON **state, struct err *e);

#endif
