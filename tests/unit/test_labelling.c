/* Labels in whole runs of tiny random models: what is written by default, mixtures with noise that are cut off and
 * resumed to the same bytes, files of labels, shares of a person with and without a screen, and the vote over real
 * token sequences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/base/strbuf.h"
#include "engine/game/labelling.h"
#include "tests/support/tiny_runs.h"

/* 20 labels that train or are held out, one of the same texts, one of a prompt that is too long. */
static void write_labels(void) {
    struct strbuf b = {0};
    for (int i = 0; i < 10; i++) {
        strbuf_printf(
            &b, "{\"prompt\": \"file %d\", \"chosen\": \"yes\", \"rejected\": \"no\", \"annotator\": \"ann\"}\n", i);
        strbuf_printf(
            &b,
            "{\"prompt\": \"file %d\", \"response_a\": \"is\", \"response_b\": \"plus what\", \"preference\": \"b\","
            " \"strength\": 2}\n",
            i);
    }
    strbuf_puts(&b, "{\"prompt\": \"file\", \"chosen\": \"yes\", \"rejected\": \"yes\"}\n{\"prompt\": \"");
    for (int i = 0; i < 100; i++) strbuf_puts(&b, "long ");
    strbuf_puts(&b, "\", \"chosen\": \"yes\", \"rejected\": \"no\"}\n");
    tiny_write("labels.jsonl", strbuf_str(&b));
    strbuf_free(&b);
}

static int make_folder(void **state) {
    tiny_folder(state);
    tiny_write_prompts("unanswered.jsonl", 80, 0, "");
    write_labels();
    return 0;
}

/* A run of a second. */
static struct options short_options(const char *assignments) {
    char text[600];
    snprintf(text, sizeof text, "game.rounds=1 game.policy_steps=1 game.reward_batch=4 eval.prompts=4 %s", assignments);
    return tiny_options(text);
}

static struct options with_labels(const char *assignments) {
    struct options o = short_options(assignments);
    snprintf(o.label_import, sizeof o.label_import, "%s", tiny_path("labels.jsonl"));
    return o;
}

static int64_t number(const char *name, const char *what) {
    char sql[300];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM pair p JOIN prompt q ON q.id=p.prompt WHERE %s", what);
    return tiny_count(name, sql);
}

/* Every pair with its label; caller frees. */
static char *pairs_of(const char *name) {
    return tiny_rows(name,
                     "SELECT id,tick,pair_hash,heldout,source,active,o,weight,flip,strength,noise,flipped,annotator "
                     "FROM pair ORDER BY id");
}

/* ---- the default ---- */

static void by_default_the_teacher_is_always_preferred(void **state) {
    (void)state;
    char plain[32], spelt[32], noisy[32], margin[32];
    struct options o = short_options("");
    assert_string_equal(o.labeller, "teacher");
    tiny_play("plain", &o, false, plain);
    assert_true(number("plain", "1") > 20);
    assert_int_equal(
        number("plain",
               "source=1 AND active AND o=1 AND weight=1 AND flip=0.05 AND strength=1 AND noise=0 AND NOT flipped"
               " AND annotator IS NULL"),
        number("plain", "1"));
    o = short_options(
        "labeller=teacher:3,human:0 label.noise=0 label.margin=0 label.flip_oracle=0.3 label.weight_self=9");
    tiny_play("spelt", &o, false, spelt);
    assert_string_equal(plain, spelt);
    o = short_options("label.noise=0.4");
    tiny_play("noisy", &o, false, noisy);
    assert_string_not_equal(plain, noisy);
    assert_int_equal(number("noisy", "1"), number("noisy", "source=1 AND noise=0.4 AND o=1-flipped AND flip=0.05"));
    const double turned = (double)number("noisy", "flipped") / (double)number("noisy", "1");
    assert_true(turned > 0.15 && turned < 0.65);
    o = short_options("label.margin=2");
    tiny_play("margin", &o, false, margin);
    assert_string_not_equal(plain, margin);
}

/* ---- cut off and resumed ---- */

static void killed_and_resumed(const char *name, const struct options *o, int at_tick, const char *expected,
                               const char *pairs) {
    char hash[32];
    tiny_kill(name, o, at_tick);
    tiny_play(name, o, true, hash);
    assert_string_equal(hash, expected);
    char *now = pairs_of(name);
    assert_string_equal(now, pairs);
    free(now);
}

