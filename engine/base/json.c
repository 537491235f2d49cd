/* JSON: see json.h. cJSON does the parsing; a scan before it refuses what cJSON would silently bend (NUL bytes and
 * \u0000 cut strings short, control bytes and broken UTF-8 pass through, "[[[[..." and "1,1,1,..." cost 60 times their
 * size), and a walk after it refuses what cJSON keeps (duplicate keys, numbers that overflowed to infinity). */
#include "engine/base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "engine/base/names.h"

enum { MAX_DEPTH = 128, MAX_VALUES = 8 << 20, MAX_FILE = 64 << 20, MAX_LINE = 16 << 20, FEW_KEYS = 16 };

struct source { /* where a text came from, for messages */
    const char *text;
    size_t len;
    const char *where;
    size_t first_line;
};

static bool fail_at(const struct source *s, size_t pos, struct err *e, const char *what) {
    size_t line = s->first_line;
    for (size_t i = 0; i < pos && i < s->len; i++) line += s->text[i] == '\n';
    return err_set(e, "%s:%zu: %s", s->where, line, what);
}

/* A finding in the parsed tree, which has no positions: the line is known only when the text is a single line. */
static bool fail_in_tree(const struct source *s, struct err *e, const char *what, const char *name) {
    if (memchr(s->text, '\n', s->len)) return err_set(e, "%s: %s%s", s->where, what, name);
    return err_set(e, "%s:%zu: %s%s", s->where, s->first_line, what, name);
}

/* One string body, from after the opening quote; *pos ends on the closing quote. */
static bool scan_string(const struct source *s, size_t *pos, struct err *e) {
    size_t i = *pos;
    while (i < s->len && s->text[i] != '"') {
        const unsigned char c = (unsigned char)s->text[i];
        if (c < 0x20) return fail_at(s, i, e, "unescaped control byte (or line end) inside a string");
        if (c == '\\') {
            if (s->len - i >= 6 && memcmp(s->text + i, "\\u0000", 6) == 0)
                return fail_at(s, i, e, "\\u0000 is not accepted in a string");
            i += 2;
        } else if (c < 0x80) {
            i++;
        } else {
            utf8proc_int32_t cp;
            const utf8proc_ssize_t left = s->len - i > 4 ? 4 : (utf8proc_ssize_t)(s->len - i);
            const utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)s->text + i, left, &cp);
            if (n <= 0) return fail_at(s, i, e, "the text is not valid UTF-8");
            i += (size_t)n;
        }
    }
    if (i >= s->len) return fail_at(s, s->len, e, "a string is not closed");
    *pos = i;
    return true;
}

static bool scan(const struct source *s, struct err *e) {
    size_t depth = 0, values = 0;
    for (size_t i = 0; i < s->len; i++) {
        switch (s->text[i]) {
        case '"':
            i++;
            if (!scan_string(s, &i, e)) return false;
            break;
        case '[':
        case '{':
            if (++depth > MAX_DEPTH) return fail_at(s, i, e, "nested more than 128 levels deep");
            values++;
            break;
        case ']':
        case '}':
            if (depth) depth--;
            break;
        case ',': values++; break;
        default:
            if ((unsigned char)s->text[i] < 0x20 && !memchr("\t\r\n", s->text[i], 3))
                return fail_at(s, i, e, "control byte in the text");
            break;
        }
        if (values > MAX_VALUES) return fail_at(s, i, e, "more than 8 million values");
    }
    return true;
}

static const char *duplicate_among_few(const cJSON *obj) {
    for (const cJSON *a = obj->child; a; a = a->next)
        for (const cJSON *b = a->next; b; b = b->next)
            if (strcmp(a->string, b->string) == 0) return b->string;
    return NULL;
}

static bool check_keys(const cJSON *obj, const struct source *s, struct err *e) {
    const size_t n = (size_t)cJSON_GetArraySize(obj);
    const char *twice;
    if (n <= FEW_KEYS) {
        twice = duplicate_among_few(obj);
    } else {
        struct name_index names;
        if (!names_alloc(&names, n, s->where, e)) return false;
        size_t i = 0;
        for (const cJSON *c = obj->child; c; c = c->next, i++) names.entries[i] = (struct name_entry){c->string, i};
        twice = names_sort(&names);
        names_free(&names);
    }
    return !twice || fail_in_tree(s, e, "duplicate key ", twice);
}

/* Depth is bounded by scan(), so recursion is safe. */
static bool check_tree(const cJSON *v, const struct source *s, struct err *e) {
    if (cJSON_IsNumber(v) && !isfinite(v->valuedouble))
        return fail_in_tree(s, e, "a number is too large for a double", "");
    if (cJSON_IsObject(v) && !check_keys(v, s, e)) return false;
    for (const cJSON *c = v->child; c; c = c->next)
        if (!check_tree(c, s, e)) return false;
    return true;
}

