/* Labellers without a game: mixtures and how they are written, what each labeller decides on every case, shares and
 * noise against binomial bounds, files of labels, the margin in the pair loss, and labels on their way through
 * run.db. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/corpus/checker.h"
#include "engine/reward/pref_fit.h"
#include "engine/game/options_check.h"
#include "engine/option/option.h"
#include "engine/pref/label_file.h"
#include "engine/pref/labeller.h"

enum { DRAWS = 10000 };

static struct label_policy policy(const char *mix, double noise) {
    struct label_policy p = {.noise = noise, .seed = 7};
    struct err e;
    if (!labeller_mix_parse(mix, &p.mix, &e)) fail_msg("%s", e.msg);
    for (int i = 0; i < N_LABELLERS; i++) {
        p.flip[i] = 0.01 * (i + 1);
        p.weight[i] = i + 1;
    }
    return p;
}

static struct pref_pair given(const struct label_policy *p, const struct label_case *c) {
    struct pref_pair pair = {.tick = 99, .iteration = 3};
    assert_int_equal(label_pair(p, c, &pair), LABEL_GIVEN);
    assert_true(pair.active && pair.tick == 99 && pair.iteration == 3);
    return pair;
}

static void label_waits(const struct label_policy *p, const struct label_case *c) {
    struct pref_pair pair = {0};
    assert_int_equal(label_pair(p, c, &pair), LABEL_AWAITED);
    assert_true(!pair.active && pair.source == SOURCE_NONE && pair.noise == 0 && !pair.flipped);
}

/* n of DRAWS at probability p: within 4.5 standard deviations, which the fixed seed either is or is not. */
static void is_binomial(int n, double p) {
    const double mean = DRAWS * p, sd = sqrt(DRAWS * p * (1 - p));
    if (!(fabs(n - mean) <= 4.5 * sd)) fail_msg("%d draws of %d at probability %g", n, DRAWS, p);
}

/* ---- mixtures ---- */

static void the_table_is_whole(void **state) {
    (void)state;
    char choices[200] = "";
    for (int i = 0; i < N_LABELLERS; i++) {
        assert_true(LABELLERS[i].name && LABELLERS[i].help[0]);
        snprintf(choices + strlen(choices), sizeof choices - strlen(choices), "%s%s", i ? "|" : "", LABELLERS[i].name);
        if (LABELLERS[i].source != SOURCE_NONE)
            assert_string_equal(label_source_name(LABELLERS[i].source), LABELLERS[i].name);
    }
    assert_string_equal(option_find("labeller")->choices, choices);
    for (int i = 0; i < N_LABEL_SOURCES; i++) assert_non_null(label_source_name((enum label_source)i));
}

static void mixtures_are_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double share[N_LABELLERS];
    } ROWS[] = {{"teacher", {1}},
                {"human", {0, 1}},
                {"self", {0, 0, 0, 1}},
                {"import", {0, 0, 0, 0, 1}},
                {"oracle:7", {0, 0, 1}},
                {"teacher:0.8,human:0.2", {0.8, 0.2}},
                {"human:1, teacher : 3", {0.75, 0.25}},
                {"teacher,self", {0.5, 0, 0, 0.5}},
                {"teacher:1e0,human:0", {1}}};
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct labeller_mix m;
        struct err e;
        if (!labeller_mix_parse(ROWS[i].text, &m, &e)) fail_msg("%s: %s", ROWS[i].text, e.msg);
        for (int k = 0; k < N_LABELLERS; k++) assert_true(fabs(m.share[k] - ROWS[i].share[k]) < 1e-15);
    }
}