static void a_noisy_mixture_resumes_to_the_same_bytes(void **state) {
    (void)state;
    char expected[32], again[32], other[32];
    struct options o = with_labels("labeller=teacher:0.5,oracle:0.3,self:0.2 label.noise=0.3 label.margin=0.5");
    tiny_play("mixed", &o, false, expected);
    char *pairs = pairs_of("mixed");
    assert_true(number("mixed", "source=1") > 0 && number("mixed", "source=4 AND o=0.5") > 0 &&
                number("mixed", "source=0") > 0);
    assert_true(number("mixed", "flipped") > 0 && number("mixed", "source=1 AND NOT flipped") > 0);
    assert_int_equal(number("mixed", "source=3"), 20);
    assert_int_equal(number("mixed", "source=3 AND noise=0 AND NOT flipped"), 20);
    tiny_play("mixed-again", &o, false, again);
    assert_string_equal(again, expected);
    killed_and_resumed("mixed-early", &o, 2, expected, pairs); /* before the first checkpoint: the file is read again */
    killed_and_resumed("mixed-late", &o, 18, expected, pairs);
    o.seed = 2;
    tiny_play("mixed-other", &o, false, other);
    assert_string_not_equal(other, expected);
    free(pairs);
}

/* ---- a file of labels ---- */

static void labels_of_a_file_join_once(void **state) {
    (void)state;
    char hash[32], plain[32];
    struct options o = with_labels("");
    tiny_play("joined", &o, false, hash);
    assert_int_equal(number("joined", "source=3"), 20);
    assert_int_equal(number("joined", "source=3 AND iteration=1 AND p.id<=20 AND active AND weight=1 AND flip=0.05"),
                     20);
    assert_int_equal(number("joined", "source=3 AND text0='yes' AND o=1 AND strength=1 AND annotator='ann'"), 10);
    assert_int_equal(
        number("joined", "source=3 AND text0='is' AND o=0 AND strength=2 AND annotator IS NULL AND truncated1=0"), 10);
    assert_true(number("joined", "source=1 AND iteration=2") > 0);
    for (int i = 0; i < 10; i++) { /* the rule of all prompts */
        char prompt[16], what[80];
        snprintf(prompt, sizeof prompt, "file %d", i);
        snprintf(what, sizeof what, "q.text='%s' AND heldout=%d", prompt, dpref_is_heldout(hash_text(prompt)));
        assert_int_equal(number("joined", what), 2);
    }
    o = short_options("");
    tiny_play("joined-not", &o, false, plain);
    assert_string_not_equal(hash, plain);
}

static void a_file_may_be_all_there_is(void **state) {
    (void)state;
    char hash[32], weightless[32];
    struct options o = with_labels("labeller=import label.flip_import=0.2 label.weight_import=3");
    tiny_play("alone", &o, false, hash);
    assert_int_equal(number("alone", "1"), 20);
    assert_int_equal(number("alone", "source=3 AND flip=0.2 AND weight=3"), 20);
    o = with_labels("labeller=import algorithm=dpo");
    tiny_play("alone-dpo", &o, false, weightless);
    assert_int_equal(number("alone-dpo", "1"), 20);
    o = with_labels("labeller=import algorithm=rkl"); /* makes no pairs, so it takes in none */
    tiny_play("alone-rkl", &o, false, weightless);
    assert_int_equal(number("alone-rkl", "1"), 0);
}

static void a_bad_file_stops_the_start(void **state) {
    (void)state;
    struct options o = short_options("");
    tiny_write(
        "bad.jsonl",
        "{\"prompt\": \"p\", \"chosen\": \"a\", \"rejected\": \"b\"}\n\n{\"prompt\": \"p\", \"chosen\": \"a\"}\n");
    snprintf(o.label_import, sizeof o.label_import, "%s", tiny_path("bad.jsonl"));
    tiny_start_fails("bad", &o, false, "bad.jsonl:3: \"rejected\" is missing");
    snprintf(o.label_import, sizeof o.label_import, "%s", tiny_path("nowhere.jsonl"));
    tiny_start_fails("bad", &o, false, "label.import: cannot read");
    tiny_write("same.jsonl", "{\"prompt\": \"p\", \"chosen\": \"a\", \"rejected\": \"a\"}\n");
    snprintf(o.label_import, sizeof o.label_import, "%s", tiny_path("same.jsonl"));
    tiny_play_fails("same", &o,
                    "same.jsonl: no usable label (0 prompts are too long, 1 times the responses are the same)");
    assert_int_equal(number("same", "1"), 0);
}

