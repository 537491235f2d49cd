/* What a run needs: see options_check.h. */
#include "engine/game/options_check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "engine/game/algorithm.h"
#include "engine/pref/label_file.h"
#include "engine/pref/labeller.h"
#include "engine/text/tokenizer.h"

static bool check_readable(const char *name, const char *path, struct err *e) {
    struct stat st;
    if (stat(path, &st) != 0 || access(path, R_OK) != 0) return err_errno(e, "%s: cannot read \"%.200s\"", name, path);
    return S_ISREG(st.st_mode) || err_set(e, "%s: \"%.200s\" must be a file", name, path);
}

static bool check_file(const struct options *o, const struct option_info *info, struct err *e) {
    char path[OPTION_TEXT_MAX];
    option_format(o, info, path, sizeof path);
    if (*path) return check_readable(info->name, path, e);
    return !info->needed || err_set(e, "%s: is missing (%s)", info->name, info->help);
}

static struct tokenizer *read_vocabulary(const char *path, struct err *e) {
    struct gguf *g = gguf_open(path, e);
    struct tokenizer *t = g ? tokenizer_from_gguf(g, e) : NULL;
    gguf_close(g);
    return t;
}

/* Probabilities of the teacher can be compared with the student's only where a token is the same token to both. */
static bool check_vocabularies(const struct options *o, struct err *e) {
    if (!algorithm_needs_expert(o)) return true;
    char algorithm[64];
    const char *how = o->reward_access == ACCESS_WHITE_BOX ? ", reward.access \"white-box\"," : "";
    option_format(o, &OPTIONS[OPTION_ID_algorithm], algorithm, sizeof algorithm);
    struct tokenizer *teacher = read_vocabulary(o->teacher_model, e),
                     *student = teacher ? read_vocabulary(o->student_model, e) : NULL;
    bool ok = student != NULL;
    if (ok && tokenizer_hash(teacher) != tokenizer_hash(student))
        ok = err_set(e,
                     "algorithm \"%s\"%s reads probabilities and needs one vocabulary: teacher.model %.150s (%d "
                     "tokens) and student.model %.150s (%d tokens) differ",
                     algorithm, how, o->teacher_model, tokenizer_n_vocab(teacher), o->student_model,
                     tokenizer_n_vocab(student));
    tokenizer_free(teacher);
    tokenizer_free(student);
    return ok;
}

/* -1 leaves the value to the algorithm; the divergences need both parts of a mixture (engine/model/divergence.h). */
static bool check_coefficients(const struct options *o, struct err *e) {
    const double c = o->distil_coef, least = 1e-6;
    const bool mixes = o->algorithm == ALGORITHM_JSD || o->algorithm == ALGORITHM_SKEW_KL;
    if (c != -1.0 && mixes && !(c >= least && c <= 1 - least) && !(c == 0.0 && o->algorithm == ALGORITHM_SKEW_KL))
        return err_set(e, "distil.coef: must be -1, or above 0 and below 1%s, found %g",
                       o->algorithm == ALGORITHM_SKEW_KL ? ", or 0" : "", c);
    if (o->distil_on_policy < 0.0 && o->distil_on_policy != -1.0)
        return err_set(e, "distil.on_policy: must be -1 or between 0 and 1, found %g", o->distil_on_policy);
    return true;
}

/* The text was checked when it was set, or is the table's default. */
static unsigned labeller_needs(const struct options *o) {
    struct labeller_mix mix;
    return labeller_mix_parse(o->labeller, &mix, NULL) ? labeller_mix_needs(&mix) : 0;
}

bool options_need_person(const struct options *o) { return labeller_needs(o) & NEEDS_PERSON; }

