/* Options from and to JSON: config files written by people (nested or flat, errors with file and line), and the text stored in run.db. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/mem.h"
#include "engine/base/strbuf.h"
#include "engine/run/option.h"

/* Where messages about a key point: the file and, when its text is at hand, the line of the key. */
struct source {
    const char *name, *text;
};

static int line_of(const struct source *s, const char *key) {
    char quoted[128];
    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    const char *at = s->text ? strstr(s->text, quoted) : NULL;
    int line = at ? 1 : 0;
    for (const char *p = s->text; at && p < at; p++) line += *p == '\n';
    return line;
}

static bool blame(const struct source *s, const char *key, struct err *e) {
    const int line = line_of(s, key);
    return line ? err_wrap(e, "%s:%d", s->name, line) : err_wrap(e, "%s", s->name);
}

static bool is_path(const char *name) {
    const size_t n = strlen(name);
    return (n > 6 && strcmp(name + n - 6, ".model") == 0) || strcmp(name, "prompts.train") == 0 || strcmp(name, "prompts.heldout") == 0 ||
           strcmp(name, "prompts.recorded") == 0;
}

static bool set_from_json(struct options *o, const char *name, const cJSON *v, const char *beside, struct err *e) {
    const struct option_info *info = option_find(name);
    char number[40];
    if (!info) return option_set(o, name, "", e); /* says unknown, with the nearest name */
    const bool wants_text = info->type == OPTION_TEXT || info->type == OPTION_ENUM;
    if (wants_text ? !cJSON_IsString(v) : !cJSON_IsNumber(v))
        return err_set(e, "%s: expected a %s, found %s", name, wants_text ? "string" : "number", json_type_name(v));
    if (!wants_text) {
        snprintf(number, sizeof number, "%.17g", v->valuedouble);
        return option_set(o, name, number, e);
    }
    if (!beside || !is_path(name) || !v->valuestring[0]) return option_set(o, name, v->valuestring, e);
    char *path = path_beside(beside, v->valuestring);
    const bool ok = option_set(o, name, path, e);
    free(path);
    return ok;
}

static bool read_object(struct options *o, const cJSON *obj, const char *prefix, const struct source *s, const char *beside, struct err *e) {
    for (const cJSON *v = obj->child; v; v = v->next) {
        char name[160];
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", v->string);
        if (cJSON_IsObject(v) && !*prefix) {
            if (!read_object(o, v, name, s, beside, e)) return false;
        } else if (!set_from_json(o, name, v, beside, e)) {
            return blame(s, v->string, e);
        }
    }
    return true;
}

bool options_load(struct options *o, const char *path, struct err *e) {
    char *text = NULL;
    size_t len = 0;
    if (!file_read_all(path, 1 << 20, &text, &len, e)) return false;
    cJSON *root = json_parse(text, len, path, e);
    const struct source s = {path, text};
    struct options *copy = mem_small(sizeof *copy);
    *copy = *o;
    bool ok = root != NULL;
    if (ok && !cJSON_IsObject(root)) ok = err_set(e, "%s: expected an object, found %s", path, json_type_name(root));
    ok = ok && read_object(copy, root, "", &s, path, e);
    if (ok) *o = *copy;
    free(copy);
    cJSON_Delete(root);
    mem_free(text);
    return ok;
}

char *options_to_json(const struct options *o, bool only_changed) {
    struct options *def = mem_small(sizeof *def);
    options_default(def);
    cJSON *root = cJSON_CreateObject();
    for (int i = 0; i < N_OPTIONS; i++) {
        char value[OPTION_TEXT_MAX], standard[OPTION_TEXT_MAX];
        option_format(o, &OPTIONS[i], value, sizeof value);
        option_format(def, &OPTIONS[i], standard, sizeof standard);
        if (only_changed && strcmp(value, standard) == 0) continue;
        const bool text = OPTIONS[i].type == OPTION_TEXT || OPTIONS[i].type == OPTION_ENUM;
        cJSON_AddItemToObject(root, OPTIONS[i].name, text ? cJSON_CreateString(value) : cJSON_CreateRaw(value));
    }
    char *json = cJSON_Print(root);
    cJSON_Delete(root);
    free(def);
    return json;
}

bool options_from_json(struct options *o, const char *json, const char *where, struct err *e) {
    cJSON *root = json_parse(json, strlen(json), where, e);
    const struct source s = {where, NULL};
    bool ok = root != NULL;
    if (ok && !cJSON_IsObject(root)) ok = err_set(e, "%s: expected an object, found %s", where, json_type_name(root));
    ok = ok && read_object(o, root, "", &s, NULL, e);
    cJSON_Delete(root);
    return ok;
}