/* ---- who cannot label ---- */

static void what_a_labeller_needs_is_asked_for(void **state) {
    (void)state;
    struct options o = short_options("labeller=teacher:0.5,human:0.5");
    tiny_start_fails("nobody", &o, false, "labeller: human needs the workbench; a headless run has nobody to ask");
    o = short_options("labeller=human");
    tiny_start_fails("nobody", &o, false, "a headless run has nobody to ask");
    o = short_options("labeller=oracle prompts.checker=none");
    tiny_start_fails("nobody", &o, false, "\"oracle\" needs prompts.checker");
    o = short_options("labeller=import");
    tiny_start_fails("nobody", &o, false, "\"import\" needs a file of labels");
    o = short_options("labeller=oracle");
    snprintf(o.prompts_train, sizeof o.prompts_train, "%s", tiny_path("unanswered.jsonl"));
    tiny_play_fails("unanswered", &o, "labelled by oracle, none trains the reward");
    assert_int_equal(number("unanswered", "source=0 AND NOT active"), number("unanswered", "1"));
}

/* ---- a person's share ---- */

static bool all_labelled(const struct snapshot *n) { return n->labels_human > 0 && n->labels_waiting == 0; }

static void vote(struct session *s, const struct shown_pair *p) {
    struct err e = {0};
    struct label_event ev = tiny_event(p, DECISION_B);
    ev.strength = 2;
    if (!session_label(s, &ev, &e)) fail_msg("%s", e.msg);
}

/* The teacher's half of the labels is there, but the run waits for the other half: labeller.min_labels is more than
 * there are. */
static void a_share_of_a_person_is_waited_for(void **state) {
    (void)state;
    char hash[32], again[32];
    struct options o =
        short_options("labeller=teacher:0.5,human:0.5 iterations=1 prompts.per_iteration=12 labeller.min_labels=1000");
    struct session *s = tiny_start("shared", &o, false, false);
    assert_true(tiny_wait_state(s, RUN_WAITING));
    const struct snapshot *n = session_snapshot(s);
    assert_true(n->n_by_source[SOURCE_TEACHER] > 0 && n->labels_waiting > 0 && n->labels_human == 0 &&
                n->n_shown == n->n_pairs);
    for (int i = 0; i < n->n_shown; i++)
        if (n->pair[i].source == SOURCE_NONE) vote(s, &n->pair[i]);
    snapshot_release(n);
    assert_true(tiny_wait(s, all_labelled));
    assert_true(tiny_wait_state(s, RUN_DONE));
    tiny_finish(s, hash);
    tiny_finish(tiny_start("shared", &o, true, false), again);
    assert_string_equal(hash, again);
}

static bool has_pairs(const struct snapshot *n) { return n->n_pairs > 0; }

