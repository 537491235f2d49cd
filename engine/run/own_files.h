/* What in a run's folder is the run's own. A person may put links and files of their own there, or move the checkpoints
 * to another disk: nothing is written through a link in place of a file of ours, and nothing is deleted that is not
 * ours by name and type. */
#ifndef PBKD_RUN_OWN_FILES_H
#define PBKD_RUN_OWN_FILES_H

#include "engine/base/err.h"

/* Every file that a run writes beside its checkpoints is missing or a regular file, so that writing it touches nothing
 * else; the error names the first that is not. */
bool own_files_check(const char *folder, struct err *e);
/* A run under way still has the folder that it locked: its lock is the file behind lock_fd, and run.db is there. SQLite
 * and the lock go on without an error in a folder that somebody removed or replaced. */
bool own_files_held(const char *folder, int lock_fd, struct err *e);
/* Remove those files, the checkpoints folder if it is empty, and the folder. What else is there stays, and is then the
 * error. */
bool own_files_remove(const char *folder, struct err *e);

/* "TICK" or "TICK-N", with ".tmp" while it is being written. */
bool own_checkpoint_name(const char *name);
/* Remove a checkpoint's folder: its safetensors files and what an interrupted write left of them, then the folder when
 * nothing else is in it. `mixed` = false: only if nothing else is in it from the start. Missing, or no folder: left
 * alone, and no error. */
bool own_checkpoint_remove(const char *path, bool mixed, struct err *e);

#endif
