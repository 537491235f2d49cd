/* A wake-up that one side sets and the other side polls: a pipe to oneself, because a descriptor can be waited for
 * beside a terminal, and because write is one of the few things that a signal handler may do. Portable where eventfd,
 * pipe2 and condition variables on the right clock are not. */
#ifndef PBKD_BASE_WAKE_H
#define PBKD_BASE_WAKE_H

#include "engine/base/err.h"

struct wake {
    int fd[2]; /* where it is read, where it is written */
};
#define WAKE_NONE ((struct wake){{-1, -1}})

/* On failure *w is WAKE_NONE. Neither end blocks; a program that we start inherits neither. */
bool wake_init(struct wake *w, struct err *e);
void wake_free(struct wake *w); /* twice is fine, and WAKE_NONE */
/* From any thread or signal handler; leaves errno alone. Several before a wake_clear are one. */
void wake_set(const struct wake *w);
void wake_clear(const struct wake *w);
/* Block until it is set or a signal handler of this thread has run. It stays set. */
void wake_wait(const struct wake *w);
/* Readable while it is set; for poll. */
int wake_fd(const struct wake *w);

/* A pipe whose ends a program that we start does not inherit. */
bool pipe_make(int fd[2], struct err *e);

#endif