static void other_texts_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *why;
    } ROWS[] = {{"", "labeller: must be one of teacher, human, oracle, self, import"},
                {"", "or several with their shares (\"teacher:0.8,human:0.2\"), found \"\""},
                {"techer", "found \"techer\""},
                {"teacher:0.5,nobody:0.5", "found \"nobody\""},
                {"teacher,", "found \"\""},
                {"Teacher", "found \"Teacher\""},
                {"teacher:0.5,teacher:0.5", "labeller: teacher is named twice"},
                {"teacher:", "labeller: the share of teacher must be a number of 0 or more, found \"\""},
                {"teacher:-1", "the share of teacher must be a number of 0 or more, found \"-1\""},
                {"teacher:0.5x", "found \"0.5x\""},
                {"teacher:nan", "found \"nan\""},
                {"teacher:1e999", "the share of teacher must be a number"},
                {"teacher:0x1", "found \"0x1\""},
                {"teacher:0,human:0", "the shares must add up to more than 0, found \"teacher:0,human:0\""},
                {"teacher:0.8,human", "either all labellers have a share or none, found \"teacher:0.8,human\""}};
    struct options o;
    options_default(&o);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct err e = {""};
        assert_false(option_set(&o, "labeller", ROWS[i].text, &e));
        if (!strstr(e.msg, ROWS[i].why)) fail_msg("expected \"%s\" in \"%s\"", ROWS[i].why, e.msg);
        assert_string_equal(o.labeller, "teacher"); /* nothing is stored */
    }
}

static void needs_are_checked(void **state) {
    (void)state;
    struct options o;
    struct err e = {""};
    options_default(&o);
    assert_true(options_check_values(&o, &e) && !options_need_person(&o));
    assert_true(option_set(&o, "labeller", "teacher:0.9,human:0.1", &e) && options_need_person(&o));
    assert_true(option_set(&o, "labeller", "teacher:0.9,human:0", &e) && !options_need_person(&o));
    assert_true(option_set(&o, "labeller", "teacher:0.9,oracle:0.1", &e));
    assert_false(options_check_values(&o, &e));
    assert_string_equal(e.msg, "labeller: \"oracle\" needs prompts.checker, found \"none\"");
    o.prompts_checker = CHECKER_NUMBER;
    assert_true(options_check_values(&o, &e));
    assert_true(option_set(&o, "labeller", "import", &e));
    assert_false(options_check_values(&o, &e));
    assert_string_equal(e.msg, "labeller: \"import\" needs a file of labels, but label.import is empty");
    strcpy(o.label_import, "labels.jsonl");
    assert_true(options_check_values(&o, &e));
    assert_true(option_set(&o, "labeller", "self", &e));
    o.samples_per_prompt = 1;
    assert_false(options_check_values(&o, &e));
    assert_string_equal(e.msg, "samples_per_prompt: must be at least 2 with labeller \"self\" (samples vote), found 1");
}

static void shares_hold_over_many_pairs(void **state) {
    (void)state;
    const struct label_policy p = policy("teacher:0.7,human:0.2,oracle:0.1", 0),
                              reversed = policy("oracle:0.1,human:0.2,teacher:0.7", 0);
    int n[N_LABEL_SOURCES] = {0}, next_is_same = 0;
    enum label_source before = SOURCE_NONE;
    for (int i = 0; i < DRAWS; i++) {
        struct pref_pair a = {0}, b = {0};
        const struct label_case c = {
            .tick = i / 64, .index = (uint64_t)(i % 64), .verdict = {VERDICT_RIGHT, VERDICT_WRONG}};
        label_pair(&p, &c, &a);
        label_pair(&reversed, &c, &b);
        assert_int_equal(a.source, b.source); /* the order of writing means nothing */
        n[a.source]++;
        next_is_same += a.source == before;
        before = a.source;
    }
    is_binomial(n[SOURCE_TEACHER], 0.7);
    is_binomial(n[SOURCE_NONE], 0.2);
    is_binomial(n[SOURCE_ORACLE], 0.1);
    assert_int_equal(n[SOURCE_TEACHER] + n[SOURCE_NONE] + n[SOURCE_ORACLE], DRAWS);
    is_binomial(next_is_same, 0.49 + 0.04 + 0.01); /* draws do not hang together */
}

