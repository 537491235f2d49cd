/* Files, done so that a crash or a full disk never leaves a half-written one: everything that is written for keeps
 * goes to a temporary name in the same folder, is fsynced, renamed over the target, and the folder is fsynced. */
#ifndef PBKD_BASE_FILE_H
#define PBKD_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/base/err.h"

/* Whole file into *data (NUL added after *len bytes; caller mem_frees). Refuses files over max bytes and non-regular
 * files. */
bool file_read_all(const char *path, size_t max, char **data, size_t *len, struct err *e);

/* A read-only mapping of a regular file. Unmap with file_unmap; a zeroed struct is fine to unmap. An empty file is an
 * error. */
struct file_map {
    const unsigned char *data;
    size_t len;
};
bool file_map(const char *path, struct file_map *m, struct err *e);
void file_unmap(struct file_map *m);

/* Atomic replacement of path. Between begin and commit write through a->f with the stdio functions; commit checks every
 * write that was made. abort (also after a failed commit) removes the temporary file. */
struct atomic_file {
    FILE *f;
    char path[4096], tmp[4128];
};
bool atomic_begin(struct atomic_file *a, const char *path, struct err *e);
bool atomic_commit(struct atomic_file *a, struct err *e);
void atomic_abort(struct atomic_file *a);
/* Begin, write data, commit. */
bool atomic_write(const char *path, const void *data, size_t len, struct err *e);

bool file_exists(const char *path);
bool dir_make(const char *path, struct err *e);        /* with parents; an existing folder is fine */
bool dir_remove_tree(const char *path, struct err *e); /* missing is fine */
bool dir_sync(const char *path, struct err *e);

/* "base" resolved against the folder that holds `relative_to` unless base is absolute; caller frees. */
char *path_beside(const char *relative_to, const char *base);

#endif
