/* Every algorithm of the game on tiny random models: a run cut off at any tick and resumed ends at the same bytes, the student learns what the
 * algorithm teaches, and combinations that cannot work are refused before anything is made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/strbuf.h"
#include "engine/formats/quant.h"
#include "engine/game/sequences.h"
#include "engine/model/divergence.h"
#include "engine/model/model_io.h"
#include "engine/run/session.h"
#include "engine/text/chat.h"

static char folder[64]; /* holds teacher.gguf, student.gguf, foreign.gguf (another vocabulary), prompts.jsonl, recorded.jsonl */

static const char *in_folder(const char *name) {
    static char path[4][160];
    static int at;
    at = (at + 1) % 4;
    snprintf(path[at], sizeof path[at], "%s/%s", folder, name);
    return path[at];
}

static void make_model(const char *name, const struct tokenizer *t, int d, uint64_t seed) {
    struct err e = {0};
    const struct model_config c = {.n_vocab = tokenizer_n_vocab(t), .d_model = d, .n_layer = 1, .n_head = 2, .n_kv_head = 1, .head_dim = d / 2,
                                   .d_ff = 2 * d, .n_ctx = 64, .rope_base = 10000, .rms_eps = 1e-5f, .tied = true};
    struct model *m = model_new(&c, false, &e);
    assert_non_null(m);
    model_init(m, seed);
    for (size_t i = 0; i < m->n_params; i++) m->params[i] *= 3; /* opinions, or all models would say the same */
    if (!model_save(m, t, in_folder(name), QUANT_F32, &e)) fail_msg("%s", e.msg);
    model_free(m);
}

static int make_folder(void **state) {
    (void)state;
    struct err e = {0};
    strcpy(folder, "/tmp/pbkd-algorithms-XXXXXX");
    assert_non_null(mkdtemp(folder));
    struct strbuf b = {0}, recorded = {0};
    static char text[80][32];
    const char *texts[80];
    for (int i = 0; i < 80; i++) {
        snprintf(text[i], sizeof text[i], "what is %d plus %d?", i, 80 - i);
        texts[i] = text[i];
        strbuf_printf(&b, "{\"prompt\": \"%s\", \"answer\": \"80\"}\n", text[i]);
        strbuf_printf(&recorded, "{\"prompt\": \"%s\", \"response\": \"80\"}\n", text[i]);
    }
    assert_true(atomic_write(in_folder("prompts.jsonl"), b.s, b.len, &e));
    assert_true(atomic_write(in_folder("recorded.jsonl"), recorded.s, recorded.len, &e));
    strbuf_free(&b);
    strbuf_free(&recorded);
    struct tokenizer *t = tokenizer_train(texts, 80, 280, &e), *other = tokenizer_train(texts, 80, 262, &e);
    assert_true(t && other);
    make_model("teacher.gguf", t, 16, 1);
    make_model("student.gguf", t, 12, 2);
    make_model("foreign.gguf", other, 16, 3);
    tokenizer_free(t);
    tokenizer_free(other);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    dir_remove_tree(folder, NULL);
    return 0;
}

/* "a=b c=d" */
static void set_all(struct options *o, const char *assignments) {
    char text[400];
    struct err e = {0};
    snprintf(text, sizeof text, "%s", assignments);
    for (char *rest, *one = strtok_r(text, " ", &rest); one; one = strtok_r(NULL, " ", &rest))
        if (!option_set_assignment(o, one, &e)) fail_msg("%s", e.msg);
}

static struct options tiny_options(const char *assignments) {
    struct options o;
    options_default(&o);
    set_all(&o, "iterations=2 threads=1 prompts.per_iteration=12 samples_per_prompt=2 max_new_tokens=6 game.rounds=2 game.policy_steps=2"
                " game.policy_batch=4 game.reward_batch=4 game.warmup=0 reward.steps=2 reward.batch=6 reward.gate=0 eval.prompts=6"
                " eval.gap_prompts=4 eval.bootstrap=100 prompts.checker=number");
    snprintf(o.teacher_model, sizeof o.teacher_model, "%s", in_folder("teacher.gguf"));
    snprintf(o.student_model, sizeof o.student_model, "%s", in_folder("student.gguf"));
    snprintf(o.prompts_train, sizeof o.prompts_train, "%s", in_folder("prompts.jsonl"));
    snprintf(o.prompts_recorded, sizeof o.prompts_recorded, "%s", in_folder("recorded.jsonl")); /* random models seldom end an answer */
    set_all(&o, assignments);
    return o;
}

