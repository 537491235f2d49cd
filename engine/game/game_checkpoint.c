/* The game as arrays and JSON, and back: what a checkpoint holds. Everything that a later micro-step reads is either
 * here, in the options, or in run.db. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/json.h"
#include "engine/base/mem.h"
#include "engine/game/game_private.h"
#include "engine/game/adversary/head_set.h"

static void add_file(struct game_arrays *a, const char *name, const struct st_array *array, int n) {
    a->name[a->n_files] = name;
    a->n[a->n_files] = n;
    a->array[a->n_files] = mem_small((size_t)n * sizeof *array);
    memcpy(a->array[a->n_files++], array, (size_t)n * sizeof *array);
}

static void add_trainee(struct game_arrays *a, const char *name, struct trainee *t) {
    if (!t->model) return;
    const struct st_array array[] = {{"params", t->model->params, t->model->n_params},
                                     {"adam_m", t->opt.m, t->opt.n},
                                     {"adam_v", t->opt.v, t->opt.n}};
    add_file(a, name, array, 3);
}

void game_arrays(struct game *g, struct game_arrays *a) {
    *a = (struct game_arrays){0};
    add_trainee(a, "student", &g->student);
    add_trainee(a, "fitted", &g->fitted.t);
    add_trainee(a, "adversary", &g->adversary.t);
    add_trainee(a, "held", &g->held.t);
    if (g->head) add_file(a, "head", &(struct st_array){"state", g->head->scope.state, g->head->scope.n_state}, 1);
    add_file(a, "reference", &(struct st_array){"params", g->reference->params, g->reference->n_params}, 1);
}

void game_arrays_free(struct game_arrays *a) {
    for (int i = 0; i < a->n_files; i++) free(a->array[i]);
    *a = (struct game_arrays){0};
}

static cJSON *reals(const double *x, int n) {
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < n; i++) {
        char text[40];
        snprintf(text, sizeof text, "%a", x[i]);
        cJSON_AddItemToArray(list, cJSON_CreateString(text));
    }
    return list;
}

static bool read_reals(const cJSON *obj, const char *key, double *x, int n, struct err *e) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(obj, key);
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) != n)
        return err_set(e, "checkpoint: \"%s\" must be an array of %d values", key, n);
    int i = 0;
    for (const cJSON *v = list->child; v; v = v->next) {
        if (!cJSON_IsString(v)) return err_set(e, "checkpoint: \"%s\" must hold strings", key);
        x[i++] = strtod(v->valuestring, NULL);
    }
    return true;
}

char *game_state_json(const struct game *g) {
    char *fields = game_state_to_json(&g->st);
    cJSON *root = cJSON_CreateObject();
    cJSON_AddItemToObject(root, "state", cJSON_Parse(fields));
    free(fields);
    const double steps[4] = {(double)g->student.opt.step, (double)g->fitted.t.opt.step, (double)g->adversary.t.opt.step,
                             (double)g->held.t.opt.step};
    cJSON_AddItemToObject(root, "adam_steps", reals(steps, 4));
    cJSON_AddItemToObject(root, "gap_worst", reals(g->gap_worst, g->n_gap_prompts));
    cJSON_AddItemToObject(root, "gap_fitted", reals(g->gap_fitted, g->n_gap_prompts));
    cJSON_AddItemToObject(root, "gap_held", reals(g->gap_held, g->n_gap_prompts));
    cJSON_AddItemToObject(root, "right_student", reals(g->right_student, g->n_eval_prompts));
    cJSON_AddItemToObject(root, "right_teacher", reals(g->right_teacher, g->n_eval_prompts));
    double fresh[GAME_FRESH_LABELS] = {0};
    for (int i = 0; i < g->n_fresh; i++) fresh[i] = (double)g->fresh[i];
    cJSON_AddItemToObject(root, "fresh", reals(fresh, g->n_fresh));
    cJSON_AddItemToObject(root, "history", signature_history_to_json(&g->watch.history));
    cJSON_AddItemToObject(root, "alerts", signature_alerts_to_json(&g->watch.alerts));
    cJSON_AddItemToObject(root, "gap_set", gap_set_to_json(&g->gap_set));
    if (g->head) {
        cJSON_AddItemToObject(root, "head_w", reals(g->head->w, g->head->n_features));
        cJSON_AddItemToObject(root, "head_gap_sum", reals(g->head->gap_sum, g->head->n_features));
    }
    cJSON_AddItemToObject(root, "diagnostics", diagnostics_to_json(&g->diagnostics));
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}

/* A model that this algorithm does not have is not looked for. */
static bool read_trainee(struct trainee *t, const char *folder, const char *name, struct err *e) {
    char path[4200];
    if (!t->model) return true;
    snprintf(path, sizeof path, "%s/%s.safetensors", folder, name);
    struct st_file *f = st_open(path, e);
    if (!f) return false;
    const bool ok = st_read_f32(f, "params", t->model->params, t->model->n_params, e) &&
                    st_read_f32(f, "adam_m", t->opt.m, t->opt.n, e) && st_read_f32(f, "adam_v", t->opt.v, t->opt.n, e);
    st_close(f);
    return ok;
}

