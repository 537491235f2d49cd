/* Labels in whole runs of tiny random models: what is written by default, mixtures with noise that are cut off and resumed to the same bytes,
 * files of labels, shares of a person with and without a screen, and the vote over real token sequences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/base/strbuf.h"
#include "engine/formats/quant.h"
#include "engine/game/labelling.h"
#include "engine/model/model_io.h"
#include "engine/run/session.h"

static char folder[64]; /* teacher.gguf, student.gguf, prompts.jsonl, unanswered.jsonl, labels.jsonl */

static const char *in_folder(const char *name) {
    static char path[4][160];
    static int at;
    at = (at + 1) % 4;
    snprintf(path[at], sizeof path[at], "%s/%s", folder, name);
    return path[at];
}

static struct tokenizer *new_tokenizer(void) {
    static char text[80][32];
    const char *texts[80];
    struct err e = {0};
    for (int i = 0; i < 80; i++) texts[i] = text[i], snprintf(text[i], sizeof text[i], "what is %d plus %d?", i, 80 - i);
    struct tokenizer *t = tokenizer_train(texts, 80, 280, &e);
    if (!t) fail_msg("%s", e.msg);
    return t;
}

static void make_model(const char *name, const struct tokenizer *t, int d, uint64_t seed) {
    struct err e = {0};
    const struct model_config c = {.n_vocab = tokenizer_n_vocab(t), .d_model = d, .n_layer = 1, .n_head = 2, .n_kv_head = 1, .head_dim = d / 2,
                                   .d_ff = 2 * d, .n_ctx = 64, .rope_base = 10000, .rms_eps = 1e-5f, .tied = true};
    struct model *m = model_new(&c, false, &e);
    assert_non_null(m);
    model_init(m, seed);
    if (!model_save(m, t, in_folder(name), QUANT_F32, &e)) fail_msg("%s", e.msg);
    model_free(m);
}

static void write_file(const char *name, const char *text) {
    struct err e = {0};
    if (!atomic_write(in_folder(name), text, strlen(text), &e)) fail_msg("%s", e.msg);
}

static void write_prompts(const char *name, const char *rest) {
    struct strbuf b = {0};
    for (int i = 0; i < 80; i++) strbuf_printf(&b, "{\"prompt\": \"what is %d plus %d?\"%s}\n", i, 80 - i, rest);
    write_file(name, strbuf_str(&b));
    strbuf_free(&b);
}

/* 20 labels that train or are held out, one of the same texts, one of a prompt that is too long. */
static void write_labels(void) {
    struct strbuf b = {0};
    for (int i = 0; i < 10; i++) {
        strbuf_printf(&b, "{\"prompt\": \"file %d\", \"chosen\": \"yes\", \"rejected\": \"no\", \"annotator\": \"ann\"}\n", i);
        strbuf_printf(&b, "{\"prompt\": \"file %d\", \"response_a\": \"is\", \"response_b\": \"plus what\", \"preference\": \"b\","
                          " \"strength\": 2}\n", i);
    }
    strbuf_puts(&b, "{\"prompt\": \"file\", \"chosen\": \"yes\", \"rejected\": \"yes\"}\n{\"prompt\": \"");
    for (int i = 0; i < 100; i++) strbuf_puts(&b, "long ");
    strbuf_puts(&b, "\", \"chosen\": \"yes\", \"rejected\": \"no\"}\n");
    write_file("labels.jsonl", strbuf_str(&b));
    strbuf_free(&b);
}

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/pbkd-labelling-XXXXXX");
    assert_non_null(mkdtemp(folder));
    struct tokenizer *t = new_tokenizer();
    make_model("teacher.gguf", t, 16, 1);
    make_model("student.gguf", t, 12, 2);
    tokenizer_free(t);
    write_prompts("prompts.jsonl", ", \"answer\": \"80\"");
    write_prompts("unanswered.jsonl", "");
    write_labels();
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    dir_remove_tree(folder, NULL);
    return 0;
}

