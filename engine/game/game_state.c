/* The game's state as JSON: see game_state.h. */
#include "engine/game/game_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/json.h"
#include "engine/base/strbuf.h"

void game_state_init(struct game_state *s) {
#define STATE_INT(name) s->name = 0;
#define STATE_REAL(name) s->name = strncmp(#name, "sum_", 4) == 0 ? 0.0 : (double)NAN;
    GAME_STATE_TABLE(STATE_INT, STATE_REAL)
#undef STATE_INT
#undef STATE_REAL
    for (int i = 0; i < N_METRICS; i++) s->metric[i] = (double)NAN;
    s->regret = s->seconds = s->tokens = s->slack = 0;
    s->phase = PHASE_EVALUATE_START;
}

char *game_state_to_json(const struct game_state *s) {
    struct strbuf b = {0};
    strbuf_putc(&b, '{');
#define STATE_INT(name) strbuf_printf(&b, "\"" #name "\":\"%" PRId64 "\",", s->name);
#define STATE_REAL(name) strbuf_printf(&b, "\"" #name "\":\"%a\",", s->name);
    GAME_STATE_TABLE(STATE_INT, STATE_REAL)
#undef STATE_INT
#undef STATE_REAL
    for (int i = 0; i < N_METRICS; i++) strbuf_printf(&b, "\"metric.%s\":\"%a\",", METRICS[i].name, s->metric[i]);
    b.s[b.len - 1] = '}';
    return strbuf_take(&b);
}

static bool read_field(const cJSON *obj, const char *name, const char *where, const char **text, struct err *e) {
    return json_get_string(obj, name, where, text, e);
}

/* What a checkpoint of an older program calls figures that are not measured again before they are used. */
static const char *old_name(enum metric_id id) {
    switch (id) {
    case METRIC_RM_HELDOUT: return "rm_heldout"; /* the gate decides by it */
    case METRIC_RM_HELDOUT_FIRST: return "rm_heldout_first";
    case METRIC_RM_LENGTH: return "rm_length";
    case METRIC_RM_NEWEST: return "rm_newest";
    case METRIC_ACCURACY_START: return "accuracy_before";
    case METRIC_TEACHER_ACCURACY: return "accuracy_teacher";
    default: return "";
    }
}

static bool read_metric(struct game_state *s, enum metric_id id, const cJSON *obj, const char *where, struct err *e) {
    char key[80];
    const char *text;
    char *end;
    s->metric[id] = (double)NAN;
    snprintf(key, sizeof key, "metric.%s", METRICS[id].name);
    if (!cJSON_HasObjectItem(obj, key)) snprintf(key, sizeof key, "%s", old_name(id));
    if (!key[0] || !cJSON_HasObjectItem(obj, key)) return true;
    if (!read_field(obj, key, where, &text, e)) return false;
    s->metric[id] = strtod(text, &end);
    return (!*end && end != text) || err_set(e, "%s: \"%s\" must hold a real, found \"%s\"", where, key, text);
}

bool game_state_from_json(struct game_state *s, const char *json, const char *where, struct err *e) {
    cJSON *obj = json_parse(json, strlen(json), where, e);
    if (!obj) return false;
    bool ok = cJSON_IsObject(obj) || err_set(e, "%s: expected an object, found %s", where, json_type_name(obj));
    const char *text;
    char *end;
#define STATE_INT(name)                                                                                                \
    if (ok && (ok = read_field(obj, #name, where, &text, e))) {                                                        \
        s->name = strtoll(text, &end, 10);                                                                             \
        if (*end || end == text) ok = err_set(e, "%s: \"" #name "\" must hold an integer, found \"%s\"", where, text); \
    }
#define STATE_REAL(name)                                                                                               \
    if (ok && (ok = read_field(obj, #name, where, &text, e))) {                                                        \
        s->name = strtod(text, &end);                                                                                  \
        if (*end || end == text) ok = err_set(e, "%s: \"" #name "\" must hold a real, found \"%s\"", where, text);     \
    }
    GAME_STATE_TABLE(STATE_INT, STATE_REAL)
#undef STATE_INT
#undef STATE_REAL
    for (int i = 0; ok && i < N_METRICS; i++) ok = read_metric(s, (enum metric_id)i, obj, where, e);
    if (ok && (s->phase < 0 || s->phase >= N_PHASES)) ok = err_set(e, "%s: \"phase\" is out of range", where);
    cJSON_Delete(obj);
    return ok;
}