static void the_draw_has_no_gap(void **state) {
    (void)state;
    struct labeller_mix m;
    struct err e;
    assert_true(labeller_mix_parse("teacher:1,oracle:1,self:1", &m, &e));
    assert_int_equal(labeller_mix_draw(&m, 0.0), LABELLER_TEACHER);
    assert_int_equal(labeller_mix_draw(&m, 0.34), LABELLER_ORACLE);
    assert_int_equal(labeller_mix_draw(&m, nextafter(1.0, 0.0)), LABELLER_SELF);
    assert_int_equal(labeller_mix_draw(&m, 1.0), LABELLER_SELF); /* as where rounding leaves the shares below 1 */
    assert_true(labeller_mix_parse("human:0,teacher:1", &m, &e));
    assert_int_equal(labeller_mix_draw(&m, 0.0), LABELLER_TEACHER);
}

/* ---- each labeller ---- */

static void teacher_prefers_the_teacher(void **state) {
    (void)state;
    const struct label_policy p = policy("teacher", 0);
    const struct pref_pair a = given(&p, &(struct label_case){.tick = 5, .verdict = {VERDICT_WRONG, VERDICT_RIGHT}});
    assert_true(a.source == SOURCE_TEACHER && a.o == 1.0 && a.strength == 1.0 && a.weight == 1.0 && a.flip == 0.01);
    assert_true(a.noise == 0.0 && !a.flipped);
}

static void a_person_is_waited_for(void **state) {
    (void)state;
    const struct label_policy p = policy("human", 0.4); /* no noise on what people will say */
    for (int i = 0; i < 50; i++)
        label_waits(&p, &(struct label_case){.tick = i, .verdict = {VERDICT_RIGHT, VERDICT_WRONG}});
}

static void a_file_makes_no_new_pairs(void **state) {
    (void)state;
    const struct label_policy p = policy("import", 0);
    struct pref_pair pair = {0};
    assert_int_equal(label_pair(&p, &(struct label_case){0}, &pair), LABEL_NO_PAIR);
}

static void oracle_follows_the_checker(void **state) {
    (void)state;
    const struct label_policy p = policy("oracle", 0);
    for (enum verdict a = VERDICT_NONE; a <= VERDICT_RIGHT; a++)
        for (enum verdict b = VERDICT_NONE; b <= VERDICT_RIGHT; b++) {
            const struct label_case c = {.verdict = {a, b}};
            if (a == VERDICT_NONE || b == VERDICT_NONE) {
                label_waits(&p, &c);
                continue;
            }
            const struct pref_pair pair = given(&p, &c);
            assert_true(pair.source == SOURCE_ORACLE && pair.weight == 3.0 && pair.flip == 0.03);
            assert_true(pair.o == (a == b ? 0.5 : a == VERDICT_RIGHT ? 1.0 : 0.0));
            assert_true(pair.strength == (a == b ? 0.0 : 1.0));
        }
}

static void votes_are_counted(void **state) {
    (void)state;
    static const struct {
        const char *answer[6], *majority;
        int n;
        double share; /* of "1" */
    } ROWS[] = {{{"1", "1", "1", "2"}, "1", 4, 0.75},
                {{"2", "1", "1", "2"}, NULL, 4, 0.5},          /* a draw */
                {{"1", "2", "3", "4"}, NULL, 4, 0.25},         /* nobody agrees */
                {{"2", "2", "1", "1", "1", "3"}, "1", 6, 0.5}, /* a draw that is broken */
                {{"1", "2", "1", "2", "3", "3"}, NULL, 6, 2.0 / 6},
                {{NULL, "1", NULL, "1"}, "1", 4, 0.5}, /* samples that were cut do not vote, but count */
                {{NULL, NULL, NULL, "1"}, NULL, 4, 0.25},
                {{NULL, NULL, NULL, NULL}, NULL, 4, 0},
                {{"1"}, NULL, 1, 1},
                {{NULL}, NULL, 0, 0}};
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct vote v;
        vote_count(&v, ROWS[i].answer, ROWS[i].n);
        if (!ROWS[i].majority)
            assert_null(v.majority);
        else
            assert_string_equal(v.majority, ROWS[i].majority);
        assert_true(vote_share(&v, "1") == ROWS[i].share);
        assert_true(vote_share(&v, NULL) == 0 && vote_share(&v, "9") == 0);
    }
}