static struct session *start(const char *name, const struct options *o, bool resume, bool headless) {
    struct err e = {0};
    const struct session_config c = {.options = *o, .run_dir = in_folder(name), .title = "test", .resume = resume, .headless = headless};
    struct session *s = session_start(&c, &e);
    if (!s) fail_msg("%s", e.msg);
    return s;
}

static void finish(const char *what, struct session *s, char hash[32]) {
    bool ok;
    char *json = NULL;
    struct err e = {0};
    session_finish(s, &ok, &json, &e);
    if (!ok) fail_msg("%s: %s", what, e.msg);
    const char *at = strstr(json, "\"weights_hash\":\"");
    assert_non_null(at);
    snprintf(hash, 32, "%.16s", at + strlen("\"weights_hash\":\""));
    free(json);
}

static double number_in_database(const char *name, const char *sql) {
    char path[200];
    struct db db;
    struct err e = {0};
    bool row = false;
    snprintf(path, sizeof path, "%s/run.db", in_folder(name));
    if (!db_open(&db, path, DB_READ, false, &e)) fail_msg("%s", e.msg);
    sqlite3_stmt *q = db_prepare(&db, &e, sql, "");
    if (!q || !db_step(&db, q, &row, &e) || !row) fail_msg("%s: %s %s", name, sql, e.msg);
    const double x = sqlite3_column_type(q, 0) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(q, 0);
    sqlite3_finalize(q);
    db_close(&db);
    return x;
}

/* ---- resuming ---- */

/* What is played, by name and by options. */
static const struct played {
    const char *name, *options;
} PLAYED[] = {
    {"sft", "algorithm=sft"},
    {"pbkd", "algorithm=pbkd"},
    {"white", "reward.access=white-box game.kl=0.05"},
    {"white-student", "reward.access=white-box game.off_policy=0 game.sft=0.1 game.reward_steps=2"},
    {"white-sampled", "reward.access=white-box game.descent=sampled game.policy_epochs=2"},
    {"ppo", "algorithm=ppo_fixed_rm"},
    {"ppo-white", "algorithm=ppo_fixed_rm reward.access=white-box"},
    {"ppo-sampled", "algorithm=ppo_fixed_rm game.descent=sampled game.kl=0.05"},
    {"moment", "algorithm=moment sft.steps=1"},
    {"moment-sampled", "algorithm=moment game.descent=sampled game.off_policy=0.3"},
    {"dpo", "algorithm=dpo"},
    {"fkl", "algorithm=fkl"},
    {"rkl", "algorithm=rkl"},
    {"jsd", "algorithm=jsd"},
    {"skew_kl", "algorithm=skew_kl distil.on_policy=0.3"},
    {"tv", "algorithm=tv sft.steps=2"},
};

static bool is_paused(const struct snapshot *n) { return n->state == RUN_PAUSED; }

static void send(struct session *s, enum command_kind kind, const char *value) {
    struct err e = {0};
    struct command c = {.kind = kind};
    snprintf(c.value, sizeof c.value, "%s", value);
    if (!session_send(s, &c, &e)) fail_msg("%s", e.msg);
}

static void wait_until(struct session *s, bool (*holds)(const struct snapshot *)) {
    for (int i = 0; i < 20000; i++) {
        const struct snapshot *n = session_snapshot(s);
        const bool yes = holds(n);
        snapshot_release(n);
        if (yes) return;
        usleep(2000);
    }
    fail_msg("waited too long");
}

/* Stop at about the given tick with a checkpoint there. */
static void stopped(const struct played *p, const char *run, int tick) {
    const struct options o = tiny_options(p->options);
    char value[16], hash[32];
    struct session *s = start(run, &o, false, false);
    snprintf(value, sizeof value, "%d", tick);
    send(s, COMMAND_STEP, value); /* comes while models load */
    wait_until(s, is_paused);
    send(s, COMMAND_QUIT, "save");
    finish(p->name, s, hash);
}

/* End without a word, as after kill -9. */
static void killed(const struct played *p, const char *run, int tick) {
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct options o = tiny_options(p->options);
        struct session *s = start(run, &o, false, true);
        for (;;) {
            const struct snapshot *n = session_snapshot(s);
            if (n->tick >= tick || session_ended(s)) _exit(0);
            snapshot_release(n);
            usleep(500);
        }
    }
    int status;
    waitpid(child, &status, 0);
}

