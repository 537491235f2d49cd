/* The student of a run as a model file, as it was at any of the run's checkpoints: to be asked, compared, or to be a
 * candidate of another run's offline preferences (offline.candidates). Takes no lock, so the run may be going on. */
#ifndef PBKD_EVAL_RUN_EXPORT_H
#define PBKD_EVAL_RUN_EXPORT_H

#include <stdint.h>

#include "engine/base/err.h"

/* Write the student of the run in `folder` at the checkpoint of `tick` (below 0: the newest whole one) to the GGUF
 * `out`, matrices as `type` (enum quant_type). Shape and vocabulary are those of the file that the run began with
 * (student.model), which must still be there. *at gets the tick. When there is no such checkpoint, e lists those there
 * are. */
bool run_export_student(const char *folder, int64_t tick, const char *out, uint32_t type, int64_t *at, struct err *e);

#endif