static bool check_labeller(const struct options *o, struct err *e) {
    const unsigned needs = labeller_needs(o);
    if ((needs & NEEDS_CHECKER) && o->prompts_checker == CHECKER_NONE)
        return err_set(e, "labeller: \"oracle\" needs prompts.checker, found \"none\"");
    if ((needs & NEEDS_FILE) && !o->label_import[0])
        return err_set(e, "labeller: \"import\" needs a file of labels, but label.import is empty");
    if ((needs & NEEDS_SAMPLES) && o->game_data == DATA_OFFLINE)
        return option_list_length(o->offline_temperatures) >= 2 ||
               err_set(e,
                       "offline.temperatures: must be at least 2 with labeller \"self\" (the student's samples vote), "
                       "found \"%.100s\"",
                       o->offline_temperatures);
    if ((needs & NEEDS_SAMPLES) && o->samples_per_prompt < 2)
        return err_set(e, "samples_per_prompt: must be at least 2 with labeller \"self\" (samples vote), found %d",
                       o->samples_per_prompt);
    return true;
}

static bool check_temperatures(const struct options *o, struct err *e) {
    char item[64];
    for (int i = 0; option_list_item(o->offline_temperatures, i, item, sizeof item); i++) {
        char *end;
        const double t = strtod(item, &end);
        if (!item[0] || *end || !(t >= 0.01 && t <= 10.0))
            return err_set(
                e, "offline.temperatures: must be numbers between 0.01 and 10 with commas between them, found \"%s\"",
                item);
    }
    return true;
}

/* Sources of an offline D_pref; more than OPTION_LIST_MAX of a kind would share random numbers. */
static bool check_offline(const struct options *o, struct err *e) {
    if (o->game_data == DATA_ONLINE) return true;
    const int n = option_list_length(o->offline_temperatures), m = option_list_length(o->offline_candidates);
    if (n + m == 0)
        return err_set(e, "game.data: \"offline\" needs answers to compare, but offline.temperatures and "
                          "offline.candidates are empty");
    if (n > OPTION_LIST_MAX || m > OPTION_LIST_MAX)
        return err_set(e, "offline: at most %d temperatures and %d candidates are accepted, found %d and %d",
                       OPTION_LIST_MAX, OPTION_LIST_MAX, n, m);
    return check_temperatures(o, e);
}

static bool check_candidates(const struct options *o, struct err *e) {
    char path[OPTION_TEXT_MAX];
    for (int i = 0; o->game_data == DATA_OFFLINE && option_list_item(o->offline_candidates, i, path, sizeof path);
         i++) {
        if (!check_readable("offline.candidates", path, e)) return false;
        struct tokenizer *t = read_vocabulary(path, e);
        if (!t) return err_wrap(e, "offline.candidates");
        tokenizer_free(t);
    }
    return true;
}

static bool check_import(const struct options *o, struct err *e) {
    return !o->label_import[0] || label_file_each(o->label_import, NULL, NULL, e) || err_wrap(e, "label.import");
}

/* What is linear in features of the fitted reward. Other algorithms have no scope to choose. */
static bool check_scope(const struct options *o, struct err *e) {
    if (o->zeta_mode == ZETA_WILKS && o->game_scope != SCOPE_HEAD)
        return err_set(e, "zeta.mode: \"wilks\" needs game.scope \"head\" (the effective dimension of a linear "
                          "reward), found \"full\"");
    if (o->game_scope != SCOPE_HEAD || o->algorithm != ALGORITHM_PBKD) return true;
    if (o->reward_level != LEVEL_TOKEN)
        return err_set(
            e, "game.scope: \"head\" needs reward.level \"token\" (corrections of every action), found \"sequence\"");
    if (o->reward_access != ACCESS_BLACK_BOX)
        return err_set(e, "game.scope: \"head\" needs reward.access \"black-box\" (its features are centred under the "
                          "reward's own distribution), found \"white-box\"");
    if (o->label_margin > 0)
        return err_set(
            e, "label.margin: must be 0 with game.scope \"head\" (its set is that of the plain likelihood), found %g",
            o->label_margin);
    return true;
}

