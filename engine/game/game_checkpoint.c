/* The game as arrays and JSON, and back: what a checkpoint holds. Everything that a later micro-step reads is either
 * here, in the options, or in run.db. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/json.h"
#include "engine/game/figures.h"
#include "engine/game/game.h"
#include "engine/game/pairs.h"
#include "engine/game/trainees.h"

/* ---- arrays ---- */

static void add_trainee(struct game_arrays *a, const struct game_trainee *g) {
    const struct trainee *t = g->t;
    if (!t) return;
    const struct st_array array[] = {{"params", t->model->params, t->model->n_params},
                                     {"adam_m", t->opt.m, t->opt.n},
                                     {"adam_v", t->opt.v, t->opt.n}};
    game_arrays_add(a, g->name, array, 3);
}

void game_arrays(struct game *g, struct game_arrays *a) {
    struct game_trainee list[N_TRAINEES];
    const struct model *reference = g->players.reference;
    *a = (struct game_arrays){0};
    game_trainees(g, list);
    for (int i = 0; i < N_TRAINEES; i++) add_trainee(a, &list[i]);
    if (g->adversary.ops && g->adversary.ops->save_arrays) g->adversary.ops->save_arrays(g, a);
    game_arrays_add(a, "reference", &(struct st_array){"params", reference->params, reference->n_params}, 1);
}

/* A model that this algorithm does not have is not looked for. */
static bool read_trainee(const struct game_trainee *g, const char *folder, struct err *e) {
    char path[4200];
    struct trainee *t = g->t;
    if (!t) return true;
    snprintf(path, sizeof path, "%s/%s.safetensors", folder, g->name);
    struct st_file *f = st_open(path, e);
    if (!f) return false;
    const bool ok = st_read_f32(f, "params", t->model->params, t->model->n_params, e) &&
                    st_read_f32(f, "adam_m", t->opt.m, t->opt.n, e) && st_read_f32(f, "adam_v", t->opt.v, t->opt.n, e);
    st_close(f);
    return ok;
}

static bool read_arrays(struct game *g, const char *folder, struct err *e) {
    struct game_trainee list[N_TRAINEES];
    const struct model *reference = g->players.reference;
    game_trainees(g, list);
    for (int i = 0; i < N_TRAINEES; i++)
        if (!read_trainee(&list[i], folder, e)) return false;
    return checkpoint_array(folder, "reference", "params", reference->params, reference->n_params, e);
}

/* ---- state ---- */

/* Lists of reals of one length, by name: the same rows write and read them. */
struct figures {
    const char *key;
    double *x;
    int n;
};
enum { N_FIGURES = 5 };

static void figures_of(const struct game *g, struct figures list[N_FIGURES]) {
    const struct evaluation *v = &g->evaluation;
    list[0] = (struct figures){"gap_worst", v->gap_worst, v->n_gap_prompts};
    list[1] = (struct figures){"gap_fitted", v->gap_fitted, v->n_gap_prompts};
    list[2] = (struct figures){"gap_held", v->gap_held, v->n_gap_prompts};
    list[3] = (struct figures){"right_student", v->right_student, v->n_eval_prompts};
    list[4] = (struct figures){"right_teacher", v->right_teacher, v->n_eval_prompts};
}

/* NULL when memory ran out on the way (json_put). */
static cJSON *state_tree(struct game *g) {
    const struct adversary_ops *adversary = g->adversary.ops;
    struct game_trainee list[N_TRAINEES];
    struct figures figures[N_FIGURES];
    double steps[N_TRAINEES], fresh[PAIR_FRESH_LABELS] = {0};
    cJSON *root = cJSON_CreateObject();
    char *fields = game_state_to_json(&g->st);
    json_put(&root, "state", cJSON_Parse(fields));
    free(fields);
    game_trainees(g, list);
    figures_of(g, figures);
    for (int i = 0; i < N_TRAINEES; i++) steps[i] = list[i].t ? (double)list[i].t->opt.step : 0.0;
    for (int i = 0; i < g->sampler.n_fresh; i++) fresh[i] = (double)g->sampler.fresh[i];
    json_put(&root, "adam_steps", json_reals(steps, N_TRAINEES));
    for (int i = 0; i < N_FIGURES; i++) json_put(&root, figures[i].key, json_reals(figures[i].x, figures[i].n));
    json_put(&root, "fresh", json_reals(fresh, g->sampler.n_fresh));
    json_put(&root, "history", signature_history_to_json(&g->watch.history));
    json_put(&root, "alerts", signature_alerts_to_json(&g->watch.alerts));
    json_put(&root, "gap_set", gap_set_to_json(&g->evaluation.gap_set));
    if (adversary && adversary->save_state) adversary->save_state(g, &root);
    json_put(&root, "diagnostics", diagnostics_to_json(&g->rewards.diagnostics));
    return root;
}