static void self_follows_the_majority(void **state) {
    (void)state;
    const char *const votes[] = {"80", "80", "80", "79", "78"};
    const struct label_policy p = policy("self", 0);
    struct vote v;
    static const struct {
        const char *teacher, *student;
        double o, strength;
    } ROWS[] = {{"80", "79", 1.0, 0.4}, /* 3/5 against 1/5 */
                {"79", "80", 0.0, 0.4}, /* the teacher's word is no better than another */
                {"81", "80", 0.0, 0.6}, /* nobody else said 81 */
                {NULL, "80", 0.0, 0.6}, /* the teacher's output was cut */
                {"80", NULL, 1.0, 0.6}, {"80", "80", 0.5, 0.0}, {"79", "78", 0.5, 0.0}, {NULL, NULL, 0.5, 0.0}};
    vote_count(&v, votes, 5);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const struct pref_pair pair =
            given(&p, &(struct label_case){.answer = {ROWS[i].teacher, ROWS[i].student}, .vote = &v});
        assert_true(pair.source == SOURCE_SELF && pair.weight == 4.0 && pair.flip == 0.04);
        assert_true(pair.o == ROWS[i].o);
        assert_true(fabs(pair.strength - ROWS[i].strength) < 1e-15);
    }
    vote_count(&v, votes + 2, 3); /* 80, 79, 78: no majority */
    label_waits(&p, &(struct label_case){.answer = {"80", "79"}, .vote = &v});
    label_waits(&p, &(struct label_case){.answer = {"80", "79"}});
}

static void answers_are_made_equal(void **state) {
    (void)state;
    static const char *const SAME[][2] = {{"The cat", "the  cat.\n"},
                                          {" a\tb ", "A b"},
                                          {"Stra\xC3\x9F"
                                           "e",
                                           "STRASSE"},
                                          {"e\xCC\x81", "\xC3\xA9"},
                                          {"x\xC2\xA0y", "x y"},
                                          {"42 .", "42"}};
    for (size_t i = 0; i < sizeof SAME / sizeof SAME[0]; i++) {
        char *a = vote_text_answer(SAME[i][0]), *b = vote_text_answer(SAME[i][1]);
        assert_non_null(a);
        assert_string_equal(a, b);
        free(a);
        free(b);
    }
    char *a = vote_text_answer("ab"), *b = vote_text_answer("a b"), *odd = vote_text_answer("\xFF\xFE.");
    assert_string_not_equal(a, b);
    assert_string_equal(odd, "\xFF\xFE"); /* not UTF-8: as it is */
    free(a);
    free(b);
    free(odd);
    assert_null(vote_text_answer(""));
    assert_null(vote_text_answer(" \n ."));
}

static void number_is(const char *response, const char *answer) {
    char *got = checker_number_answer(response);
    if (!answer)
        assert_null(got);
    else
        assert_string_equal(got ? got : "", answer);
    free(got);
}

static void last_numbers_are_answers(void **state) {
    (void)state;
    number_is("12 + 3 = 15", "15");
    number_is("so #### 1,500.0", "1500");
    number_is("it is -7.", "-7");
    number_is("-0", "0");
    number_is("0.5", "0.5");
    number_is("nothing", NULL);
    number_is("", NULL);
}

/* ---- noise ---- */

static void noise_turns_its_share_of_the_labels(void **state) {
    (void)state;
    const struct label_policy quiet = policy("teacher:0.5,oracle:0.5", 0),
                              noisy = policy("teacher:0.5,oracle:0.5", 0.3);
    int flipped = 0, by_teacher = 0, flipped_of_teacher = 0;
    for (int i = 0; i < DRAWS; i++) {
        const struct label_case c = {
            .tick = i / 32, .index = (uint64_t)(i % 32), .verdict = {VERDICT_WRONG, VERDICT_RIGHT}};
        const struct pref_pair a = given(&quiet, &c), b = given(&noisy, &c);
        /* the wrapped labeller's */
        assert_true(a.source == b.source && a.weight == b.weight && a.flip == b.flip && a.strength == b.strength);
        assert_true(a.noise == 0 && !a.flipped && b.noise == 0.3);
        assert_true(b.o == (b.flipped ? 1.0 - a.o : a.o));
        flipped += b.flipped;
        by_teacher += b.source == SOURCE_TEACHER;
        flipped_of_teacher += b.flipped && b.source == SOURCE_TEACHER;
    }
    is_binomial(flipped, 0.3);
    is_binomial(flipped_of_teacher, 0.15); /* whoever labels is flipped alike */
    is_binomial(by_teacher, 0.5);
}

