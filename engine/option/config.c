/* Configuration files and the stored form of the options. One walk serves both: nested objects spell dotted names,
 * every leaf goes through option_set, so a file obeys the same bounds and gets the same messages as `:set`.
 *
 * cJSON keeps no positions. The line in a message comes from a second, tiny walk over the text, only when there is an
 * error. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/json_string.h"
#include "engine/base/mem.h"
#include "engine/base/strbuf.h"
#include "engine/option/option.h"

enum { MAX_CONFIG = 1 << 20, NAME_MAX_BYTES = 256, KEY_DEPTH = 8 };

struct config {
    const char *text, *where;
    size_t len;
    bool is_file; /* messages give the line, paths are taken from its folder */
    struct options o;
    bool *seen; /* [N_OPTIONS] */
};

/* ---- the line of a key ---- */

struct key_path { /* keys of the objects around the position, as slices of the text */
    const char *key[KEY_DEPTH + 1];
    size_t len[KEY_DEPTH + 1];
};

static bool path_is(const struct key_path *p, int depth, const char *name) {
    for (int i = 1; i <= depth; i++) {
        if (!p->key[i] || strncmp(name, p->key[i], p->len[i]) != 0) return false;
        name += p->len[i];
        if (i < depth && *name++ != '.') return false;
    }
    return depth > 0 && !*name;
}

/* Line of the last key that spells `name` (the repeated one, where a name is set twice); 0 when it is not there. The
 * text has been parsed before, so it is well-formed. */
static size_t key_line(const struct config *c, const char *name) {
    struct key_path p = {{0}, {0}};
    size_t line = 1, found = 0;
    int depth = 0;
    for (size_t i = 0; i < c->len; i++) {
        const char ch = c->text[i];
        if (ch == '\n') line++;
        if (ch == '{' || ch == '[') {
            if (++depth <= KEY_DEPTH) p.key[depth] = NULL;
        } else if (ch == '}' || ch == ']') {
            depth--;
        } else if (ch == '"') {
            const size_t start = ++i;
            while (i < c->len && c->text[i] != '"') i += c->text[i] == '\\' ? 2 : 1;
            size_t next = i + 1;
            while (next < c->len && strchr(" \t\r\n", c->text[next])) next++;
            if (next >= c->len || c->text[next] != ':' || depth < 1 || depth > KEY_DEPTH) continue;
            p.key[depth] = c->text + start;
            p.len[depth] = i - start;
            if (path_is(&p, depth, name)) found = line;
        }
    }
    return found;
}

/* "FILE:LINE: MESSAGE", with the option's name in quotes where the message starts with it. */
static bool fail_key(const struct config *c, const char *name, const char *message, struct err *e) {
    const size_t n = strlen(name);
    char text[sizeof e->msg];
    if (strncmp(message, name, n) == 0 && message[n] == ':')
        snprintf(text, sizeof text, "\"%.200s\"%s", name, message + n);
    else
        snprintf(text, sizeof text, "\"%.200s\": %s", name, message);
    const size_t line = c->is_file ? key_line(c, name) : 0;
    if (line) return err_set(e, "%s:%zu: %s", c->where, line, text);
    return err_set(e, "%s: %s", c->where, text);
}

/* The message of option_set names the unknown option again; here the name already stands in front. */
static bool fail_unknown_key(const struct config *c, const char *name, const char *message, struct err *e) {
    char text[sizeof e->msg];
    const char *hint = strstr(message, " (did you mean");
    snprintf(text, sizeof text, "unknown option%.300s", hint ? hint : "");
    return fail_key(c, name, text, e);
}

/* ---- values ---- */

static const char *wanted_type(const struct option_info *info) {
    return info->type == OPTION_INT || info->type == OPTION_REAL ? "number" : "string";
}