static void the_labeller_changes_with_the_iteration(void **state) {
    (void)state;
    char hash[32], again[32];
    struct options o = short_options("iterations=1000 prompts.checker=none");
    struct session *s = tiny_start("changed", &o, false, false);
    char what[80];
    assert_true(tiny_wait(s, has_pairs));
    tiny_send(s, COMMAND_PAUSE, "", "");
    assert_true(tiny_wait_state(s, RUN_PAUSED));
    const struct snapshot *n = session_snapshot(s);
    const int before = n->iteration;
    const bool between = n->phase == PHASE_COLLECT; /* may be at the very start of an iteration */
    snapshot_release(n);
    tiny_set_fails(s, "labeller", "nobody", "must be one of teacher, human");
    tiny_set_fails(s, "labeller", "oracle:0.5,teacher:0.5", "\"oracle\" needs prompts.checker");
    tiny_set_fails(s, "labeller", "import", "");
    tiny_send(s, COMMAND_SET, "labeller", "teacher:0.5,self:0.5");
    snprintf(what, sizeof what, "%d", before + 1);
    tiny_send(s, COMMAND_SET, "iterations", what);
    tiny_send(s, COMMAND_RESUME, "", "");
    tiny_finish(s, hash);
    snprintf(what, sizeof what, "iteration<=%d AND source<>1", before - between);
    assert_int_equal(number("changed", what), 0);
    snprintf(what, sizeof what, "iteration>%d AND source<>1", before);
    assert_true(number("changed", what) > 0);
    snprintf(what, sizeof what, "iteration>%d AND source=1", before);
    assert_true(number("changed", what) > 0);
    char *pairs = pairs_of("changed");
    tiny_exec("changed", "DELETE FROM checkpoint");
    tiny_play("changed", &o, true, again); /* from the journal alone */
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

/* Offline the student's answers come first; those of other models are judged by the vote and have none. */
static void other_models_have_no_vote(void **state) {
    (void)state;
    static const char *const TEXT[] = {"80", "is 80", "7", "7", "7"};
    enum { K = 5 };
    struct options o = short_options("labeller=self game.data=offline offline.temperatures=1,0.7");
    struct prompt x = {.text = (char *)"what is 1 plus 79?"};
    struct game g = {.o = &o,
                     .players = {.tok = tiny_tokenizer(280)},
                     .corpus = {.train = {.prompt = &x, .n = 1}},
                     .st = {.tick = 4, .iteration = 1}};
    const struct teacher_output y0 = {.text = (char *)"80"};
    struct gen_output y[K];
    struct labelling l;
    struct pref_pair p;
    for (int i = 0; i < K; i++) y[i] = response(g.players.tok, TEXT[i], false);
    labelling_begin(&l, &g, &y0, y, K);
    assert_string_equal(l.vote.majority, "80");
    assert_int_equal(labelling_pair(&l, &g, LABELLING_TEACHER, 3, 3, &p), LABEL_GIVEN);
    assert_true(p.o == 1);
    labelling_end(&l);
    for (int i = 0; i < K; i++) free(y[i].token);
    tokenizer_free(g.players.tok);
}

/* Offline answers are ranked among themselves: where the labeller puts one before the other there is a pair, else
 * none. */
static void others_make_pairs_where_they_have_an_order(void **state) {
    (void)state;
    static const char *const TEXT[] = {"80", "8", "is 80", "8"};
    enum { K = 4 };
    static const struct {
        const char *labeller;
        double o[K][K]; /* of answers i < j; 0.5: no pair */
    } ROWS[] = {{"oracle", {{0, 1, 0.5, 1}, {0, 0, 0, 0.5}, {0, 0, 0, 1}}},
                {"teacher", {{0, 0.5, 0.5, 0.5}, {0, 0, 0.5, 0.5}, {0, 0, 0, 0.5}}}};
    struct prompt x = {.text = (char *)"what is 1 plus 79?", .answer = (char *)"#### 80"};
    const struct teacher_output y0 = {.text = (char *)"it is 79"};
    for (size_t row = 0; row < sizeof ROWS / sizeof ROWS[0]; row++) {
        struct options o = short_options("game.data=offline offline.temperatures=1,1,1,1");
        snprintf(o.labeller, sizeof o.labeller, "%s", ROWS[row].labeller);
        struct game g = {.o = &o, .players = {.tok = tiny_tokenizer(280)}, .corpus = {.train = {.prompt = &x, .n = 1}}};
        struct gen_output y[K];
        struct labelling l;
        for (int i = 0; i < K; i++) y[i] = response(g.players.tok, TEXT[i], false);
        labelling_begin(&l, &g, &y0, y, K);
        for (int i = 0; i < K; i++)
            for (int j = i + 1; j < K; j++) {
                struct pref_pair p;
                const enum label_outcome got = labelling_pair(&l, &g, i, j, 0, &p);
                assert_int_equal(got, ROWS[row].o[i][j] == 0.5 ? LABEL_NO_PAIR : LABEL_GIVEN);
                if (got == LABEL_GIVEN) assert_true(p.source == SOURCE_ORACLE && p.o == ROWS[row].o[i][j]);
            }
        labelling_end(&l);
        snprintf(o.labeller, sizeof o.labeller, "human");
        labelling_begin(&l, &g, &y0, y, K);
        struct pref_pair p;
        assert_int_equal(labelling_pair(&l, &g, 0, 2, 0, &p), LABEL_AWAITED); /* a person may see a difference */
        labelling_end(&l);
        for (int i = 0; i < K; i++) free(y[i].token);
        tokenizer_free(g.players.tok);
    }
}

static void samples_vote_on_the_answer(void **state) {
    (void)state;
    static const char *const TEXT[] = {"is 80", "80.0", "plus 7", "what is 7", "7"};
    static const bool CUT[] = {false, false, false, true, true}; /* 7 has one vote that counts */
    enum { K = 5 };
    struct options o = short_options("labeller=self");
    o.samples_per_prompt = K;
    /* the checker would say otherwise: it is not asked */
    struct prompt x = {.text = (char *)"what is 1 plus 79?", .answer = (char *)"7"};
    struct game g = {.o = &o,
                     .players = {.tok = tiny_tokenizer(280)},
                     .corpus = {.train = {.prompt = &x, .n = 1}},
                     .st = {.tick = 4, .iteration = 2}};
    const struct teacher_output y0 = {.text = (char *)"it is 7"}, right = {.text = (char *)"80"};
    struct gen_output y[K];
    struct labelling l;
    struct pref_pair p;
    for (int i = 0; i < K; i++) y[i] = response(g.players.tok, TEXT[i], CUT[i]);
    labelling_begin(&l, &g, &y0, y, K);
    assert_string_equal(l.vote.majority, "80");
    const double o_expected[K] = {0, 0, 0.5, 0.5, 0.5}, strength[K] = {0.2, 0.2, 0, 0, 0};
    for (int i = 0; i < K; i++) {
        assert_int_equal(labelling_pair(&l, &g, LABELLING_TEACHER, i, (uint64_t)i, &p), LABEL_GIVEN);
        assert_true(p.tick == 4 && p.iteration == 2 && p.source == SOURCE_SELF && p.o == o_expected[i] &&
                    p.flip == 0.1);
        assert_true(fabs(p.strength - strength[i]) < 1e-15);
    }
    labelling_end(&l);
    labelling_begin(&l, &g, &right, y, K);
    labelling_pair(&l, &g, LABELLING_TEACHER, 2, 2, &p);
    assert_true(p.o == 1.0 && fabs(p.strength - 0.2) < 1e-15);
    labelling_end(&l);
    o.prompts_checker = CHECKER_NONE; /* whole texts: all differ */
    labelling_begin(&l, &g, &right, y, K);
    assert_null(l.vote.majority);
    assert_int_equal(labelling_pair(&l, &g, LABELLING_TEACHER, 0, 0, &p), LABEL_AWAITED);
    labelling_end(&l);
    for (int i = 0; i < K; i++) free(y[i].token);
    tokenizer_free(g.players.tok);
}

static void the_oracle_sees_the_answer(void **state) {
    (void)state;
    struct options o = short_options("labeller=oracle");
    struct prompt x = {.text = (char *)"what is 1 plus 79?", .answer = (char *)"#### 80"};
    struct game g = {.o = &o, .players = {.tok = tiny_tokenizer(280)}, .corpus = {.train = {.prompt = &x, .n = 1}}};
    const struct teacher_output y0 = {.text = (char *)"it is 79"};
    struct gen_output y[] = {response(g.players.tok, "80", false), response(g.players.tok, "8", false)};
    struct labelling l;
    struct pref_pair p;
    labelling_begin(&l, &g, &y0, y, 2);
    assert_int_equal(labelling_pair(&l, &g, LABELLING_TEACHER, 0, 0, &p), LABEL_GIVEN);
    assert_true(p.source == SOURCE_ORACLE && p.o == 0.0 && p.flip == 0.02);
    assert_int_equal(labelling_pair(&l, &g, LABELLING_TEACHER, 1, 1, &p), LABEL_GIVEN);
    assert_true(p.o == 0.5);
    labelling_end(&l);
    free(y[0].token);
    free(y[1].token);
    tokenizer_free(g.players.tok);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_default_the_teacher_is_always_preferred),
        cmocka_unit_test(a_noisy_mixture_resumes_to_the_same_bytes),
        cmocka_unit_test(labels_of_a_file_join_once),
        cmocka_unit_test(a_file_may_be_all_there_is),
        cmocka_unit_test(a_bad_file_stops_the_start),
        cmocka_unit_test(what_a_labeller_needs_is_asked_for),
        cmocka_unit_test(a_share_of_a_person_is_waited_for),
        cmocka_unit_test(the_labeller_changes_with_the_iteration),
        cmocka_unit_test(others_make_pairs_where_they_have_an_order),
        cmocka_unit_test(samples_vote_on_the_answer),
        cmocka_unit_test(the_oracle_sees_the_answer),
        cmocka_unit_test(other_models_have_no_vote),
    };
    return cmocka_run_group_tests(tests, make_folder, tiny_remove);
}