static bool read_array(const char *folder, const char *name, const char *array, float *out, size_t n, struct err *e) {
    char path[4200];
    snprintf(path, sizeof path, "%s/%s.safetensors", folder, name);
    struct st_file *f = st_open(path, e);
    if (!f) return false;
    const bool ok = st_read_f32(f, array, out, n, e);
    st_close(f);
    return ok;
}

/* The basis and the weights; features and set are made again when they are needed. */
static bool read_head(struct game *g, const char *folder, struct err *e) {
    struct head_set *h = g->head;
    if (!h) return true;
    h->n_pairs = 0;
    return read_array(folder, "head", "state", h->scope.state, h->scope.n_state, e) &&
           head_scope_attach(&h->scope, g->fitted.t.model, e);
}

static bool read_state(struct game *g, const cJSON *root, struct err *e) {
    double steps[4], fresh[GAME_FRESH_LABELS];
    char *fields = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(root, "state"));
    bool ok =
        fields ? game_state_from_json(&g->st, fields, "checkpoint", e) : err_set(e, "checkpoint: \"state\" is missing");
    free(fields);
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "fresh");
    g->n_fresh = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    ok = ok && (g->n_fresh <= GAME_FRESH_LABELS || err_set(e, "checkpoint: too many fresh labels"));
    ok = ok && read_reals(root, "fresh", fresh, g->n_fresh, e) && read_reals(root, "adam_steps", steps, 4, e) &&
         read_reals(root, "gap_worst", g->gap_worst, g->n_gap_prompts, e) &&
         read_reals(root, "gap_fitted", g->gap_fitted, g->n_gap_prompts, e) &&
         read_reals(root, "gap_held", g->gap_held, g->n_gap_prompts, e) &&
         read_reals(root, "right_student", g->right_student, g->n_eval_prompts, e) &&
         read_reals(root, "right_teacher", g->right_teacher, g->n_eval_prompts, e) &&
         signature_history_from_json(&g->watch.history, cJSON_GetObjectItemCaseSensitive(root, "history"), "checkpoint",
                                     e) &&
         signature_alerts_from_json(&g->watch.alerts, cJSON_GetObjectItemCaseSensitive(root, "alerts"), "checkpoint",
                                    e) &&
         gap_set_from_json(&g->gap_set, cJSON_GetObjectItemCaseSensitive(root, "gap_set"), "checkpoint", e) &&
         (!g->head || (read_reals(root, "head_w", g->head->w, g->head->n_features, e) &&
                       read_reals(root, "head_gap_sum", g->head->gap_sum, g->head->n_features, e))) &&
         diagnostics_from_json(&g->diagnostics, cJSON_GetObjectItemCaseSensitive(root, "diagnostics"), "checkpoint", e);
    if (!ok) return false;
    for (int i = 0; i < g->n_fresh; i++) g->fresh[i] = (int64_t)fresh[i];
    g->student.opt.step = (int64_t)steps[0];
    g->fitted.t.opt.step = (int64_t)steps[1];
    g->adversary.t.opt.step = (int64_t)steps[2];
    g->held.t.opt.step = (int64_t)steps[3];
    return true;
}

bool game_restore(struct game *g, const char *folder, const char *state_json, struct err *e) {
    cJSON *root = json_parse(state_json, strlen(state_json), "checkpoint", e);
    if (!root) return false;
    const bool ok = read_state(g, root, e);
    cJSON_Delete(root);
    if (!ok || !read_trainee(&g->student, folder, "student", e) || !read_trainee(&g->fitted.t, folder, "fitted", e) ||
        !read_trainee(&g->adversary.t, folder, "adversary", e) || !read_trainee(&g->held.t, folder, "held", e) ||
        !read_array(folder, "reference", "params", g->reference->params, g->reference->n_params, e) ||
        !read_head(g, folder, e))
        return false;
    /* rows of tick T were made by the micro-step that began at T; the checkpoint stands before it */
    const int64_t last = g->st.tick - 1;
    if (!dpref_load(&g->dpref, g->db, e) || !dpref_truncate_after(&g->dpref, last, e)) return false;
    game_pairs_changed(g);
    watch_restore(g);
    return outputs_load(&g->outputs, g->db, last, g->tok, g->chat, g->o->max_new_tokens, e);
}
