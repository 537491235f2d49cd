/* Labels from a file: JSONL, one pair of responses a line, in either of two forms
 *
 *   {"prompt", "chosen", "rejected"}                                 as `prefs export --format trl` writes
 *   {"prompt", "response_a", "response_b", "preference"}             preference: "a", "b", "tie", or P(a preferred)
 *
 * both with "strength"? (1 = better, the default) and "annotator"?. Other fields are ignored. */
#ifndef PBKD_PREF_LABEL_FILE_H
#define PBKD_PREF_LABEL_FILE_H

#include <stdbool.h>

#include "engine/base/err.h"

struct file_label {
    const char *prompt, *response[2]; /* borrowed for the call; a response may be empty */
    double o;                         /* P(response[0] preferred) */
    double strength;                  /* >= 0 */
    const char *annotator;            /* at most 63 bytes; NULL: not named */
};

/* Call row for every label, in order; stops and returns false when it does, or at the first line that is none (message
 * "FILE:LINE: ..."). row NULL: only check the file. A file without a label is an error. */
bool label_file_each(const char *path,
                     bool (*row)(void *ctx, const struct file_label *label, const char *where, struct err *e),
                     void *ctx, struct err *e);

#endif
