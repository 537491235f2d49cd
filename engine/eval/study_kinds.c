/* The kinds of studies: which variants each of them runs, and how a variant's assignments become options. Options are
 * looked up by name at run time, so that a kind may ask for what a program does not have and be told so. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/eval/study.h"

/* clang-format off */
/* What is gathered over five iterations comes in the first one offline. */
#define GATHERED_AT_ONCE "game.data=offline", "prompts.per_iteration*5", "reward.steps*5"
static const struct study_variant VARIANTS_SANITY[] = {{"config", {0}}, {0}};
/* Five iterations collect, fit and play five times; the single iteration gets all of that at once. */
static const struct study_variant VARIANTS_ABLATION[] = {
    {"0 iterations", {"iterations=0"}},
    {"1 iteration", {"iterations=1", "prompts.per_iteration*5", "game.rounds*5", "reward.steps*5"}},
    {"5 iterations", {"iterations=5"}},
    {"offline", {"iterations=5", GATHERED_AT_ONCE}},
    {"sft", {"iterations=5", "algorithm=sft"}},
    {0}};
static const struct study_variant VARIANTS_SCALE[] = {
    {"R 1", {"reward.bound=1"}}, {"R 2", {"reward.bound=2"}}, {"R 5", {"reward.bound=5"}}, {"R 10", {"reward.bound=10"}}, {0}};
static const struct study_variant VARIANTS_ROBUSTNESS[] = {
    {"config", {0}},
    {"beta x0.5", {"beta*0.5"}}, {"beta x2", {"beta*2"}},
    {"zeta x0.5", {"zeta*0.5"}}, {"zeta x2", {"zeta*2"}},
    {"lr x0.5", {"game.policy_lr*0.5", "dpo.lr*0.5"}}, {"lr x2", {"game.policy_lr*2", "dpo.lr*2"}},
    {"ascent lr x0.5", {"game.reward_lr*0.5"}}, {"ascent lr x2", {"game.reward_lr*2"}},
    {"fit lr x0.5", {"reward.lr*0.5"}}, {"fit lr x2", {"reward.lr*2"}},
    {0}};
/* Only the exact inner maximum knows the set's edges: scope `head`. */
#define SET_REDRAWN "game.scope=head", "head.redraws=100"
static const struct study_variant VARIANTS_COVERAGE[] = {
    {"wilks 95", {SET_REDRAWN, "zeta.mode=wilks"}},
    {"wilks 95 wide", {SET_REDRAWN, "zeta.mode=wilks", "head.bound=100"}}, /* by the pairs alone, no ball */
    {"zeta x1", {SET_REDRAWN, "zeta.mode=fixed"}},
    {"zeta x0.5", {SET_REDRAWN, "zeta.mode=fixed", "zeta*0.5"}},
    {"zeta x2", {SET_REDRAWN, "zeta.mode=fixed", "zeta*2"}},
    {0}};
static const struct study_variant VARIANTS_DATA[] = {
    {"32 prompts", {"prompts.per_iteration=32"}}, {"64 prompts", {"prompts.per_iteration=64"}},
    {"128 prompts", {"prompts.per_iteration=128"}}, {"256 prompts", {"prompts.per_iteration=256"}}, {0}};
static const struct study_variant VARIANTS_NOISE[] = {
    {"p 0", {"label.noise=0"}}, {"p 0.1", {"label.noise=0.1"}}, {"p 0.3", {"label.noise=0.3"}}, {0}};
static const struct study_variant VARIANTS_LABELLER[] = {
    {"teacher", {"labeller=teacher"}}, {"oracle", {"labeller=oracle"}}, {"self", {"labeller=self"}}, {0}};
/* ppo_fixed_rm gets the pairs and the fit of offline PbKD: it differs from it in that nobody plays against the
 * student. */