/* "a=b c=d" on top of a run of a second */
static struct options tiny_options(const char *assignments) {
    struct options o;
    struct err e = {0};
    char text[1200];
    options_default(&o);
    snprintf(text, sizeof text, "iterations=2 threads=1 prompts.per_iteration=20 samples_per_prompt=2 max_new_tokens=6 game.rounds=1"
             " game.policy_steps=1 game.policy_batch=4 game.reward_batch=4 reward.steps=3 reward.batch=6 reward.gate=0 eval.prompts=4"
             " eval.gap_prompts=4 eval.bootstrap=100 prompts.checker=number teacher.model=%s student.model=%s prompts.train=%s %s",
             in_folder("teacher.gguf"), in_folder("student.gguf"), in_folder("prompts.jsonl"), assignments);
    for (char *rest, *one = strtok_r(text, " ", &rest); one; one = strtok_r(NULL, " ", &rest))
        if (!option_set_assignment(&o, one, &e)) fail_msg("%s", e.msg);
    return o;
}

static struct options with_labels(const char *assignments) {
    struct options o = tiny_options(assignments);
    snprintf(o.label_import, sizeof o.label_import, "%s", in_folder("labels.jsonl"));
    return o;
}

static struct session *try_start(const char *name, const struct options *o, bool resume, bool headless, struct err *e) {
    const struct session_config c = {.options = *o, .run_dir = in_folder(name), .title = "test", .resume = resume, .headless = headless};
    return session_start(&c, e);
}

static struct session *start(const char *name, const struct options *o, bool resume, bool headless) {
    struct err e = {0};
    struct session *s = try_start(name, o, resume, headless, &e);
    if (!s) fail_msg("%s", e.msg);
    return s;
}

static void finish(struct session *s, char hash[32]) {
    bool ok;
    char *json = NULL;
    struct err e = {0};
    session_finish(s, &ok, &json, &e);
    if (!ok) fail_msg("%s", e.msg);
    const char *at = strstr(json, "\"weights_hash\":\"");
    assert_non_null(at);
    snprintf(hash, 32, "%.16s", at + strlen("\"weights_hash\":\""));
    free(json);
}

static void run(const char *name, const struct options *o, char hash[32]) { finish(start(name, o, false, true), hash); }

static void start_fails(const char *name, const struct options *o, const char *why) {
    struct err e = {""};
    assert_null(try_start(name, o, false, true, &e));
    if (!strstr(e.msg, why)) fail_msg("expected \"%s\" in \"%s\"", why, e.msg);
    assert_false(file_exists(in_folder(name)));
}

static void run_fails(const char *name, const struct options *o, const char *why) {
    struct err e = {""};
    bool ok = true;
    session_finish(start(name, o, false, true), &ok, NULL, &e);
    assert_false(ok);
    if (!strstr(e.msg, why)) fail_msg("expected \"%s\" in \"%s\"", why, e.msg);
}

static bool wait_until(struct session *s, bool (*holds)(const struct snapshot *)) {
    for (int i = 0; i < 3000; i++) {
        const struct snapshot *n = session_snapshot(s);
        const bool yes = holds(n);
        snapshot_release(n);
        if (yes) return true;
        if (session_ended(s) && i > 2) return false;
        usleep(20000);
    }
    return false;
}

static int64_t number(const char *name, const char *what) {
    char path[200], sql[300];
    struct db db;
    struct err e = {0};
    int64_t x = -1;
    snprintf(path, sizeof path, "%s/run.db", in_folder(name));
    snprintf(sql, sizeof sql, "SELECT count(*) FROM pair p JOIN prompt q ON q.id=p.prompt WHERE %s", what);
    if (!db_open(&db, path, DB_READ, false, &e) || !db_get_int(&db, &e, &x, -1, sql, "")) fail_msg("%s: %s", what, e.msg);
    db_close(&db);
    return x;
}

/* Every pair with its label; caller frees. */
static char *pairs_of(const char *name) {
    char path[200];
    struct db db;
    struct err e = {0};
    struct strbuf b = {0};
    bool row = false;
    snprintf(path, sizeof path, "%s/run.db", in_folder(name));
    if (!db_open(&db, path, DB_READ, false, &e)) fail_msg("%s", e.msg);
    sqlite3_stmt *s = db_prepare(&db, &e, "SELECT id,tick,pair_hash,heldout,source,active,o,weight,flip,strength,noise,flipped,annotator"
                                           " FROM pair ORDER BY id", "");
    while (db_step(&db, s, &row, &e) && row) {
        for (int i = 0; i < 13; i++) strbuf_printf(&b, "%s ", sqlite3_column_text(s, i) ? (const char *)sqlite3_column_text(s, i) : "-");
        strbuf_putc(&b, '\n');
    }
    sqlite3_finalize(s);
    db_close(&db);
    return strbuf_take(&b);
}

