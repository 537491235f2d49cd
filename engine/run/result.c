/* What a run says at its end: one line of JSON that scripts and studies read. Most of it are metrics, each at the path of
 * its row in metrics.def; figures that were not measured are null. The order of the fields is kept: objects stand where
 * they always stood, and a new field comes to the end of its object. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/run/session_private.h"

/* Short and the same everywhere: six digits. */
static bool add_real(cJSON *to, const char *key, double v) {
    char text[40] = "null";
    if (isfinite(v)) snprintf(text, sizeof text, "%.6g", v);
    return cJSON_AddRawToObject(to, key, text);
}

/* At a dotted path, in objects that are made on the way. */
static bool add_at(cJSON *to, const char *path, double v) {
    char key[40];
    for (const char *dot; to && (dot = strchr(path, '.')); path = dot + 1) {
        snprintf(key, sizeof key, "%.*s", (int)(dot - path), path);
        cJSON *inner = cJSON_GetObjectItemCaseSensitive(to, key);
        to = inner ? inner : cJSON_AddObjectToObject(to, key);
    }
    return to && add_real(to, path, v);
}

static bool add_metrics(cJSON *root, const struct game *g) {
    for (int i = 0; i < N_METRICS; i++)
        if (METRICS[i].result && !add_at(root, METRICS[i].result, game_metric_value(g, (enum metric_id)i)))
            return false;
    return true;
}

/* What the confidence set allows the gap to be, in scope head: the certified extremes, else null. */
static bool add_gap_set(cJSON *gap, const struct gap_set *s) {
    static const char *const KEYS[] = {"min", "max", "beta", "kkt", "duality_gap"};
    const double v[] = {s->min, s->max, s->beta, s->kkt, s->duality_gap};
    if (!isfinite(s->max)) return cJSON_AddNullToObject(gap, "set");
    cJSON *set = cJSON_AddObjectToObject(gap, "set");
    bool ok = set != NULL;
    for (size_t i = 0; ok && i < sizeof v / sizeof *v; i++) ok = add_real(set, KEYS[i], v[i]);
    return ok && cJSON_AddBoolToObject(set, "active", s->active != 0);
}

/* Seconds of this session by phase, those that took any. */
static bool add_phases(cJSON *root, const struct session *s) {
    cJSON *phases = cJSON_AddObjectToObject(root, "phase_seconds");
    bool ok = phases != NULL;
    for (int i = 0; ok && i < N_PHASES; i++)
        if (s->phase_seconds[i] > 0) ok = add_real(phases, run_phase_name((enum run_phase)i), s->phase_seconds[i]);
    return ok;
}

static bool add_all(cJSON *root, const struct session *s) {
    const struct game *g = &s->game;
    const double seconds = s->draft->elapsed_seconds;
    const bool whole = g->st.phase == PHASE_END || g->st.iteration == 0; /* an iteration under way does not count */
    char hash[24];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)game_weights_hash(g));
    const bool ok = cJSON_AddNumberToObject(root, "iterations", (double)(g->st.iteration - !whole)) &&
                    cJSON_AddObjectToObject(root, "reward") && cJSON_AddObjectToObject(root, "gap") &&
                    add_metrics(root, g) &&
                    add_gap_set(cJSON_GetObjectItemCaseSensitive(root, "gap"), &g->evaluation.gap_set);
    return ok && cJSON_AddNumberToObject(root, "pairs", g->corpus.dpref.n) &&
           cJSON_AddNumberToObject(root, "labels_human", g->corpus.dpref.n_by_source[SOURCE_HUMAN]) &&
           add_real(root, "seconds", seconds) &&
           add_real(root, "tokens_per_second", seconds > 0 ? g->st.tokens / seconds : 0) && add_phases(root, s) &&
           cJSON_AddStringToObject(root, "weights_hash", hash);
}

char *result_json(const struct session *s) {
    if (!s->game_is_open) return NULL;
    cJSON *root = cJSON_CreateObject();
    char *text = root && add_all(root, s) ? cJSON_PrintUnformatted(root) : NULL;
    char *out = text ? mem_strdup(text) : NULL;
    cJSON_free(text);
    cJSON_Delete(root);
    return out;
}