static void a_resumed_run_ends_at_the_same_bytes(void **state) {
    const struct played *p = *state;
    const struct options o = tiny_options(p->options);
    char run[32], whole[32], hash[32];
    snprintf(run, sizeof run, "%s-whole", p->name);
    finish(p->name, start(run, &o, false, true), whole);
    const int first = (int)number_in_database(run, "SELECT min(tick) FROM checkpoint"); /* the end of the first iteration */
    assert_true(first > 4);
    snprintf(run, sizeof run, "%s-stopped", p->name);
    stopped(p, run, first - 3);
    finish(p->name, start(run, &o, true, true), hash);
    assert_string_equal(hash, whole);
    snprintf(run, sizeof run, "%s-killed", p->name);
    killed(p, run, first + 3);
    finish(p->name, start(run, &o, true, true), hash);
    assert_string_equal(hash, whole);
}

/* ---- learning ---- */

/* Mean of a metric over the first and the last ten of its values. */
static void first_and_last(const char *run, const char *metric, double *first, double *last) {
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT avg(value) FROM (SELECT value FROM metric WHERE name='%s' ORDER BY tick LIMIT 10)", metric);
    *first = number_in_database(run, sql);
    snprintf(sql, sizeof sql, "SELECT avg(value) FROM (SELECT value FROM metric WHERE name='%s' ORDER BY tick DESC LIMIT 10)", metric);
    *last = number_in_database(run, sql);
}

/* Mean KL(teacher, student) at the states of some answers. */
static double distance_to_teacher(const char *student_path) {
    struct err e = {0};
    struct model *p = NULL, *q = NULL;
    struct tokenizer *t = NULL, *ignored = NULL;
    if (!model_open(in_folder("teacher.gguf"), &p, &t, &e) || !model_open(student_path, &q, &ignored, &e)) fail_msg("%s", e.msg);
    struct sequences s = {0};
    struct token_list x = {0}, y = {0};
    assert_true(chat_encode_prompt(t, CHAT_RAW, NULL, "what is 3 plus 77?", &x, &e));
    chat_encode_response(t, CHAT_RAW, "what is plus", &y);
    for (int n = 1; n <= (int)x.n; n++) sequences_add(&s, x.id, n, y.id, (int)y.n, false);
    const struct batch b = sequences_batch(&s);
    struct activations *ap = activations_new(), *aq = activations_new();
    struct head_space *space = head_space_new();
    const float *hp, *hq;
    assert_true(model_forward(p, ap, &b, false, &hp, &e) && model_forward(q, aq, &b, false, &hq, &e));
    const struct head_rows rp = sequences_rows(&s, hp), rq = sequences_rows(&s, hq);
    float *kl = calloc((size_t)rq.n, sizeof *kl);
    const struct divergence_out out = {.value = {[DIVERGENCE_FKL] = kl}};
    if (!divergence_measure(&(struct divergence_pair){p, q, &rp, &rq}, 0, 0, space, &out, &e)) fail_msg("%s", e.msg);
    double sum = 0;
    for (int i = 0; i < rq.n; i++) sum += (double)kl[i] / rq.n;
    free(kl);
    sequences_free(&s);
    token_list_free(&x);
    token_list_free(&y);
    head_space_free(space);
    activations_free(ap);
    activations_free(aq);
    tokenizer_free(t);
    tokenizer_free(ignored);
    model_free(p);
    model_free(q);
    return sum;
}

/* Without preferences to hold it, every step of the critic must raise the moments that it maximises, on the batch that it saw. */
static void the_critic_ascends(void **state) {
    (void)state;
    char hash[32];
    const struct options o = tiny_options("reward.access=white-box beta=0 game.rounds=20 game.reward_lr=0.001");
    finish("ascends", start("ascends", &o, false, true), hash);
    const char *const join = "FROM metric a JOIN metric b ON a.tick=b.tick AND a.name='gap.after_ascent' AND b.name='gap.after_descent'";
    char sql[300];
    snprintf(sql, sizeof sql, "SELECT min(a.value-b.value) %s", join);
    assert_true(number_in_database("ascends", sql) > 0);
    snprintf(sql, sizeof sql, "SELECT count(*) %s", join);
    assert_true(number_in_database("ascends", sql) == 40);
}