static cJSON *parse(const struct source *s, struct err *e) {
    if (!scan(s, e)) return NULL;
    const char *end = s->text;
    cJSON *v = cJSON_ParseWithLengthOpts(s->text, s->len, &end, 0);
    size_t pos = end ? (size_t)(end - s->text) : 0;
    if (!v) {
        fail_at(s, pos, e, "not valid JSON");
        return NULL;
    }
    while (pos < s->len && strchr(" \t\r\n", s->text[pos])) pos++;
    if (pos < s->len) {
        fail_at(s, pos, e, "more text after the JSON value");
    } else if (check_tree(v, s, e)) {
        return v;
    }
    cJSON_Delete(v);
    return NULL;
}

cJSON *json_parse(const char *text, size_t len, const char *where, struct err *e) {
    const struct source s = {text, len, where, 1};
    return parse(&s, e);
}

cJSON *json_read_file(const char *path, struct err *e) {
    char *text;
    size_t len;
    if (!file_read_all(path, MAX_FILE, &text, &len, e)) return NULL;
    cJSON *v = json_parse(text, len, path, e);
    mem_free(text);
    return v;
}

const char *json_type_name(const cJSON *v) {
    if (!v) return "nothing";
    if (cJSON_IsObject(v)) return "object";
    if (cJSON_IsArray(v)) return "array";
    if (cJSON_IsString(v)) return "string";
    if (cJSON_IsNumber(v)) return "number";
    if (cJSON_IsBool(v)) return "boolean";
    return "null";
}

static const cJSON *need(const cJSON *obj, const char *key, const char *where, struct err *e) {
    if (!cJSON_IsObject(obj)) {
        err_set(e, "%s: must be an object, found %s", where, json_type_name(obj));
        return NULL;
    }
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);
    if (!v) err_set(e, "%s: \"%s\" is missing", where, key);
    return v;
}

bool json_get_string(const cJSON *obj, const char *key, const char *where, const char **out, struct err *e) {
    const cJSON *v = need(obj, key, where, e);
    if (!v) return false;
    if (!cJSON_IsString(v)) return err_set(e, "%s: \"%s\" must be a string, found %s", where, key, json_type_name(v));
    *out = v->valuestring;
    return true;
}

bool json_get_number(const cJSON *obj, const char *key, const char *where, double *out, struct err *e) {
    const cJSON *v = need(obj, key, where, e);
    if (!v) return false;
    if (!cJSON_IsNumber(v)) return err_set(e, "%s: \"%s\" must be a number, found %s", where, key, json_type_name(v));
    *out = v->valuedouble;
    return true;
}

/* ---- making ---- */

static void settle(cJSON **tree, cJSON *item, bool added) {
    if (added) return;
    cJSON_Delete(item);
    cJSON_Delete(*tree);
    *tree = NULL;
}

void json_put(cJSON **object, const char *key, cJSON *item) {
    settle(object, item, *object && item && cJSON_AddItemToObject(*object, key, item));
}

void json_push(cJSON **list, cJSON *item) { settle(list, item, *list && item && cJSON_AddItemToArray(*list, item)); }

cJSON *json_reals(const double *x, int n) {
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < n && list; i++) {
        char text[40];
        snprintf(text, sizeof text, "%a", x[i]);
        json_push(&list, cJSON_CreateString(text));
    }
    return list;
}

/* ---- lines ---- */

typedef bool row_fn(void *ctx, const cJSON *obj, const char *where, struct err *e);

bool jsonl_each_memory(const char *path, const char *text, size_t len, row_fn *row, void *ctx, struct err *e) {
    const size_t where_size = strlen(path) + 32;
    char *where = mem_small(where_size);
    bool ok = true;
    for (size_t pos = 0, line = 1; ok && pos < len; line++) {
        const char *start = text + pos, *nl = memchr(start, '\n', len - pos);
        const size_t n = nl ? (size_t)(nl - start) : len - pos;
        pos += n + 1;
        size_t blank = 0;
        while (blank < n && memchr(" \t\r", start[blank], 3)) blank++;
        if (blank == n) continue;
        snprintf(where, where_size, "%s:%zu", path, line);
        if (n > MAX_LINE) {
            ok = err_set(e, "%s: the line is longer than 16 MiB", where);
            break;
        }
        const struct source s = {start, n, path, line};
        cJSON *v = parse(&s, e);
        if (!v)
            ok = false;
        else if (!cJSON_IsObject(v))
            ok = err_set(e, "%s: each line must be an object, found %s", where, json_type_name(v));
        else
            ok = row(ctx, v, where, e);
        cJSON_Delete(v);
    }
    free(where);
    return ok;
}

bool jsonl_each(const char *path, row_fn *row, void *ctx, struct err *e) {
    char *none;
    size_t len;
    if (file_read_all(path, 0, &none, &len, NULL)) { /* an empty file has no lines, and cannot be mapped */
        mem_free(none);
        return true;
    }
    struct file_map m;
    if (!file_map(path, &m, e)) return false;
    const bool ok = jsonl_each_memory(path, (const char *)m.data, m.len, row, ctx, e);
    file_unmap(&m);
    return ok;
}