static const struct study_variant VARIANTS_ALGORITHMS[] = {
    {"pbkd", {"algorithm=pbkd", "iterations=5"}},
    {"pbkd offline", {"algorithm=pbkd", "iterations=5", GATHERED_AT_ONCE}},
    {"pbkd white-box", {"algorithm=pbkd", "iterations=5", "reward.access=white-box"}},
    {"ppo_fixed_rm", {"algorithm=ppo_fixed_rm", "iterations=5", GATHERED_AT_ONCE}},
    {"sft", {"algorithm=sft", "iterations=5"}}, {"dpo", {"algorithm=dpo", "iterations=5", "game.sft=0"}},
    {"dpo with sft", {"algorithm=dpo", "iterations=5", "game.sft=1"}},
    {"fkl", {"algorithm=fkl", "iterations=5"}}, {"rkl", {"algorithm=rkl", "iterations=5"}},
    {"jsd", {"algorithm=jsd", "iterations=5"}}, {"skew_kl", {"algorithm=skew_kl", "iterations=5"}},
    {"tv", {"algorithm=tv", "iterations=5"}}, {"moment", {"algorithm=moment", "iterations=5"}},
    {0}};

const struct study_kind STUDIES[N_STUDY_KINDS] = {
#define X(id, name, help, x_title, note) [STUDY_##id] = {name, help, x_title, note, VARIANTS_##id, \
    STUDY_##id == STUDY_COVERAGE ? "coverage" : NULL, STUDY_##id == STUDY_COVERAGE},
    STUDY_KINDS(X)
#undef X
};
/* clang-format on */

const struct study_kind *study_find(const char *name) {
    for (int i = 0; i < N_STUDY_KINDS; i++)
        if (strcmp(STUDIES[i].name, name) == 0) return &STUDIES[i];
    return NULL;
}

void study_slug(const char *label, char *out, size_t size) {
    size_t n = 0;
    for (const char *c = label; *c && n + 1 < size; c++) {
        const bool plain = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '.';
        const bool capital = *c >= 'A' && *c <= 'Z';
        out[n++] = plain ? *c : capital ? (char)(*c - 'A' + 'a') : '-';
    }
    out[n] = '\0';
}

/* The configuration's value times factor, as text. Whole numbers are rounded. */
static bool scaled(const struct options *o, const struct option_info *info, double factor, char *out, size_t size,
                   struct err *e) {
    if (info->type != OPTION_INT && info->type != OPTION_REAL)
        return err_set(e, "%s: is no number, so it cannot be multiplied", info->name);
    const double value = option_number(o, info);
    if (value == 0)
        return err_set(e, "%s: is 0 in this configuration, so a factor would change nothing (set it with --set %s=X)",
                       info->name, info->name);
    if (info->type == OPTION_INT)
        snprintf(out, size, "%.0f", value * factor);
    else
        snprintf(out, size, "%.12g", value * factor);
    return true;
}

/* One assignment; *text gets NAME=VALUE. */
static bool assign(const char *a, struct options *o, char **text, struct err *e) {
    const size_t n = strcspn(a, "=*");
    char name[64], value[64], line[160];
    snprintf(name, sizeof name, "%.*s", (int)n, a);
    const struct option_info *info = option_find(name);
    if (!info) return err_set(e, "it needs the option %s, which this program does not have", name);
    if (a[n] == '=')
        snprintf(value, sizeof value, "%s", a + n + 1);
    else if (!scaled(o, info, strtod(a + n + 1, NULL), value, sizeof value, e))
        return false;
    if (!option_set(o, name, value, e)) return false;
    snprintf(line, sizeof line, "%s=%s", name, value);
    *text = mem_strdup(line);
    return true;
}

bool study_resolve(const struct study_variant *v, struct options *o, char *text[STUDY_ASSIGN_MAX], struct err *e) {
    for (int i = 0; i < STUDY_ASSIGN_MAX; i++) text[i] = NULL;
    for (int i = 0; i < STUDY_ASSIGN_MAX && v->assign[i]; i++)
        if (!assign(v->assign[i], o, &text[i], e)) return err_wrap(e, "variant \"%s\"", v->label);
    return true;
}
