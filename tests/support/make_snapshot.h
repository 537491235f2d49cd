/* Pictures of runs made by hand, for tests of the screen: the same every time, no engine involved. */
#ifndef PBKD_TESTS_SUPPORT_MAKE_SNAPSHOT_H
#define PBKD_TESTS_SUPPORT_MAKE_SNAPSHOT_H

#include "engine/run/snapshot.h"

enum snapshot_kind {
    SNAPSHOT_LOADING, /* nothing measured, no pairs */
    SNAPSHOT_PLAYING, /* third of five iterations, everything measured, labels and a change of beta made */
    SNAPSHOT_WAITING, /* stopped at the gate */
    /* as PLAYING, white-box in scope head: the set's gaps, the curve over beta, answers judged token by token */
    SNAPSHOT_EXACT,
    SNAPSHOT_HOSTILE /* model outputs with control bytes, invalid UTF-8, wide and combining characters, long texts,
                         non-finite figures */
};

/* Release with snapshot_release. The caller may change what it likes before it is drawn. */
struct snapshot *make_snapshot(enum snapshot_kind kind);
/* Append a pair (texts are copied) as the oldest shown. */
struct shown_pair *snapshot_add_pair(struct snapshot *s, int64_t id, const char *prompt, const char *teacher,
                                     const char *student);

#endif
