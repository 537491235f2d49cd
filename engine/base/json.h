/* JSON over cJSON, with the checks that hostile input needs: sizes, depth, duplicate keys, types, and messages that
 * name the file and the line. */
#ifndef PBKD_BASE_JSON_H
#define PBKD_BASE_JSON_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "engine/base/err.h"

/* Parse text (len bytes); trailing bytes other than white space, NUL bytes, and duplicate keys in an object are errors.
 * `where` (a file name) starts the message, followed by ":LINE". Free with cJSON_Delete. */
cJSON *json_parse(const char *text, size_t len, const char *where, struct err *e);
/* Read and parse a file of at most 64 MiB. */
cJSON *json_read_file(const char *path, struct err *e);

/* Field access; messages read `where: "key" is missing` / `where: "key" must be a string, found number`. */
bool json_get_string(const cJSON *obj, const char *key, const char *where, const char **out, struct err *e);
bool json_get_number(const cJSON *obj, const char *key, const char *where, double *out, struct err *e);
const char *json_type_name(const cJSON *v);

/* Making a tree. Where cJSON finds no memory it leaves a field out without a word; here a tree that lacks anything
 * becomes NULL and stays so: json_put and json_push then free the whole of it, and do nothing but free `item` from
 * there on. So a writer may put everything first and ask once, at the end, whether the tree is there. Both take over
 * `item`, which may be NULL itself, for one that found no memory. */
void json_put(cJSON **object, const char *key, cJSON *item);
void json_push(cJSON **list, cJSON *item);
/* A list of n reals as text (%a: every bit of them); NULL without memory. */
cJSON *json_reals(const double *x, int n);

/* Call row(ctx, object, "path:LINE", e) for every line of a JSONL file; blank lines are skipped; stops and returns
 * false at the first bad line or when row returns false. The file is mapped and parsed a line at a time, a line is at
 * most 16 MiB. */
bool jsonl_each(const char *path, bool (*row)(void *ctx, const cJSON *obj, const char *where, struct err *e), void *ctx,
                struct err *e);
/* The same over len bytes in memory; `name` stands for the path. */
bool jsonl_each_memory(const char *name, const char *text, size_t len,
                       bool (*row)(void *ctx, const cJSON *obj, const char *where, struct err *e), void *ctx,
                       struct err *e);

#endif
