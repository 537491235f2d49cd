/* The run's own files: see own_files.h. Everything here looks at the entry itself (lstat, O_NOFOLLOW), never at what a
 * link leads to. */
#include "engine/run/own_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4400 };

static const char *const FILES[] = {"lock", "student.gguf", "run.db-journal", "run.db-shm", "run.db-wal", "run.db"};
enum { N_FILES = sizeof FILES / sizeof *FILES };

static const char *type_name(mode_t mode) {
    return S_ISLNK(mode) ? "a link" : S_ISDIR(mode) ? "a folder" : "something that is no file";
}

bool own_files_check(const char *folder, struct err *e) {
    for (int i = 0; i < N_FILES; i++) {
        char path[PATH_SIZE];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", folder, FILES[i]);
        if (lstat(path, &st) != 0) {
            if (errno != ENOENT) return err_errno(e, "%s: cannot examine", path);
        } else if (!S_ISREG(st.st_mode)) {
            return err_set(e, "%s: must be a file of the run's own, found %s; move it away", path,
                           type_name(st.st_mode));
        }
    }
    return true;
}

bool own_files_held(const char *folder, int lock_fd, struct err *e) {
    char path[PATH_SIZE];
    struct stat here, held, db;
    snprintf(path, sizeof path, "%s/lock", folder);
    const bool locked = lstat(path, &here) == 0 && fstat(lock_fd, &held) == 0 && here.st_dev == held.st_dev &&
                        here.st_ino == held.st_ino;
    snprintf(path, sizeof path, "%s/run.db", folder);
    if (locked && lstat(path, &db) == 0) return true;
    return err_set(e,
                   "%s: the run's folder was removed, moved or replaced while the run was under way; nothing more "
                   "can be saved in it",
                   folder);
}

/* ---- names ---- */

/* At s: one or more digits; the end of them, else NULL. */
static const char *after_digits(const char *s) {
    const size_t n = s ? strspn(s, "0123456789") : 0;
    return n > 0 ? s + n : NULL;
}

static const char *after_word(const char *s, const char *word) {
    return s && strncmp(s, word, strlen(word)) == 0 ? s + strlen(word) : NULL;
}

bool own_checkpoint_name(const char *name) {
    const char *s = after_digits(name);
    if (s && *s == '-') s = after_digits(s + 1);
    return s && (!*s || strcmp(s, ".tmp") == 0);
}

/* "" or ".tmp-PROCESS-N" (atomic_begin's). */
static bool is_file_end(const char *s) {
    if (s && !*s) return true;
    s = after_word(after_digits(after_word(s, ".tmp-")), "-");
    return (s = after_digits(s)) && !*s;
}

static bool is_checkpoint_file(const char *name) {
    const char *dot = strstr(name, ".safetensors");
    return dot && dot > name && is_file_end(after_word(dot, ".safetensors"));
}

static bool is_run_file(const char *name) {
    for (int i = 0; i < N_FILES; i++)
        if (strcmp(name, FILES[i]) == 0) return true;
    const char *end = after_word(name, "student.gguf");
    return end && is_file_end(end);
}

/* ---- removing ---- */

static bool is_dots(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

static bool is_own(DIR *d, const char *name, bool (*is_name)(const char *)) {
    struct stat st;
    return is_name(name) && fstatat(dirfd(d), name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static bool only_own(DIR *d, bool (*is_name)(const char *)) {
    bool all = true;
    rewinddir(d);
    for (const struct dirent *x; all && (x = readdir(d));) all = is_dots(x->d_name) || is_own(d, x->d_name, is_name);
    return all;
}

static bool remove_own(DIR *d, const char *path, bool (*is_name)(const char *), struct err *e) {
    bool ok = true;
    rewinddir(d);
    for (const struct dirent *x; ok && (x = readdir(d));)
        if (is_own(d, x->d_name, is_name) && unlinkat(dirfd(d), x->d_name, 0) != 0)
            ok = err_errno(e, "%s/%s: cannot remove", path, x->d_name);
    return ok;
}

static DIR *open_folder(const char *path, int flags) {
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !d) close(fd);
    return d;
}

bool own_checkpoint_remove(const char *path, bool mixed, struct err *e) {
    DIR *d = open_folder(path, O_NOFOLLOW);
    if (!d) return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || err_errno(e, "%s: cannot list", path);
    const bool ours = mixed || only_own(d, is_checkpoint_file);
    const bool ok = !ours || remove_own(d, path, is_checkpoint_file, e);
    closedir(d);
    if (!ok || !ours || rmdir(path) == 0) return ok;
    return errno == ENOTEMPTY || errno == EEXIST || err_errno(e, "%s: cannot remove", path);
}

/* The first entry that is still there, for the message. */
static bool fail_left(const char *path, DIR *d, struct err *e) {
    const struct dirent *x;
    rewinddir(d);
    while ((x = readdir(d)) && is_dots(x->d_name)) continue;
    return err_set(e, "%s: removed but for \"%.80s\", which is not the run's", path, x ? x->d_name : "");
}

bool own_files_remove(const char *folder, struct err *e) {
    char below[PATH_SIZE];
    struct stat st;
    snprintf(below, sizeof below, "%s/checkpoints", folder);
    if (lstat(below, &st) == 0 && S_ISDIR(st.st_mode) && rmdir(below) != 0 && errno != ENOTEMPTY && errno != EEXIST)
        return err_errno(e, "%s: cannot remove", below);
    DIR *d = open_folder(folder, 0);
    if (!d) return err_errno(e, "%s: cannot list the folder", folder);
    bool ok = remove_own(d, folder, is_run_file, e);
    if (ok && rmdir(folder) != 0)
        ok =
            errno == ENOTEMPTY || errno == EEXIST ? fail_left(folder, d, e) : err_errno(e, "%s: cannot remove", folder);
    closedir(d);
    return ok;
}