/* ---- the default ---- */

static void by_default_the_teacher_is_always_preferred(void **state) {
    (void)state;
    char plain[32], spelt[32], noisy[32], margin[32];
    struct options o = tiny_options("");
    assert_string_equal(o.labeller, "teacher");
    run("plain", &o, plain);
    assert_true(number("plain", "1") > 20);
    assert_int_equal(number("plain", "source=1 AND active AND o=1 AND weight=1 AND flip=0.05 AND strength=1 AND noise=0 AND NOT flipped"
                                     " AND annotator IS NULL"),
                     number("plain", "1"));
    o = tiny_options("labeller=teacher:3,human:0 label.noise=0 label.margin=0 label.flip_oracle=0.3 label.weight_self=9");
    run("spelt", &o, spelt);
    assert_string_equal(plain, spelt);
    o = tiny_options("label.noise=0.4");
    run("noisy", &o, noisy);
    assert_string_not_equal(plain, noisy);
    assert_int_equal(number("noisy", "1"), number("noisy", "source=1 AND noise=0.4 AND o=1-flipped AND flip=0.05"));
    const double turned = (double)number("noisy", "flipped") / (double)number("noisy", "1");
    assert_true(turned > 0.15 && turned < 0.65);
    o = tiny_options("label.margin=2");
    run("margin", &o, margin);
    assert_string_not_equal(plain, margin);
}

/* ---- cut off and resumed ---- */

static void killed_and_resumed(const char *name, const struct options *o, int at_tick, const char *expected, const char *pairs) {
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct session *s = start(name, o, false, true);
        for (;;) {
            const struct snapshot *n = session_snapshot(s);
            if (n->tick >= at_tick || session_ended(s)) raise(SIGKILL);
            snapshot_release(n);
            usleep(500);
        }
    }
    int status;
    char hash[32];
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    finish(start(name, o, true, true), hash);
    assert_string_equal(hash, expected);
    char *now = pairs_of(name);
    assert_string_equal(now, pairs);
    free(now);
}

static void a_noisy_mixture_resumes_to_the_same_bytes(void **state) {
    (void)state;
    char expected[32], again[32], other[32];
    struct options o = with_labels("labeller=teacher:0.5,oracle:0.3,self:0.2 label.noise=0.3 label.margin=0.5");
    run("mixed", &o, expected);
    char *pairs = pairs_of("mixed");
    assert_true(number("mixed", "source=1") > 0 && number("mixed", "source=4 AND o=0.5") > 0 && number("mixed", "source=0") > 0);
    assert_true(number("mixed", "flipped") > 0 && number("mixed", "source=1 AND NOT flipped") > 0);
    assert_int_equal(number("mixed", "source=3"), 20);
    assert_int_equal(number("mixed", "source=3 AND noise=0 AND NOT flipped"), 20);
    run("mixed-again", &o, again);
    assert_string_equal(again, expected);
    killed_and_resumed("mixed-early", &o, 2, expected, pairs); /* before the first checkpoint: the file is read again */
    killed_and_resumed("mixed-late", &o, 18, expected, pairs);
    o.seed = 2;
    run("mixed-other", &o, other);
    assert_string_not_equal(other, expected);
    free(pairs);
}

/* ---- a file of labels ---- */