/* What follows a token is compared within groups of samples of the policy itself. */
static bool check_to_go(const struct options *o, struct err *e) {
    if (o->game_to_go <= 0) return true;
    if (o->game_descent != DESCENT_EXACT || o->reward_level != LEVEL_TOKEN)
        return err_set(e, "game.to_go: needs game.descent \"exact\" and reward.level \"token\" (sampled descent has "
                          "the reward to go in its advantages)");
    if (o->game_scope == SCOPE_HEAD) return err_set(e, "game.to_go: needs game.scope \"full\", found \"head\"");
    if (o->temperature != 1.0)
        return err_set(e, "game.to_go: needs temperature 1 (samples of the policy itself), found %g", o->temperature);
    if (algorithm_white_box_reward(o) && o->game_off_policy > 0)
        return err_set(e, "game.to_go: needs game.off_policy 0 (states of the student's own samples), found %g",
                       o->game_off_policy);
    return o->samples_per_prompt >= 2 ||
           err_set(e, "samples_per_prompt: must be at least 2 with game.to_go, found %d", o->samples_per_prompt);
}

static bool check_reward(const struct options *o, struct err *e) {
    if (o->reward_level != LEVEL_SEQUENCE) return true;
    if (algorithm_white_box_reward(o)) {
        const bool chosen = o->reward_access == ACCESS_WHITE_BOX;
        char algorithm[64];
        option_format(o, &OPTIONS[OPTION_ID_algorithm], algorithm, sizeof algorithm);
        return err_set(
            e, "reward.level: must be \"token\" with %s \"%s\" (it needs Q of every action), found \"sequence\"",
            chosen ? "reward.access" : "algorithm", chosen ? "white-box" : algorithm);
    }
    return o->game_descent != DESCENT_EXACT ||
           err_set(e, "game.descent: must be \"sampled\" with reward.level \"sequence\", found \"exact\" (it needs a "
                      "reward per token)");
}

static bool check_sampled_descent(const struct options *o, struct err *e) {
    if (o->game_descent != DESCENT_SAMPLED) return true;
    if (o->temperature != 1.0)
        return err_set(
            e, "temperature: must be 1 with game.descent \"sampled\" (samples are scored at temperature 1), found %g",
            o->temperature);
    return o->samples_per_prompt >= 2 ||
           err_set(e, "samples_per_prompt: must be at least 2 with game.descent \"sampled\" (leave-one-out), found %d",
                   o->samples_per_prompt);
}

/* Of one option against others, in the order in which a person is told. What opens files comes last, and only before a
 * run starts. */
static bool (*const VALUE_CHECKS[])(const struct options *o, struct err *e) = {
    check_reward, check_coefficients, check_offline, check_scope, check_to_go, check_labeller, check_sampled_descent,
};
static bool (*const START_CHECKS[])(const struct options *o, struct err *e) = {
    options_check_values,
    check_vocabularies,
    check_candidates,
    check_import,
};

bool options_check_values(const struct options *o, struct err *e) {
    for (size_t i = 0; i < sizeof VALUE_CHECKS / sizeof *VALUE_CHECKS; i++)
        if (!VALUE_CHECKS[i](o, e)) return false;
    return true;
}

bool options_check(const struct options *o, struct err *e) {
    for (int i = 0; i < N_OPTIONS; i++)
        if (OPTIONS[i].file == OPTION_FILE && !check_file(o, &OPTIONS[i], e)) return false;
    for (size_t i = 0; i < sizeof START_CHECKS / sizeof *START_CHECKS; i++)
        if (!START_CHECKS[i](o, e)) return false;
    return true;
}

bool options_check_set(const struct options *o, const char *name, const char *value, struct err *e) {
    struct options *trial = mem_small(sizeof *trial);
    *trial = *o;
    const bool ok = option_set(trial, name, value, e) && options_check_values(trial, e);
    free(trial);
    return ok;
}
