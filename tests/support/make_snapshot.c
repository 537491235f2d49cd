/* Hand-made snapshots: see make_snapshot.h. */
#include "tests/support/make_snapshot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/run/snapshot_private.h"

enum { TICKS_PER_ITERATION = 160, FIT_TICKS = 40, ROUND_TICKS = 6, ROUNDS = 20 };

static void add_point(struct series *x, int64_t tick, double v) {
    x->tick[x->n] = tick;
    x->value[x->n++] = (float)v;
}

static void play_round(struct series *x, int t, int round, double noise) {
    const int64_t tick = t * TICKS_PER_ITERATION + FIT_TICKS + round * ROUND_TICKS;
    const double base = 0.75 * exp(-0.012 * (t * ROUNDS + round)) + 0.02 * noise;
    add_point(&x[METRIC_GAP_ASCENT], tick, base + 0.16 * exp(-0.4 * t));
    add_point(&x[METRIC_GAP_DESCENT], tick + ROUND_TICKS - 1, base - 0.05);
    add_point(&x[METRIC_SLACK], tick, 0.011 - 0.004 * exp(-0.3 * round) + 0.001 * noise);
    add_point(&x[METRIC_BETA], tick, tick < 300 ? 10 : 12.5);
    add_point(&x[METRIC_KL], tick, 0.004 * (t * ROUNDS + round));
    add_point(&x[METRIC_ENTROPY], tick, 0.9 - 0.003 * (t * ROUNDS + round) + 0.02 * noise);
    add_point(&x[METRIC_STUDENT_REWARD], tick, -0.6 + 0.008 * (t * ROUNDS + round));
}

static void evaluate(struct series *x, int t, double *regret) {
    const int64_t tick = t * TICKS_PER_ITERATION;
    const double gap = 0.8 * exp(-0.28 * t);
    *regret += gap;
    add_point(&x[METRIC_GAP_WORST], tick, gap);
    add_point(&x[METRIC_GAP_WORST_LO], tick, gap - 0.11);
    add_point(&x[METRIC_GAP_WORST_HI], tick, gap + 0.13);
    add_point(&x[METRIC_GAP_FITTED], tick, gap * 0.8);
    add_point(&x[METRIC_GAP_TRUE], tick, 0.54 * exp(-0.4 * t));
    add_point(&x[METRIC_ACCURACY], tick, 0.99 - 0.54 * exp(-0.4 * t));
    add_point(&x[METRIC_REGRET], tick, *regret);
    add_point(&x[METRIC_ECE], tick, 0.03);
}

static void fit(struct series *x, int t) {
    for (int i = 0; i < FIT_TICKS; i += 4) {
        const int64_t tick = t * TICKS_PER_ITERATION + i;
        add_point(&x[METRIC_RM_TRAIN], tick, 0.97 - 0.3 * exp(-0.15 * (i + 20 * t)));
        add_point(&x[METRIC_RM_HELDOUT], tick, 0.94 - 0.32 * exp(-0.13 * (i + 20 * t)));
    }
    add_point(&x[METRIC_RM_NEWEST], t * TICKS_PER_ITERATION, 0.7 + 0.07 * t);
    add_point(&x[METRIC_RM_LENGTH], t * TICKS_PER_ITERATION, 0.53);
    add_point(&x[METRIC_NLL], t * TICKS_PER_ITERATION + FIT_TICKS, 0.26 - 0.01 * t);
}

static void add_series(struct snapshot *s, enum snapshot_kind kind) {
    struct series *x = mem_small(N_METRICS * sizeof *x);
    double regret = 0;
    for (int t = 0; t < 3; t++) {
        evaluate(x, t, &regret);
        fit(x, t);
        for (int round = 0; round < (t == 2 ? 9 : ROUNDS); round++)
            play_round(x, t, round, ((t * 31 + round * 17) % 11 - 5) / 5.0);
    }
    for (int t = 0; t < 3 && kind == SNAPSHOT_EXACT; t++) {
        add_point(&x[METRIC_GAP_MIN], t * TICKS_PER_ITERATION, 0.6 - 0.12 * t);
        add_point(&x[METRIC_GAP_MAX], t * TICKS_PER_ITERATION, 1.0 - 0.2 * t);
    }
    if (kind == SNAPSHOT_HOSTILE) {
        x[METRIC_GAP_ASCENT].value[10] = (float)NAN;
        x[METRIC_SLACK].value[20] = (float)INFINITY;
        x[METRIC_SLACK].value[21] = 1e30F;
    }
    for (int i = 0; i < N_METRICS; i++) {
        if (!x[i].n) continue;
        struct series_block *b = series_block_new(&x[i]);
        s->owner[i] = b;
        s->series[i] = &b->series;
        s->n_series_points += x[i].n;
        s->metric[i] = (double)x[i].value[x[i].n - 1];
    }
    free(x);
}