static void labels_of_a_file_join_once(void **state) {
    (void)state;
    char hash[32], plain[32];
    struct options o = with_labels("");
    run("joined", &o, hash);
    assert_int_equal(number("joined", "source=3"), 20);
    assert_int_equal(number("joined", "source=3 AND iteration=1 AND p.id<=20 AND active AND weight=1 AND flip=0.05"), 20);
    assert_int_equal(number("joined", "source=3 AND text0='yes' AND o=1 AND strength=1 AND annotator='ann'"), 10);
    assert_int_equal(number("joined", "source=3 AND text0='is' AND o=0 AND strength=2 AND annotator IS NULL AND truncated1=0"), 10);
    assert_true(number("joined", "source=1 AND iteration=2") > 0);
    for (int i = 0; i < 10; i++) { /* the rule of all prompts */
        char prompt[16], what[80];
        snprintf(prompt, sizeof prompt, "file %d", i);
        snprintf(what, sizeof what, "q.text='%s' AND heldout=%d", prompt, dpref_is_heldout(hash_text(prompt)));
        assert_int_equal(number("joined", what), 2);
    }
    o = tiny_options("");
    run("joined-not", &o, plain);
    assert_string_not_equal(hash, plain);
}

static void a_file_may_be_all_there_is(void **state) {
    (void)state;
    char hash[32], weightless[32];
    struct options o = with_labels("labeller=import label.flip_import=0.2 label.weight_import=3");
    run("alone", &o, hash);
    assert_int_equal(number("alone", "1"), 20);
    assert_int_equal(number("alone", "source=3 AND flip=0.2 AND weight=3"), 20);
    o = with_labels("labeller=import algorithm=dpo");
    run("alone-dpo", &o, weightless);
    assert_int_equal(number("alone-dpo", "1"), 20);
    o = with_labels("labeller=import algorithm=rkl"); /* makes no pairs, so it takes in none */
    run("alone-rkl", &o, weightless);
    assert_int_equal(number("alone-rkl", "1"), 0);
}

static void a_bad_file_stops_the_start(void **state) {
    (void)state;
    struct options o = tiny_options("");
    write_file("bad.jsonl", "{\"prompt\": \"p\", \"chosen\": \"a\", \"rejected\": \"b\"}\n\n{\"prompt\": \"p\", \"chosen\": \"a\"}\n");
    snprintf(o.label_import, sizeof o.label_import, "%s", in_folder("bad.jsonl"));
    start_fails("bad", &o, "bad.jsonl:3: \"rejected\" is missing");
    snprintf(o.label_import, sizeof o.label_import, "%s", in_folder("nowhere.jsonl"));
    start_fails("bad", &o, "label.import: cannot read");
    write_file("same.jsonl", "{\"prompt\": \"p\", \"chosen\": \"a\", \"rejected\": \"a\"}\n");
    snprintf(o.label_import, sizeof o.label_import, "%s", in_folder("same.jsonl"));
    run_fails("same", &o, "same.jsonl: no usable label (0 prompts are too long, 1 times the responses are the same)");
    assert_int_equal(number("same", "1"), 0);
}

/* ---- who cannot label ---- */

static void what_a_labeller_needs_is_asked_for(void **state) {
    (void)state;
    struct options o = tiny_options("labeller=teacher:0.5,human:0.5");
    start_fails("nobody", &o, "labeller: human needs the workbench; a headless run has nobody to ask");
    o = tiny_options("labeller=human");
    start_fails("nobody", &o, "a headless run has nobody to ask");
    o = tiny_options("labeller=oracle prompts.checker=none");
    start_fails("nobody", &o, "\"oracle\" needs prompts.checker");
    o = tiny_options("labeller=import");
    start_fails("nobody", &o, "\"import\" needs a file of labels");
    o = tiny_options("labeller=oracle");
    snprintf(o.prompts_train, sizeof o.prompts_train, "%s", in_folder("unanswered.jsonl"));
    run_fails("unanswered", &o, "labelled by oracle, none trains the reward");
    assert_int_equal(number("unanswered", "source=0 AND NOT active"), number("unanswered", "1"));
}

/* ---- a person's share ---- */

static bool is_waiting(const struct snapshot *n) { return n->state == RUN_WAITING; }
static bool is_over(const struct snapshot *n) { return n->state == RUN_DONE; }
static bool all_labelled(const struct snapshot *n) { return n->labels_human > 0 && n->labels_waiting == 0; }

static void vote(struct session *s, const struct shown_pair *p) {
    struct err e = {0};
    struct label_event ev = {.annotator = "tester", .pair_id = p->id, .pair_hash = p->pair_hash, .decision = DECISION_B, .strength = 2,
                             .sampler = "newest", .propensity = 1};
    if (!session_label(s, &ev, &e)) fail_msg("%s", e.msg);
}