char *game_state_json(struct game *g, struct err *e) {
    cJSON *root = state_tree(g);
    char *text = root ? cJSON_PrintUnformatted(root) : NULL;
    cJSON_Delete(root);
    if (!text) err_set(e, "checkpoint: not enough memory to write the game's state");
    return text;
}

static bool read_fresh(struct game *g, const cJSON *root, struct err *e) {
    double fresh[PAIR_FRESH_LABELS];
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "fresh");
    const int n = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    if (n > PAIR_FRESH_LABELS) return err_set(e, "checkpoint: too many fresh labels");
    if (!checkpoint_reals(root, "fresh", fresh, n, e)) return false;
    g->sampler.n_fresh = n;
    for (int i = 0; i < n; i++) g->sampler.fresh[i] = (int64_t)fresh[i];
    return true;
}

static bool read_steps(struct game *g, const cJSON *root, struct err *e) {
    struct game_trainee list[N_TRAINEES];
    double steps[N_TRAINEES];
    if (!checkpoint_reals(root, "adam_steps", steps, N_TRAINEES, e)) return false;
    game_trainees(g, list);
    for (int i = 0; i < N_TRAINEES; i++)
        if (list[i].t) list[i].t->opt.step = (int64_t)steps[i];
    return true;
}

static const cJSON *item(const cJSON *root, const char *key) { return cJSON_GetObjectItemCaseSensitive(root, key); }

static bool read_state(struct game *g, const cJSON *root, struct err *e) {
    struct figures figures[N_FIGURES];
    char *fields = cJSON_PrintUnformatted(item(root, "state"));
    bool ok =
        fields ? game_state_from_json(&g->st, fields, "checkpoint", e) : err_set(e, "checkpoint: \"state\" is missing");
    free(fields);
    figures_of(g, figures);
    for (int i = 0; i < N_FIGURES; i++)
        ok = ok && checkpoint_reals(root, figures[i].key, figures[i].x, figures[i].n, e);
    return ok && read_fresh(g, root, e) && read_steps(g, root, e) &&
           signature_history_from_json(&g->watch.history, item(root, "history"), "checkpoint", e) &&
           signature_alerts_from_json(&g->watch.alerts, item(root, "alerts"), "checkpoint", e) &&
           gap_set_from_json(&g->evaluation.gap_set, item(root, "gap_set"), "checkpoint", e) &&
           diagnostics_from_json(&g->rewards.diagnostics, item(root, "diagnostics"), "checkpoint", e);
}

bool game_restore(struct game *g, const char *folder, const char *state_json, struct err *e) {
    const struct adversary_ops *adversary = g->adversary.ops;
    cJSON *root = json_parse(state_json, strlen(state_json), "checkpoint", e);
    if (!root) return false;
    const bool ok = read_state(g, root, e) && read_arrays(g, folder, e) &&
                    (!adversary || !adversary->restore || adversary->restore(g, folder, root, e));
    cJSON_Delete(root);
    if (!ok) return false;
    /* rows of tick T were made by the micro-step that began at T; the checkpoint stands before it */
    struct corpus *c = &g->corpus;
    const int64_t last = g->st.tick - 1;
    if (!dpref_load(&c->dpref, g->db, e) || !dpref_truncate_after(&c->dpref, last, e)) return false;
    game_pairs_changed(g);
    game_list_findings(g);
    return outputs_load(&c->outputs, g->db, last, g->players.tok, g->players.chat, g->o->max_new_tokens, e);
}