struct shown_pair *snapshot_add_pair(struct snapshot *s, int64_t id, const char *prompt, const char *teacher,
                                     const char *student) {
    struct shown_pair *p = &s->pair[s->n_shown++];
    *p = (struct shown_pair){.id = id,
                             .pair_hash = (uint64_t)id * 1000003,
                             .iteration = (int)((id + 7) / 8),
                             .heldout = id % 10 == 3,
                             .prompt = mem_strdup(prompt),
                             .teacher = mem_strdup(teacher),
                             .student = mem_strdup(student),
                             .by0 = {ORIGIN_TEACHER, 0},
                             .by1 = {ORIGIN_STUDENT, 0},
                             .reward_teacher = 0.9 - 0.01 * (double)(id % 7),
                             .reward_student = 0.31 + 0.13 * (double)(id % 5),
                             .source = SOURCE_TEACHER,
                             .o = 1};
    return p;
}

struct pair_text {
    char prompt[96], teacher[160], student[160];
};

static struct pair_text text_of(int id) {
    struct pair_text t;
    const int a = 13 + id * 3, b = 7 + id % 9, wrong = id % 4 ? a + b + id % 3 : a - b;
    snprintf(t.prompt, sizeof t.prompt, "Question: a shop sells %d apples and then %d more. How many apples is that?",
             a, b);
    snprintf(t.teacher, sizeof t.teacher, "The shop sells %d + %d = %d apples. The answer is %d.", a, b, a + b, a + b);
    snprintf(t.student, sizeof t.student, "The shop sells %d + %d = %d apples. The answer is %d.", a, b, wrong, wrong);
    return t;
}

static void add_pairs(struct snapshot *s) {
    for (int id = 24; id > 0; id--) {
        const struct pair_text t = text_of(id);
        struct shown_pair *p = snapshot_add_pair(s, id, t.prompt, t.teacher, t.student);
        if (id == 24) p->reward_teacher = p->reward_student = (double)NAN, p->source = SOURCE_NONE;
        if (id == 22) p->source = SOURCE_HUMAN, p->event = 17, p->o = 0;
        if (id == 21) p->source = SOURCE_HUMAN, p->event = 16, p->o = 0.5;
    }
}

enum { MEASURED_PAIRS = 374 };

/* A reward that is right 19 times in 20 and somewhat surer of training pairs. */
static struct scored_pair score_pair(int id) {
    const uint64_t at = (uint64_t)id;
    struct scored_pair p = {.id = id,
                            .o = 1,
                            .weight = 1,
                            .flip = 0.05,
                            .source = SOURCE_TEACHER,
                            .iteration = 1 + (id - 1) / 125,
                            .heldout = id % 10 == 3};
    p.length0 = 18 + (int)rng_below(9, 1, RNG_TEST, 0, at);
    p.length1 = 16 + (int)rng_below(13, 1, RNG_TEST, 1, at);
    p.reward0 = 0.9 + 0.6 * rng_normal(1, RNG_TEST, 2, at) + 0.02 * p.length0;
    p.reward1 = (p.heldout ? -1.3 : -1.6) + 1.2 * rng_normal(1, RNG_TEST, 3, at) + 0.02 * p.length1;
    if (id == 22 || id == 21) p.source = SOURCE_HUMAN, p.o = id == 22 ? 0 : 0.5;
    return p;
}

/* What the fit of the third iteration was measured to be; the pairs' texts are as the run's, or all `text`. */
static void add_reward(struct snapshot *s, const char *text) {
    struct scored_pair *scored = mem_small(MEASURED_PAIRS * sizeof *scored);
    struct pref_pair *pair = mem_small(MEASURED_PAIRS * sizeof *pair);
    struct pair_text *texts = mem_small(MEASURED_PAIRS * sizeof *texts);
    for (int i = 0; i < MEASURED_PAIRS; i++) {
        struct pair_text *t = &texts[i];
        *t = text_of(i + 1);
        if (text)
            snprintf(t->prompt, sizeof t->prompt, "%s", text), snprintf(t->student, sizeof t->student, "%s", text);
        scored[i] = score_pair(i + 1);
        pair[i] = (struct pref_pair){
            .id = i + 1, .prompt = t->prompt, .text0 = t->teacher, .text1 = t->student, .by1 = {ORIGIN_STUDENT, 0}};
    }
    struct diagnostics d;
    diagnostics_measure(&d, scored, MEASURED_PAIRS, 3, 361);
    if (text) { /* nothing here comes from a measurement */
        d.n_not_finite = 3;
        d.ece = d.nll[DIAG_TRAIN] = d.uncertain[1].loss = (double)NAN;
        d.nll[DIAG_HELDOUT] = (double)INFINITY;
        d.margin_max = 1e30;
        d.margin[DIAG_TRAIN][3] = d.bin[0].n = d.bin[1].n = 1 << 26;
        d.bin[2].p = d.disputed[2].reward0 = (double)NAN;
        d.uncertain[0].source = SOURCE_NONE;
    }
    const struct dpref all = {.pair = pair, .n = MEASURED_PAIRS};
    struct reward_block *b = reward_block_new(&d, &all);
    s->reward_owner = b;
    s->reward = &b->report;
    free(scored);
    free(pair);
    free(texts);
}