/* The teacher's half of the labels is there, but the run waits for the other half: labeller.min_labels is more than there are. */
static void a_share_of_a_person_is_waited_for(void **state) {
    (void)state;
    char hash[32], again[32];
    struct options o = tiny_options("labeller=teacher:0.5,human:0.5 iterations=1 prompts.per_iteration=12 labeller.min_labels=1000");
    struct session *s = start("shared", &o, false, false);
    assert_true(wait_until(s, is_waiting));
    const struct snapshot *n = session_snapshot(s);
    assert_true(n->n_by_source[SOURCE_TEACHER] > 0 && n->labels_waiting > 0 && n->labels_human == 0 && n->n_shown == n->n_pairs);
    for (int i = 0; i < n->n_shown; i++)
        if (n->pair[i].source == SOURCE_NONE) vote(s, &n->pair[i]);
    snapshot_release(n);
    assert_true(wait_until(s, all_labelled));
    assert_true(wait_until(s, is_over));
    finish(s, hash);
    finish(start("shared", &o, true, false), again);
    assert_string_equal(hash, again);
}

static bool is_paused(const struct snapshot *n) { return n->state == RUN_PAUSED; }
static bool has_pairs(const struct snapshot *n) { return n->n_pairs > 0; }

static uint64_t set(struct session *s, const char *value, struct err *e) {
    struct command c = {.kind = COMMAND_SET, .name = "labeller"};
    snprintf(c.value, sizeof c.value, "%s", value);
    return session_send(s, &c, e);
}

static void the_labeller_changes_with_the_iteration(void **state) {
    (void)state;
    char hash[32], again[32];
    struct err e = {""};
    struct options o = tiny_options("iterations=1000 prompts.checker=none");
    struct session *s = start("changed", &o, false, false);
    struct command pause = {.kind = COMMAND_PAUSE}, resume = {.kind = COMMAND_RESUME}, last = {.kind = COMMAND_SET, .name = "iterations"};
    char what[80];
    assert_true(wait_until(s, has_pairs));
    assert_true(session_send(s, &pause, &e) > 0);
    assert_true(wait_until(s, is_paused));
    const struct snapshot *n = session_snapshot(s);
    const int before = n->iteration;
    const bool between = n->phase == PHASE_COLLECT; /* may be at the very start of an iteration */
    snapshot_release(n);
    assert_int_equal(set(s, "nobody", &e), 0);
    assert_non_null(strstr(e.msg, "must be one of teacher, human"));
    assert_int_equal(set(s, "oracle:0.5,teacher:0.5", &e), 0);
    assert_non_null(strstr(e.msg, "\"oracle\" needs prompts.checker"));
    assert_int_equal(set(s, "import", &e), 0);
    if (!set(s, "teacher:0.5,self:0.5", &e)) fail_msg("%s", e.msg);
    snprintf(last.value, sizeof last.value, "%d", before + 1);
    assert_true(session_send(s, &last, &e) > 0 && session_send(s, &resume, &e) > 0);
    finish(s, hash);
    snprintf(what, sizeof what, "iteration<=%d AND source<>1", before - between);
    assert_int_equal(number("changed", what), 0);
    snprintf(what, sizeof what, "iteration>%d AND source<>1", before);
    assert_true(number("changed", what) > 0);
    snprintf(what, sizeof what, "iteration>%d AND source=1", before);
    assert_true(number("changed", what) > 0);
    char *pairs = pairs_of("changed");
    struct db db;
    if (!db_open(&db, in_folder("changed/run.db"), DB_WRITE, false, &e) || !db_exec(&db, "DELETE FROM checkpoint", &e)) fail_msg("%s", e.msg);
    db_close(&db);
    finish(start("changed", &o, true, true), again); /* from the journal alone */
    assert_string_equal(hash, again);
    char *now = pairs_of("changed");
    assert_string_equal(now, pairs);
    free(now);
    free(pairs);
}

/* ---- the vote over tokens ---- */

static struct gen_output response(struct tokenizer *t, const char *text, bool cut) {
    struct token_list y = {0};
    chat_encode_response(t, CHAT_RAW, text, &y);
    return (struct gen_output){.token = y.id, .n = (int)y.n - cut, .truncated = cut};
}