static void ties_cannot_be_turned(void **state) {
    (void)state;
    const struct label_policy p = policy("oracle", 0.49);
    for (int i = 0; i < 200; i++) {
        const struct pref_pair a =
            given(&p, &(struct label_case){.tick = i, .verdict = {VERDICT_RIGHT, VERDICT_RIGHT}});
        assert_true(a.o == 0.5 && !a.flipped && a.noise == 0.49);
    }
}

static void labels_do_not_depend_on_what_came_before(void **state) {
    (void)state;
    const struct label_policy p = policy("teacher:0.4,human:0.3,oracle:0.3", 0.2);
    enum { N = 500 };
    struct pref_pair forth[N] = {{0}}, back[N] = {{0}};
    struct label_policy other = p;
    other.seed = 8;
    int differ = 0;
    for (int i = 0; i < N; i++) {
        const struct label_case a = {
            .tick = i / 8, .index = (uint64_t)(i % 8), .verdict = {VERDICT_RIGHT, VERDICT_WRONG}};
        const struct label_case b = {
            .tick = (N - 1 - i) / 8, .index = (uint64_t)((N - 1 - i) % 8), .verdict = {VERDICT_RIGHT, VERDICT_WRONG}};
        label_pair(&p, &a, &forth[i]);
        label_pair(&p, &b, &back[N - 1 - i]);
    }
    for (int i = 0; i < N; i++) {
        struct pref_pair q = {0};
        assert_memory_equal(&forth[i], &back[i], sizeof forth[i]);
        label_pair(
            &other,
            &(struct label_case){.tick = i / 8, .index = (uint64_t)(i % 8), .verdict = {VERDICT_RIGHT, VERDICT_WRONG}},
            &q);
        differ += q.source != forth[i].source || q.o != forth[i].o;
    }
    assert_true(differ > N / 4); /* another seed, other draws */
}

/* ---- files ---- */

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/pbkd-labeller-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return dir_remove_tree(folder, NULL) ? 0 : -1;
}

static const char *write_file(const char *text) {
    static char path[100];
    struct err e;
    snprintf(path, sizeof path, "%s/labels.jsonl", folder);
    if (!atomic_write(path, text, strlen(text), &e)) fail_msg("%s", e.msg);
    return path;
}

struct seen {
    int n;
    double o[8], strength[8];
    char text[8][80]; /* prompt/first/second/annotator */
};

static bool see(void *ctx, const struct file_label *l, const char *where, struct err *e) {
    struct seen *s = ctx;
    assert_true(s->n < 8);
    if (strcmp(l->prompt, "stop") == 0) return err_set(e, "%s: stopped", where);
    s->o[s->n] = l->o;
    s->strength[s->n] = l->strength;
    snprintf(s->text[s->n++], sizeof s->text[0], "%s/%s/%s/%s", l->prompt, l->response[0], l->response[1],
             l->annotator ? l->annotator : "-");
    return true;
}