/* A student that matches all moments is the teacher: where no preferences pull it elsewhere, the game brings it nearer. */
static void the_white_box_game_nears_the_teacher(void **state) {
    (void)state;
    static const char *const PLAYED_ON[] = {"algorithm=moment teacher.temperature=1",
                                            "reward.access=white-box beta=0 teacher.temperature=1"};
    const double before = distance_to_teacher(in_folder("student.gguf"));
    for (size_t i = 0; i < sizeof PLAYED_ON / sizeof *PLAYED_ON; i++) {
        char run[32], text[300], path[200], hash[32];
        snprintf(run, sizeof run, "nears-%d", (int)i);
        snprintf(text, sizeof text, "%s iterations=1 game.rounds=200 game.reward_steps=2 game.policy_steps=1 game.policy_batch=16"
                                    " game.reward_batch=16 game.policy_lr=0.001 game.reward_lr=0.01 prompts.per_iteration=60", PLAYED_ON[i]);
        const struct options o = tiny_options(text);
        finish(text, start(run, &o, false, true), hash);
        snprintf(path, sizeof path, "%s/student.gguf", in_folder(run));
        const double after = distance_to_teacher(path);
        if (!(after < 0.75 * before)) fail_msg("%s: KL(teacher, student) from %g to %g", PLAYED_ON[i], before, after);
    }
}

static void moment_matching_has_no_preferences(void **state) {
    (void)state;
    char hash[32];
    const struct options o = tiny_options("algorithm=moment");
    finish("moment", start("alone", &o, false, true), hash);
    assert_true(number_in_database("alone", "SELECT count(*) FROM pair") == 0);
    assert_true(number_in_database("alone", "SELECT count(*) FROM metric WHERE name='gap.worst'") == 2);
    assert_true(number_in_database("alone", "SELECT count(*) FROM metric WHERE name IN ('gap.fitted','beta') OR name LIKE 'reward.%'") == 0);
}

static void a_divergence_falls(void **state) {
    (void)state;
    static const char *const NAMES[] = {"fkl", "rkl", "jsd", "skew_kl", "tv"};
    for (int i = 0; i < 5; i++) {
        char run[32], options[200], hash[32];
        double first, last;
        snprintf(run, sizeof run, "learn-%s", NAMES[i]);
        snprintf(options, sizeof options, "algorithm=%s iterations=1 game.rounds=20 game.policy_steps=10 game.policy_batch=8"
                                          " game.policy_lr=0.01", NAMES[i]);
        const struct options o = tiny_options(options);
        finish(NAMES[i], start(run, &o, false, true), hash);
        first_and_last(run, "distil.loss", &first, &last);
        if (!(last < 0.5 * first && last >= 0)) fail_msg("%s: from %g to %g", NAMES[i], first, last);
    }
}

/* The batches are drawn from 24 pairs, so the loss must fall far below ln 2, where it starts, and the margin leave 0. */
static void dpo_prefers_what_is_preferred(void **state) {
    (void)state;
    char hash[32];
    double loss0, loss1, margin0, margin1;
    const struct options o = tiny_options("algorithm=dpo iterations=1 game.rounds=10 game.policy_steps=10 game.policy_lr=0.003 label.flip=0 dpo.beta=0.5");
    finish("dpo", start("learn-dpo", &o, false, true), hash);
    first_and_last("learn-dpo", "dpo.loss", &loss0, &loss1);
    first_and_last("learn-dpo", "dpo.margin", &margin0, &margin1);
    assert_true(number_in_database("learn-dpo", "SELECT value FROM metric WHERE name='dpo.margin' ORDER BY tick LIMIT 1") == 0); /* pi = pi_0 */
    if (!(loss1 < 0.3 && margin1 > margin0 + 3)) fail_msg("loss %g to %g, margin %g to %g", loss0, loss1, margin0, margin1);
    assert_true(isnan(number_in_database("learn-dpo", "SELECT max(value) FROM metric WHERE name LIKE 'reward.%' OR name LIKE 'gap.worst%'")));
}

/* The reward is fitted in the first iteration and stays; the student comes to please it, by either gradient. */
static void a_fixed_reward_is_pleased(void **state) {
    (void)state;
    static const char *const FORMS[] = {"", " game.descent=sampled samples_per_prompt=4", " game.descent=sampled reward.access=white-box"};
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
        char hash[32], text[200];
        double first, last;
        const char *run = i ? "learn-ppo-sampled" : "learn-ppo";
        snprintf(text, sizeof text, "algorithm=ppo_fixed_rm game.rounds=10 game.policy_steps=10 game.policy_lr=0.003 game.policy_batch=16%s", FORMS[i]);
        const struct options o = tiny_options(text);
        if (i) dir_remove_tree(in_folder(run), NULL);
        finish("ppo", start(run, &o, false, true), hash);
        first_and_last(run, "student.reward", &first, &last);
        if (!(last > first + 1)) fail_msg("%s: reward of the student from %g to %g", text, first, last);
    }
    assert_true(number_in_database("learn-ppo", "SELECT count(DISTINCT iteration) FROM metric WHERE name='reward.nll'") == 1);
    assert_true(number_in_database("learn-ppo", "SELECT count(*) FROM metric WHERE name='reward.accuracy.newest'") == 2);
    assert_true(number_in_database("learn-ppo", "SELECT count(*) FROM metric WHERE name='gap.fitted'") == 2);
    assert_true(isnan(number_in_database("learn-ppo", "SELECT max(value) FROM metric WHERE name LIKE 'gap.after%' OR name LIKE 'gap.worst%'")));
}

