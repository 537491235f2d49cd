/* Labels from a file: see label_file.h. Strict, because a label read the wrong way round teaches the opposite. */
#include "engine/pref/label_file.h"

#include <math.h>
#include <string.h>

#include "engine/base/json.h"

enum { ANNOTATOR_MAX = 63 };

struct reader {
    bool (*row)(void *ctx, const struct file_label *label, const char *where, struct err *e);
    void *ctx;
    int n;
};

static const cJSON *field(const cJSON *obj, const char *key) { return cJSON_GetObjectItemCaseSensitive(obj, key); }

static bool read_preference(const cJSON *obj, const char *where, double *o, struct err *e) {
    static const struct {
        const char *word;
        double o;
    } WORDS[] = {{"a", 1.0}, {"A", 1.0}, {"b", 0.0}, {"B", 0.0}, {"tie", 0.5}};
    const cJSON *v = field(obj, "preference");
    if (!v) return err_set(e, "%s: \"preference\" is missing", where);
    if (cJSON_IsNumber(v) && v->valuedouble >= 0.0 && v->valuedouble <= 1.0) {
        *o = v->valuedouble;
        return true;
    }
    for (size_t i = 0; cJSON_IsString(v) && i < sizeof WORDS / sizeof WORDS[0]; i++) {
        if (strcmp(v->valuestring, WORDS[i].word) != 0) continue;
        *o = WORDS[i].o;
        return true;
    }
    const char *expected =
        "\"preference\" must be \"a\", \"b\", \"tie\", or the probability from 0 to 1 that response_a is preferred";
    if (cJSON_IsString(v)) return err_set(e, "%s: %s, found \"%.60s\"", where, expected, v->valuestring);
    if (cJSON_IsNumber(v)) return err_set(e, "%s: %s, found %g", where, expected, v->valuedouble);
    return err_set(e, "%s: %s, found %s", where, expected, json_type_name(v));
}

static bool read_responses(const cJSON *obj, const char *where, struct file_label *l, struct err *e) {
    const bool ranked = field(obj, "chosen") || field(obj, "rejected");
    const bool compared = field(obj, "response_a") || field(obj, "response_b") || field(obj, "preference");
    if (ranked == compared)
        return err_set(e,
                       "%s: expected either \"chosen\" and \"rejected\", or \"response_a\", \"response_b\" and "
                       "\"preference\", found %s",
                       where, ranked ? "fields of both" : "neither");
    l->o = 1.0;
    if (ranked)
        return json_get_string(obj, "chosen", where, &l->response[0], e) &&
               json_get_string(obj, "rejected", where, &l->response[1], e);
    return json_get_string(obj, "response_a", where, &l->response[0], e) &&
           json_get_string(obj, "response_b", where, &l->response[1], e) && read_preference(obj, where, &l->o, e);
}

/* "strength" and "annotator": null is as good as missing. */
static bool read_rest(const cJSON *obj, const char *where, struct file_label *l, struct err *e) {
    const cJSON *strength = field(obj, "strength"), *annotator = field(obj, "annotator");
    l->strength = 1.0;
    if (strength && !cJSON_IsNull(strength)) {
        if (!json_get_number(obj, "strength", where, &l->strength, e)) return false;
        if (!(l->strength >= 0.0 && isfinite(l->strength)))
            return err_set(e, "%s: \"strength\" must be 0 or more, found %g", where, l->strength);
    }
    if (annotator && !cJSON_IsNull(annotator)) {
        if (!json_get_string(obj, "annotator", where, &l->annotator, e)) return false;
        if (strlen(l->annotator) > ANNOTATOR_MAX)
            return err_set(e, "%s: \"annotator\" must have at most %d bytes, found %zu", where, ANNOTATOR_MAX,
                           strlen(l->annotator));
    }
    return true;
}

static bool read_row(void *ctx, const cJSON *obj, const char *where, struct err *e) {
    struct reader *r = ctx;
    struct file_label l = {0};
    if (!json_get_string(obj, "prompt", where, &l.prompt, e)) return false;
    if (!l.prompt[0]) return err_set(e, "%s: \"prompt\" is empty", where);
    if (!read_responses(obj, where, &l, e) || !read_rest(obj, where, &l, e)) return false;
    r->n++;
    return !r->row || r->row(r->ctx, &l, where, e);
}

bool label_file_each(const char *path,
                     bool (*row)(void *ctx, const struct file_label *label, const char *where, struct err *e),
                     void *ctx, struct err *e) {
    struct reader r = {row, ctx, 0};
    return jsonl_each(path, read_row, &r, e) && (r.n > 0 || err_set(e, "%s: holds no labels", path));
}