static void both_forms_are_read(void **state) {
    (void)state;
    struct seen s = {0};
    struct err e = {""};
    const char *path = write_file(
        "{\"prompt\":\"p\",\"chosen\":\"yes\",\"rejected\":\"no\",\"id\":7}\n\n"
        "{\"prompt\":\"p\",\"response_a\":\"1\",\"response_b\":\"\",\"preference\":\"b\",\"strength\":2,"
        "\"annotator\":\"ann\"}\n"
        "{\"prompt\":\"p\",\"response_a\":\"1\",\"response_b\":\"2\",\"preference\":\"tie\",\"annotator\":null}\n"
        "{\"prompt\":\"p\",\"response_a\":\"1\",\"response_b\":\"2\",\"preference\":0.75}\n"
        "{\"prompt\":\"p\",\"response_a\":\"1\",\"response_b\":\"2\",\"preference\":\"A\"}");
    if (!label_file_each(path, see, &s, &e) || !label_file_each(path, NULL, NULL, &e)) fail_msg("%s", e.msg);
    assert_int_equal(s.n, 5);
    assert_string_equal(s.text[0], "p/yes/no/-");
    assert_string_equal(s.text[1], "p/1//ann");
    assert_string_equal(s.text[2], "p/1/2/-");
    const double o[] = {1, 0, 0.5, 0.75, 1}, strength[] = {1, 2, 1, 1, 1};
    for (int i = 0; i < 5; i++) assert_true(s.o[i] == o[i] && s.strength[i] == strength[i]);
}

static void bad_lines_are_named(void **state) {
    (void)state;
#define LINE1 "{\"prompt\":\"p\",\"chosen\":\"yes\",\"rejected\":\"no\"}\n"
    /* clang-format off */
    static const struct {
        const char *text, *why;
    } ROWS[] = {{"", "labels.jsonl: holds no labels"},
                {"\n \n", "labels.jsonl: holds no labels"},
                {LINE1 "{", "labels.jsonl:2: "},
                {LINE1 "[1]", "labels.jsonl:2: each line must be an object, found array"},
                {LINE1 "{\"chosen\":\"a\",\"rejected\":\"b\"}", "labels.jsonl:2: \"prompt\" is missing"},
                {LINE1 "{\"prompt\":\"\",\"chosen\":\"a\",\"rejected\":\"b\"}", "labels.jsonl:2: \"prompt\" is empty"},
                {LINE1 "\n{\"prompt\":\"p\"}", "labels.jsonl:3: expected either \"chosen\" and \"rejected\", or \"response_a\", \"response_b\" and "
                                                "\"preference\", found neither"},
                {LINE1 "{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\",\"preference\":\"a\"}", "labels.jsonl:2: expected either"},
                {LINE1 "{\"prompt\":\"p\",\"chosen\":\"a\"}", "labels.jsonl:2: \"rejected\" is missing"},
                {LINE1 "{\"prompt\":\"p\",\"chosen\":[1],\"rejected\":\"b\"}", "labels.jsonl:2: \"chosen\" must be a string, found array"},
                {LINE1 "{\"prompt\":\"p\",\"response_a\":\"a\",\"preference\":\"a\"}", "labels.jsonl:2: \"response_b\" is missing"},
                {LINE1 "{\"prompt\":\"p\",\"response_a\":\"a\",\"response_b\":\"b\"}", "labels.jsonl:2: \"preference\" is missing"},
                {LINE1 "{\"prompt\":\"p\",\"response_a\":\"a\",\"response_b\":\"b\",\"preference\":\"left\"}",
                 "labels.jsonl:2: \"preference\" must be \"a\", \"b\", \"tie\", or the probability from 0 to 1 that response_a is preferred, found "
                 "\"left\""},
                {LINE1 "{\"prompt\":\"p\",\"response_a\":\"a\",\"response_b\":\"b\",\"preference\":1.5}", "found 1.5"},
                {LINE1 "{\"prompt\":\"p\",\"response_a\":\"a\",\"response_b\":\"b\",\"preference\":true}", "found bool"},
                {LINE1 "{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\",\"strength\":-1}",
                 "labels.jsonl:2: \"strength\" must be 0 or more, found -1"},
                {LINE1 "{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\",\"strength\":\"2\"}", "\"strength\" must be a number, found string"},
                {LINE1 "{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\",\"annotator\":7}", "\"annotator\" must be a string, found number"},
                {LINE1 "{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\",\"annotator\":"
                       "\"0123456789012345678901234567890123456789012345678901234567890123\"}",
                 "labels.jsonl:2: \"annotator\" must have at most 63 bytes, found 64"},
                {LINE1 "{\"prompt\":\"stop\",\"chosen\":\"a\",\"rejected\":\"b\"}", "labels.jsonl:2: stopped"}};
    /* clang-format on */
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct seen s = {0};
        struct err e = {""};
        assert_false(label_file_each(write_file(ROWS[i].text), see, &s, &e));
        if (!strstr(e.msg, ROWS[i].why)) fail_msg("expected \"%s\" in \"%s\"", ROWS[i].why, e.msg);
    }
    struct err e = {""};
    assert_false(label_file_each("/nowhere/labels.jsonl", NULL, NULL, &e));
    assert_non_null(strstr(e.msg, "/nowhere/labels.jsonl"));
}