/* ---- what cannot work ---- */

static void refused(const char *assignments, const char *const *words) {
    struct options o = tiny_options(assignments);
    struct err e = {0};
    if (strstr(assignments, "foreign")) snprintf(o.teacher_model, sizeof o.teacher_model, "%s", in_folder("foreign.gguf"));
    assert_false(options_check(&o, &e));
    for (; *words; words++)
        if (!strstr(e.msg, *words)) fail_msg("%s: \"%s\" says nothing of \"%s\"", assignments, e.msg, *words);
    const struct session_config c = {.options = o, .run_dir = in_folder("refused"), .headless = true};
    assert_null(session_start(&c, &e));
    assert_false(file_exists(in_folder("refused")));
}

static void what_cannot_work_is_refused(void **state) {
    (void)state;
    const char *const both[] = {"needs one vocabulary", "foreign.gguf", "student.gguf", NULL};
    static const char *const NAMES[] = {"fkl", "rkl", "jsd", "skew_kl", "tv"};
    for (int i = 0; i < 5; i++) {
        char text[100];
        snprintf(text, sizeof text, "algorithm=%s prompts.system=foreign", NAMES[i]);
        refused(text, both);
    }
    refused("reward.access=white-box prompts.system=foreign", both);
    refused("algorithm=ppo_fixed_rm reward.access=white-box prompts.system=foreign", both);
    refused("algorithm=moment prompts.system=foreign", both);
    refused("algorithm=moment reward.level=sequence game.descent=sampled", (const char *const[]){"reward.level", "moment", NULL});
    refused("reward.access=white-box reward.level=sequence game.descent=sampled", (const char *const[]){"reward.level", "white-box", NULL});
    refused("algorithm=jsd distil.coef=0", (const char *const[]){"distil.coef", "above 0 and below 1", NULL});
    refused("algorithm=jsd distil.coef=1", (const char *const[]){"distil.coef", NULL});
    refused("algorithm=skew_kl distil.coef=-0.5", (const char *const[]){"distil.coef", "or 0", NULL});
    refused("distil.on_policy=-0.5", (const char *const[]){"distil.on_policy", "between 0 and 1", NULL});
}

/* A teacher of another vocabulary serves black-box algorithms: it speaks text. */
static void a_foreign_teacher_may_speak(void **state) {
    (void)state;
    struct options o = tiny_options("algorithm=pbkd iterations=1");
    char hash[32];
    snprintf(o.teacher_model, sizeof o.teacher_model, "%s", in_folder("foreign.gguf"));
    finish("foreign", start("foreign", &o, false, true), hash);
}

int main(void) {
    enum { N_PLAYED = sizeof PLAYED / sizeof *PLAYED };
    static const struct CMUnitTest other[] = {
        cmocka_unit_test(the_critic_ascends),
        cmocka_unit_test(the_white_box_game_nears_the_teacher),
        cmocka_unit_test(moment_matching_has_no_preferences),
        cmocka_unit_test(a_divergence_falls),
        cmocka_unit_test(dpo_prefers_what_is_preferred),
        cmocka_unit_test(a_fixed_reward_is_pleased),
        cmocka_unit_test(what_cannot_work_is_refused),
        cmocka_unit_test(a_foreign_teacher_may_speak),
    };
    enum { N_OTHER = sizeof other / sizeof *other };
    struct CMUnitTest tests[N_PLAYED + N_OTHER];
    for (int i = 0; i < N_PLAYED; i++)
        tests[i] = (struct CMUnitTest){
            .name = PLAYED[i].options, .test_func = a_resumed_run_ends_at_the_same_bytes, .initial_state = (void *)(uintptr_t)&PLAYED[i]};
    memcpy(tests + N_PLAYED, other, sizeof other);
    return _cmocka_run_group_tests("algorithms", tests, N_PLAYED + N_OTHER, make_folder, remove_folder);
}