static bool set_number(struct config *c, const struct option_info *info, double v, struct err *e) {
    char text[40];
    for (int digits = 6; digits <= 17; digits++) { /* short where that is exact, for the message */
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    return option_set(&c->o, info->name, text, e);
}

/* Each path of a list, beside the file. */
static bool set_path_list(struct config *c, const struct option_info *info, const char *text, struct err *e) {
    struct strbuf b = {0};
    char item[OPTION_TEXT_MAX];
    for (int i = 0; option_list_item(text, i, item, sizeof item); i++) {
        char *path = path_beside(c->where, item);
        strbuf_printf(&b, "%s%s", i ? "," : "", path);
        free(path);
    }
    const bool ok = option_set(&c->o, info->name, strbuf_str(&b), e);
    strbuf_free(&b);
    return ok;
}

static bool set_text(struct config *c, const struct option_info *info, const char *text, struct err *e) {
    if (c->is_file && info->file == OPTION_FILES) return set_path_list(c, info, text, e);
    if (!c->is_file || !*text || info->file == OPTION_NO_FILE) return option_set(&c->o, info->name, text, e);
    char *path = path_beside(c->where, text);
    const bool ok = option_set(&c->o, info->name, path, e);
    free(path);
    return ok;
}

static bool set_leaf(struct config *c, const char *name, const cJSON *v, struct err *e) {
    struct err inner;
    const struct option_info *info = option_find(name);
    if (!info) {
        option_set(&c->o, name, "", &inner);
        return fail_unknown_key(c, name, inner.msg, e);
    }
    const char *type = wanted_type(info);
    if (strcmp(json_type_name(v), type) != 0) {
        char text[100];
        snprintf(text, sizeof text, "must be a %s, found %s", type, json_type_name(v));
        return fail_key(c, name, text, e);
    }
    if (c->seen[option_index(info)]) return fail_key(c, name, "is set twice", e);
    c->seen[option_index(info)] = true;
    const bool ok =
        cJSON_IsNumber(v) ? set_number(c, info, v->valuedouble, &inner) : set_text(c, info, v->valuestring, &inner);
    return ok || fail_key(c, name, inner.msg, e);
}

static bool is_group(const char *name) {
    const size_t n = strlen(name);
    for (int i = 0; i < N_OPTIONS; i++)
        if (strncmp(OPTIONS[i].name, name, n) == 0 && OPTIONS[i].name[n] == '.') return true;
    return false;
}

/* `prefix` is the dotted name of obj, "" at the top. Depth is bounded by the length of names and by json_parse. */
static bool walk(struct config *c, const char *prefix, const cJSON *obj, struct err *e) {
    for (const cJSON *v = obj->child; v; v = v->next) {
        char name[NAME_MAX_BYTES];
        const int n = snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", v->string);
        if (n < 0 || n >= (int)sizeof name) return err_set(e, "%s: unknown option \"%.80s...\"", c->where, name);
        const bool ok = cJSON_IsObject(v) && !option_find(name) && (v->child || is_group(name))
                            ? walk(c, name, v, e)
                            : set_leaf(c, name, v, e);
        if (!ok) return false;
    }
    return true;
}

static bool read_config(struct config *c, struct options *o, struct err *e) {
    cJSON *root = json_parse(c->text, c->len, c->where, e);
    if (!root) return false;
    bool ok = false;
    if (!cJSON_IsObject(root)) {
        err_set(e, "%s: must be an object of options, found %s", c->where, json_type_name(root));
    } else {
        c->o = *o;
        c->seen = mem_small((size_t)N_OPTIONS * sizeof *c->seen);
        ok = walk(c, "", root, e);
        free(c->seen);
        if (ok) *o = c->o;
    }
    cJSON_Delete(root);
    return ok;
}

/* struct options is some kilobytes: the working copy lives on the heap */
static bool read_text(struct options *o, const char *text, size_t len, const char *where, bool is_file, struct err *e) {
    struct config *c = mem_small(sizeof *c);
    c->text = text;
    c->len = len;
    c->where = where;
    c->is_file = is_file;
    const bool ok = read_config(c, o, e);
    free(c);
    return ok;
}

bool options_load(struct options *o, const char *path, struct err *e) {
    char *text;
    size_t len;
    if (!file_read_all(path, MAX_CONFIG, &text, &len, e)) return false;
    const bool ok = read_text(o, text, len, path, true, e);
    mem_free(text);
    return ok;
}

bool options_from_json(struct options *o, const char *json, const char *where, struct err *e) {
    return read_text(o, json, strlen(json), where, false, e);
}

char *options_to_json(const struct options *o, bool only_changed) {
    struct options *def = mem_small(sizeof *def);
    options_default(def);
    struct strbuf b = {0};
    for (int i = 0; i < N_OPTIONS; i++) {
        const struct option_info *info = &OPTIONS[i];
        char value[OPTION_TEXT_MAX], def_value[OPTION_TEXT_MAX];
        option_format(o, info, value, sizeof value);
        option_format(def, info, def_value, sizeof def_value);
        if (only_changed && strcmp(value, def_value) == 0) continue;
        strbuf_printf(&b, "%s\"%s\": ", b.len ? ",\n  " : "{\n  ", info->name);
        if (info->type == OPTION_INT || info->type == OPTION_REAL)
            strbuf_puts(&b, value);
        else
            json_append_string(&b, value);
    }
    strbuf_puts(&b, b.len ? "\n}\n" : "{}\n");
    free(def);
    return strbuf_take(&b);
}
