/* A wake-up: see wake.h. */
#include "engine/base/wake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

bool pipe_make(int fd[2], struct err *e) {
    if (pipe(fd) != 0) return err_errno(e, "cannot make a pipe");
    for (int i = 0; i < 2; i++) fcntl(fd[i], F_SETFD, FD_CLOEXEC);
    return true;
}

bool wake_init(struct wake *w, struct err *e) {
    *w = WAKE_NONE;
    if (!pipe_make(w->fd, e)) return false;
    for (int i = 0; i < 2; i++) fcntl(w->fd[i], F_SETFL, O_NONBLOCK);
    return true;
}

void wake_free(struct wake *w) {
    for (int i = 0; i < 2; i++)
        if (w->fd[i] >= 0) close(w->fd[i]);
    *w = WAKE_NONE;
}

void wake_set(const struct wake *w) {
    const int saved = errno;
    const ssize_t n = write(w->fd[1], "w", 1); /* a full pipe is set already */
    (void)n;
    errno = saved;
}

void wake_clear(const struct wake *w) {
    char drop[512];
    while (read(w->fd[0], drop, sizeof drop) > 0) continue;
}

void wake_wait(const struct wake *w) {
    struct pollfd p = {.fd = w->fd[0], .events = POLLIN};
    poll(&p, 1, -1);
}

int wake_fd(const struct wake *w) { return w->fd[0]; }