/* ---- the margin ---- */

static double at_random(int i, double lo, double hi) {
    return lo + (hi - lo) * rng_uniform(3, RNG_TEST, 0, (uint64_t)i);
}

static void gradient_of_the_margin_loss_is_its_slope(void **state) {
    (void)state;
    double worst = 0;
    for (int i = 0; i < 2000; i++) {
        const struct pref_pair p = {.o = i % 4 == 0 ? 0.5 : at_random(5 * i, 0, 1),
                                    .flip = at_random(5 * i + 1, 0, 0.49),
                                    .strength = at_random(5 * i + 2, 0, 3)};
        const double delta = at_random(5 * i + 3, -12, 12), margin = at_random(5 * i + 4, 0, 4), h = 1e-5;
        double dl;
        pref_pair_loss(&p, delta, margin, &dl);
        const double slope =
            (pref_pair_loss(&p, delta + h, margin, NULL) - pref_pair_loss(&p, delta - h, margin, NULL)) / (2 * h);
        worst = fmax(worst, fabs(slope - dl));
    }
    if (!(worst < 1e-9)) fail_msg("gradient off by %g", worst);
}

static void the_margin_asks_for_more(void **state) {
    (void)state;
    const struct pref_pair first = {.o = 1, .strength = 2, .flip = 0.05},
                           second = {.o = 0, .strength = 2, .flip = 0.05}, tie = {.o = 0.5, .strength = 2};
    double dl;
    /* log s(Delta - m s): the minimum moves from logit(1-e) to logit(1-e) + m s */
    const double best = log(0.95 / 0.05) + 1.5 * 2;
    pref_pair_loss(&first, best, 1.5, &dl);
    assert_true(fabs(dl) < 1e-15);
    pref_pair_loss(&second, -best, 1.5, &dl);
    assert_true(fabs(dl) < 1e-15);
    assert_true(pref_pair_loss(&first, 3.0, 1.5, NULL) == pref_loss(0.0, 1, 0.05, NULL));
    assert_true(pref_pair_loss(&first, 1.0, 1.5, NULL) == pref_pair_loss(&second, -1.0, 1.5, NULL));
    assert_true(pref_pair_loss(&tie, 0.7, 1.5, NULL) == pref_loss(0.7, 0.5, 0, NULL));
    assert_true(isfinite(pref_pair_loss(&first, -1e300, 100, NULL)));
    for (int i = 0; i < 1000; i++) { /* no margin: the plain loss, to the bit */
        const struct pref_pair p = {.o = i % 3 / 2.0, .strength = 1 + i % 2, .flip = 0.05};
        const double delta = at_random(i, -20, 20);
        double plain;
        assert_true(pref_pair_loss(&p, delta, 0, &dl) == pref_loss(delta, p.o, p.flip, &plain));
        assert_true(dl == plain);
    }
}

/* ---- through run.db ---- */

