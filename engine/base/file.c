/* Files: see file.h. Written over plain POSIX calls, because stdio cannot say "regular files only", fsync or rename. */
#include "engine/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/mem.h"

/* O_NONBLOCK: opening a FIFO somebody put in our way must not hang before fstat can refuse it. */
static int open_regular(const char *path, size_t *size, struct err *e) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        err_errno(e, "%s: cannot open", path);
        return -1;
    }
    struct stat st;
    if (fstat(fd, &st) != 0) {
        err_errno(e, "%s: cannot examine", path);
    } else if (!S_ISREG(st.st_mode)) {
        err_set(e, "%s: not a regular file", path);
    } else {
        *size = (size_t)st.st_size;
        return fd;
    }
    close(fd);
    return -1;
}

bool file_read_all(const char *path, size_t max, char **data, size_t *len, struct err *e) {
    size_t size;
    const int fd = open_regular(path, &size, e);
    if (fd < 0) return false;
    char *buf = NULL;
    size_t got = 0;
    if (size > max) {
        err_set(e, "%s: %zu bytes, at most %zu are accepted", path, size, max);
        goto fail;
    }
    if (!(buf = mem_alloc(size + 1, 1, path, e))) goto fail;
    while (got < size) {
        const ssize_t n = read(fd, buf + got, size - got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            err_errno(e, "%s: cannot read", path);
            goto fail;
        }
        if (n == 0) break; /* shortened meanwhile: what is there is what we report */
        got += (size_t)n;
    }
    close(fd);
    buf[got] = '\0';
    *data = buf;
    *len = got;
    return true;
fail:
    mem_free(buf);
    close(fd);
    return false;
}

bool file_map(const char *path, struct file_map *m, struct err *e) {
    *m = (struct file_map){0};
    size_t size;
    const int fd = open_regular(path, &size, e);
    if (fd < 0) return false;
    bool ok = true;
    if (size == 0) {
        ok = err_set(e, "%s: the file is empty", path);
    } else {
        void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            ok = err_errno(e, "%s: cannot map", path);
        } else {
            m->data = p;
            m->len = size;
        }
    }
    close(fd);
    return ok;
}

void file_unmap(struct file_map *m) {
    if (m->data) munmap((void *)(uintptr_t)m->data, m->len);
    *m = (struct file_map){0};
}

/* "a/b" -> "a", "b" -> ".", "/b" -> "/"; caller frees */
static char *parent_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) return mem_strdup(".");
    return mem_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

bool dir_sync(const char *path, struct err *e) {
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return err_errno(e, "%s: cannot open the folder", path);
    /* Some file systems do not sync folders at all and say so with EINVAL: nothing more can be done there. */
    const bool ok = fsync(fd) == 0 || errno == EINVAL || err_errno(e, "%s: cannot sync the folder", path);
    close(fd);
    return ok;
}

/* A fresh file beside the target. Not mkstemp, whose mode 0600 would replace what the user's umask asks for. */
static int create_temporary(struct atomic_file *a) {
    for (unsigned i = 0; i < 10000; i++) {
        snprintf(a->tmp, sizeof a->tmp, "%s.tmp-%ld-%u", a->path, (long)getpid(), i);
        const int fd = open(a->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

bool atomic_begin(struct atomic_file *a, const char *path, struct err *e) {
    a->f = NULL;
    a->tmp[0] = '\0';
    if (snprintf(a->path, sizeof a->path, "%s", path) >= (int)sizeof a->path)
        return err_set(e, "%.80s...: the path is too long", path);
    const int fd = create_temporary(a);
    if (fd < 0) {
        a->tmp[0] = '\0';
        return err_errno(e, "%s: cannot create a file beside it", path);
    }
    struct stat st;
    if (stat(path, &st) == 0) {
        if (!S_ISREG(st.st_mode)) {
            close(fd);
            atomic_abort(a);
            return err_set(e, "%s: exists and is not a regular file", path);
        }
        (void)fchmod(fd, st.st_mode & 0777); /* a replaced file keeps its mode where the system lets us */
    }
    if (!(a->f = fdopen(fd, "wb"))) {
        err_errno(e, "%s: cannot write", path);
        close(fd);
        atomic_abort(a);
        return false;
    }
    return true;
}

bool atomic_commit(struct atomic_file *a, struct err *e) {
    errno = 0;
    if (ferror(a->f)) {
        err_set(e, "%s: writing failed (is the disk full?)", a->path);
        goto fail;
    }
    if (fflush(a->f) != 0 || fsync(fileno(a->f)) != 0) {
        err_errno(e, "%s: writing failed", a->path);
        goto fail;
    }
    FILE *f = a->f;
    a->f = NULL;
    if (fclose(f) != 0) {
        err_errno(e, "%s: writing failed", a->path);
        goto fail;
    }
    if (rename(a->tmp, a->path) != 0) {
        err_errno(e, "%s: cannot put the new file in place", a->path);
        goto fail;
    }
    a->tmp[0] = '\0';
    char *dir = parent_of(a->path);
    const bool ok = dir_sync(dir, e);
    free(dir);
    return ok;
fail:
    atomic_abort(a);
    return false;
}

void atomic_abort(struct atomic_file *a) {
    if (a->f) fclose(a->f);
    a->f = NULL;
    if (a->tmp[0]) unlink(a->tmp);
    a->tmp[0] = '\0';
}

bool atomic_write(const char *path, const void *data, size_t len, struct err *e) {
    struct atomic_file a;
    if (!atomic_begin(&a, path, e)) return false;
    if (len && fwrite(data, 1, len, a.f) != len) {
        err_errno(e, "%s: writing failed", path);
        atomic_abort(&a);
        return false;
    }
    return atomic_commit(&a, e);
}

bool file_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

static bool make_one(const char *path, struct err *e) {
    if (mkdir(path, 0777) == 0) return true;
    const int why = errno;
    struct stat st;
    if (stat(path, &st) == 0) return S_ISDIR(st.st_mode) || err_set(e, "%s: exists and is not a folder", path);
    errno = why;
    return err_errno(e, "%s: cannot make the folder", path);
}

bool dir_make(const char *path, struct err *e) {
    if (!*path) return err_set(e, "cannot make a folder without a name");
    char *p = mem_strdup(path);
    bool ok = true;
    for (char *s = p + 1; ok && *s; s++) {
        if (*s != '/') continue;
        *s = '\0';
        ok = make_one(p, e);
        *s = '/';
    }
    ok = ok && make_one(p, e);
    free(p);
    return ok;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st, (void)kind, (void)at;
    return remove(path);
}

bool dir_remove_tree(const char *path, struct err *e) {
    struct stat st;
    if (lstat(path, &st) != 0) return errno == ENOENT || err_errno(e, "%s: cannot examine", path);
    /* FTW_PHYS: a symbolic link inside is removed, never followed out of the tree */
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0) return err_errno(e, "%s: cannot remove", path);
    return true;
}

char *path_beside(const char *relative_to, const char *base) {
    const char *slash = strrchr(relative_to, '/');
    if (base[0] == '/' || !slash) return mem_strdup(base);
    const size_t dir = (size_t)(slash - relative_to) + 1, n = strlen(base);
    char *out = mem_small(dir + n + 1);
    memcpy(out, relative_to, dir);
    memcpy(out + dir, base, n);
    return out;
}