static void add_log(struct snapshot *s, int64_t tick, enum alert_level level, const char *text) {
    struct log_line *l = &s->log[s->n_log++];
    l->tick = tick;
    l->level = level;
    snprintf(l->text, sizeof l->text, "%s", text);
}

static void add_mark(struct snapshot *s, int64_t tick, const char *what) {
    s->mark[s->n_marks].tick = tick;
    snprintf(s->mark[s->n_marks++].what, sizeof s->mark->what, "%s", what);
}

static void add_ack(struct snapshot *s, uint64_t id, int64_t tick, bool applied, const char *text) {
    struct acknowledgement *a = &s->ack[s->n_acks++];
    *a = (struct acknowledgement){.id = id, .tick = tick, .applied = applied};
    snprintf(a->text, sizeof a->text, "%s", text);
}

static void add_history(struct snapshot *s) {
    add_log(s, 0, ALERT_INFO, "student loaded: 0.6 M parameters");
    add_log(s, 0, ALERT_INFO, "teacher loaded: 2.4 M parameters");
    for (int t = 0; t < 3; t++) {
        char text[128];
        snprintf(text, sizeof text, "iteration %d: 128 pairs collected, 3 identical pairs left out", t + 1);
        add_log(s, t * TICKS_PER_ITERATION, ALERT_INFO, text);
        snprintf(text, sizeof text, "iteration %d: reward fitted, held-out accuracy %.2f", t + 1, 0.89 + 0.02 * t);
        add_log(s, t * TICKS_PER_ITERATION + FIT_TICKS, t ? ALERT_INFO : ALERT_WARNING, text);
    }
    add_log(s, 388, ALERT_ERROR, "label #15 refers to pair 9999, which does not exist");
    add_mark(s, 300, "beta 10 -> 12.5");
    add_mark(s, 341, "label #16 tie");
    add_mark(s, 352, "label #17 B");
    add_ack(s, 1, 300, true, "beta 10 -> 12.5 at tick 300");
    add_ack(s, 2, 388, false, "label #15 is saved but cannot be used: pair 9999 does not exist");
}

static void set_interval(struct snapshot *s, enum metric_id mean, double x, double lo, double hi) {
    s->metric[mean] = x;
    s->metric[mean + 1] = lo;
    s->metric[mean + 2] = hi;
}

static void measure(struct snapshot *s) {
    s->tick = 412;
    s->iteration = 3;
    s->phase = PHASE_DESCENT;
    s->phase_done = 0.42;
    s->elapsed_seconds = 312;
    s->eta_seconds = 251;
    s->tokens_per_second = 12345;
    s->metric[METRIC_ACCURACY_START] = 0.45;
    s->metric[METRIC_ACCURACY] = 0.747;
    s->metric[METRIC_TEACHER_ACCURACY] = 0.99;
    set_interval(s, METRIC_GAP_WORST, 0.457, 0.347, 0.587);
    set_interval(s, METRIC_GAP_FITTED, 0.366, 0.301, 0.431);
    set_interval(s, METRIC_GAP_TRUE, 0.243, 0.204, 0.282);
    s->metric[METRIC_NLL] = 0.2398;
    s->metric[METRIC_SLACK] = 0.0112;
    s->n_pairs = 375;
    s->n_heldout = 38;
    s->labels_human = 2;
    s->labels_waiting = 1;
    s->n_by_source[SOURCE_TEACHER] = 372;
    s->n_by_source[SOURCE_HUMAN] = 2;
    s->n_by_source[SOURCE_NONE] = 1;
    option_set(&s->options, "beta", "12.5", NULL);
    s->metric[METRIC_BETA] = 12.5;
    s->pending_option = option_index(option_find("game.kl"));
    snprintf(s->pending_value, sizeof s->pending_value, "0.02");
    s->alert_now = "constraint inactive: the adversary explains the preferences within zeta";
}

/* Tokens of four bytes each (the last has what is left), the k-th with the k-th of the rewards and 0 behind them; an
 * end without text. */