static void labels_come_back_from_the_file(void **state) {
    (void)state;
    struct db db;
    struct dpref d, again;
    struct err e = {""};
    char path[100];
    snprintf(path, sizeof path, "%s/run.db", folder);
    if (!db_open(&db, path, DB_CREATE, false, &e) || !dpref_create_tables(&db, &e) || !dpref_load(&d, &db, &e))
        fail_msg("%s", e.msg);
    struct pref_pair p = {.iteration = 1,
                          .source = SOURCE_SELF,
                          .active = true,
                          .o = 0,
                          .weight = 0.5,
                          .flip = 0.1,
                          .strength = 0.4,
                          .noise = 0.3,
                          .flipped = true,
                          .n_x = 1,
                          .n_y0 = 1,
                          .n_y1 = 1,
                          .annotator = mem_strdup("ann \"x\"")};
    p.tokens = mem_small(3 * sizeof *p.tokens);
    p.prompt = mem_strdup("p");
    p.text0 = mem_strdup("a");
    p.text1 = mem_strdup("b");
    struct pref_pair bad = p;
    bad.noise = 0.5;
    assert_false(dpref_add(&d, &bad, &e));
    assert_non_null(strstr(e.msg, "noise 0.5 cannot be"));
    if (!dpref_add(&d, &p, &e)) fail_msg("%s", e.msg);
    struct label_event ev = {.annotator = "me",
                             .pair_id = 1,
                             .pair_hash = d.pair[0].pair_hash,
                             .decision = DECISION_A,
                             .strength = 2,
                             .sampler = "newest"};
    if (!label_event_commit(&db, &ev, &e) || !dpref_apply_event(&d, &ev, 0.02, 5, &e)) fail_msg("%s", e.msg);
    const struct pref_pair *q = &d.pair[0];
    assert_true(q->source == SOURCE_HUMAN && q->o == 1 && q->strength == 2 && q->noise == 0 && !q->flipped);
    struct label_event undo = {.annotator = "me", .decision = DECISION_UNDO, .undo_of = ev.seq, .sampler = "undo"};
    if (!label_event_commit(&db, &undo, &e) || !dpref_apply_event(&d, &undo, 0.02, 5, &e)) fail_msg("%s", e.msg);
    if (!dpref_load(&again, &db, &e)) fail_msg("%s", e.msg);
    for (int i = 0; i < 2; i++) {
        q = i ? &again.pair[0] : &d.pair[0];
        assert_true(q->source == SOURCE_SELF && q->o == 0 && q->strength == 0.4 && q->noise == 0.3 && q->flipped);
        assert_string_equal(q->annotator, "ann \"x\"");
    }
    int64_t n;
    char *text = NULL, out[100];
    size_t len;
    snprintf(out, sizeof out, "%s/audit.jsonl", folder);
    if (!dpref_export(&db, "audit", out, &n, &e) || !file_read_all(out, 1 << 20, &text, &len, &e))
        fail_msg("%s", e.msg);
    assert_non_null(strstr(
        text, "\"automatic\":{\"source\":\"self\",\"active\":true,\"o\":0,\"weight\":0.5,\"flip\":0.1,\"noise\":0.3,"
              "\"flipped\":true,"
              "\"annotator\":\"ann \\\"x\\\"\",\"strength\":0.4,"));
    mem_free(text);
    dpref_free(&again);
    dpref_free(&d);
    db_close(&db);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_whole),
        cmocka_unit_test(mixtures_are_read),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(needs_are_checked),
        cmocka_unit_test(shares_hold_over_many_pairs),
        cmocka_unit_test(the_draw_has_no_gap),
        cmocka_unit_test(teacher_prefers_the_teacher),
        cmocka_unit_test(a_person_is_waited_for),
        cmocka_unit_test(a_file_makes_no_new_pairs),
        cmocka_unit_test(oracle_follows_the_checker),
        cmocka_unit_test(votes_are_counted),
        cmocka_unit_test(self_follows_the_majority),
        cmocka_unit_test(answers_are_made_equal),
        cmocka_unit_test(last_numbers_are_answers),
        cmocka_unit_test(noise_turns_its_share_of_the_labels),
        cmocka_unit_test(ties_cannot_be_turned),
        cmocka_unit_test(labels_do_not_depend_on_what_came_before),
        cmocka_unit_test(both_forms_are_read),
        cmocka_unit_test(bad_lines_are_named),
        cmocka_unit_test(gradient_of_the_margin_loss_is_its_slope),
        cmocka_unit_test(the_margin_asks_for_more),
        cmocka_unit_test(labels_come_back_from_the_file),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