static void samples_vote_on_the_answer(void **state) {
    (void)state;
    static const char *const TEXT[] = {"is 80", "80.0", "plus 7", "what is 7", "7"};
    static const bool CUT[] = {false, false, false, true, true}; /* 7 has one vote that counts */
    enum { K = 5 };
    struct options o = tiny_options("labeller=self");
    struct prompt x = {.text = (char *)"what is 1 plus 79?", .answer = (char *)"7"}; /* the checker would say otherwise: it is not asked */
    struct game g = {.o = &o, .tok = new_tokenizer(), .train = {.prompt = &x, .n = 1}, .st = {.tick = 4, .iteration = 2}};
    const struct teacher_output y0 = {.text = (char *)"it is 7"}, right = {.text = (char *)"80"};
    struct gen_output y[K];
    struct labelling l;
    struct pref_pair p;
    for (int i = 0; i < K; i++) y[i] = response(g.tok, TEXT[i], CUT[i]);
    labelling_begin(&l, &g, &y0, y, K);
    assert_string_equal(l.vote.majority, "80");
    const double o_expected[K] = {0, 0, 0.5, 0.5, 0.5}, strength[K] = {0.2, 0.2, 0, 0, 0};
    for (int i = 0; i < K; i++) {
        assert_int_equal(labelling_pair(&l, &g, i, (uint64_t)i, &p), LABEL_GIVEN);
        assert_true(p.tick == 4 && p.iteration == 2 && p.source == SOURCE_SELF && p.o == o_expected[i] && p.flip == 0.1);
        assert_true(fabs(p.strength - strength[i]) < 1e-15);
    }
    labelling_end(&l);
    labelling_begin(&l, &g, &right, y, K);
    labelling_pair(&l, &g, 2, 2, &p);
    assert_true(p.o == 1.0 && fabs(p.strength - 0.2) < 1e-15);
    labelling_end(&l);
    o.prompts_checker = CHECKER_NONE; /* whole texts: all differ */
    labelling_begin(&l, &g, &right, y, K);
    assert_null(l.vote.majority);
    assert_int_equal(labelling_pair(&l, &g, 0, 0, &p), LABEL_AWAITED);
    labelling_end(&l);
    for (int i = 0; i < K; i++) free(y[i].token);
    tokenizer_free(g.tok);
}

static void the_oracle_sees_the_answer(void **state) {
    (void)state;
    struct options o = tiny_options("labeller=oracle");
    struct prompt x = {.text = (char *)"what is 1 plus 79?", .answer = (char *)"#### 80"};
    struct game g = {.o = &o, .tok = new_tokenizer(), .train = {.prompt = &x, .n = 1}};
    const struct teacher_output y0 = {.text = (char *)"it is 79"};
    struct gen_output y[] = {response(g.tok, "80", false), response(g.tok, "8", false)};
    struct labelling l;
    struct pref_pair p;
    labelling_begin(&l, &g, &y0, y, 2);
    assert_int_equal(labelling_pair(&l, &g, 0, 0, &p), LABEL_GIVEN);
    assert_true(p.source == SOURCE_ORACLE && p.o == 0.0 && p.flip == 0.02);
    assert_int_equal(labelling_pair(&l, &g, 1, 1, &p), LABEL_GIVEN);
    assert_true(p.o == 0.5);
    labelling_end(&l);
    free(y[0].token);
    free(y[1].token);
    tokenizer_free(g.tok);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_default_the_teacher_is_always_preferred), cmocka_unit_test(a_noisy_mixture_resumes_to_the_same_bytes),
        cmocka_unit_test(labels_of_a_file_join_once),                 cmocka_unit_test(a_file_may_be_all_there_is),
        cmocka_unit_test(a_bad_file_stops_the_start),                 cmocka_unit_test(what_a_labeller_needs_is_asked_for),
        cmocka_unit_test(a_share_of_a_person_is_waited_for),          cmocka_unit_test(the_labeller_changes_with_the_iteration),
        cmocka_unit_test(samples_vote_on_the_answer),                 cmocka_unit_test(the_oracle_sees_the_answer),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