static void judge_tokens(struct shown_tokens *t, const char *text, const float *reward, int n_rewards) {
    const int len = (int)strlen(text);
    t->n = (len + 3) / 4 + 1;
    t->token = mem_small((size_t)t->n * sizeof *t->token);
    for (int i = 0; i < t->n; i++)
        t->token[i] = (struct shown_token){4 * i + 4 < len ? 4 * i + 4 : len, i < n_rewards ? reward[i] : 0};
}

static void make_exact(struct snapshot *s) {
    static const float FOR[] = {0.02f, 0.1f, 0.4f, -0.01f, 0.05f},
                       AGAINST[] = {0.1f, -0.6f, (float)NAN, -0.2f, 0.3f, -0.3f, -0.25f};
    option_set(&s->options, "game.scope", "head", NULL);
    option_set(&s->options, "reward.access", "white-box", NULL);
    snapshot_take_options(s, &s->options);
    s->gap_set.min = 0.31;
    s->gap_set.max = 0.52;
    for (int i = 0; i < GAP_CURVE; i++) {
        s->gap_set.curve_gap[i] = 0.45 + 0.6 / (1 + 0.3 * gap_curve_beta(i));
        s->gap_set.curve_excess[i] = 0.4 / pow(1 + gap_curve_beta(i), 2);
    }
    free(s->pair[1].student);
    s->pair[1].student =
        mem_strdup("りんごは全部で四十二個です。 The answer is 42."); /* tokens end inside characters */
    for (int i = 0; i < 2; i++) {
        judge_tokens(&s->pair[i].tokens0, s->pair[i].teacher, FOR, (int)(sizeof FOR / sizeof *FOR));
        judge_tokens(&s->pair[i].tokens1, s->pair[i].student, AGAINST, (int)(sizeof AGAINST / sizeof *AGAINST));
    }
}

static void make_hostile(struct snapshot *s) {
    while (s->n_shown) {
        shown_pair_free_texts(&s->pair[--s->n_shown]);
    }
    char longer[4000] = "";
    for (int i = 0; i < 60; i++) {
        const size_t n = strlen(longer);
        snprintf(longer + n, sizeof longer - n, "Step %d: carry the %d and add it to the column on its left. ", i + 1,
                 i % 10);
    }
    struct shown_pair *p = snapshot_add_pair(
        s, 7, "Say \033[31mred\033[0m\a and \x9b\xff, then \u202etfel\u202c.\r\nSecond line\twith a tab", longer,
        "日本語の答え：りんごは全部で四十二個です。 e\u0301 \U0001F469\u200d\U0001F4BB ok \u0301x");
    p->source = SOURCE_NONE;
    p->truncated0 = true;
    p->reward_student = (double)INFINITY;
    snapshot_add_pair(s, 6, "identical", "the same", "the same")->source = SOURCE_NONE;
    snapshot_add_pair(s, 5, "empty", "", "\n\n")->source = SOURCE_NONE;
    snprintf(s->run_name, sizeof s->run_name, "very-long-run-name-that-does-not-fit-\033[2J-anywhere-on-small-screens");
}

struct snapshot *make_snapshot(enum snapshot_kind kind) {
    struct snapshot *s = mem_small(sizeof *s);
    s->references = 1;
    s->version = 1;
    s->pending_option = -1;
    snprintf(s->run_name, sizeof s->run_name, "demo");
    snprintf(s->run_path, sizeof s->run_path, "runs/demo");
    options_default(&s->options);
    option_set(&s->options, "game.rounds", "30", NULL);
    option_set(&s->options, "student.model", "student.gguf", NULL);
    snapshot_take_options(s, &s->options);
    s->options_start = s->options;
    for (int i = 0; i < N_METRICS; i++) s->metric[i] = (double)NAN;
    s->metric[METRIC_BETA] = s->options.beta;
    s->metric[METRIC_ZETA] = s->options.zeta;
    gap_set_init(&s->gap_set);
    s->eta_seconds = (double)NAN;
    if (kind == SNAPSHOT_LOADING) return s;
    add_series(s, kind);
    add_pairs(s);
    add_reward(s, kind == SNAPSHOT_HOSTILE ? "\033[31mred\033[0m \x9b\xff \u202etfel\u202c 日本語\r\nnext" : NULL);
    add_history(s);
    measure(s);
    s->state = kind == SNAPSHOT_WAITING ? RUN_WAITING : RUN_RUNNING;
    if (kind == SNAPSHOT_HOSTILE) make_hostile(s);
    if (kind == SNAPSHOT_EXACT) make_exact(s);
    if (kind == SNAPSHOT_WAITING) {
        s->phase = PHASE_GATE;
        s->alert_now = NULL;
        option_set(&s->options, "reward.gate", "0.95", NULL);
        snprintf(s->state_text, sizeof s->state_text,
                 "the reward ranks 94 %% of held-out pairs right, the gate is 95 %%: :gate continue, :gate train or "
                 ":gate stop");
    }
    return s;
}
