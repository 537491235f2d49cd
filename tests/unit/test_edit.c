/* Written answers in D_pref: the pairs of an edit through the file and back, its undo before and after other labels,
 * what counts and exports make of them, files of an older version; which texts become tokens; and the batch that an
 * answer enters. The running game: test_written_answer.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/hash.h"
#include "engine/base/json.h"
#include "engine/game/edit.h"
#include "engine/corpus/pair.h"
#include "engine/game/game.h"
#include "tests/support/dpref_fixture.h"

static const int32_t TOKENS[] = {1, 2, 3, 4, 5, 6, 7, 8};

static bool add(struct dpref_fixture *f, const struct pref_pair *label, const char *y0, const char *y1,
                const int32_t *t0, const int32_t *t1) {
    const struct passage x = {"how many?", TOKENS, 2, false, {0}};
    const struct passage a = {y0, t0, 2, false, {ORIGIN_TEACHER, 0}}, b = {y1, t1, 2, true, {ORIGIN_CANDIDATE, 3}};
    struct err e;
    bool made;
    must(db_begin(&f->db, &e), &e);
    must(pair_add(&f->d, label, &x, &a, &b, &made, &e) && db_commit(&f->db, &e), &e);
    return made;
}

/* Pair 1 as the game makes it: "four" by the teacher, "five" by the student. */
static void add_game_pair(struct dpref_fixture *f) {
    const struct pref_pair label = {
        .tick = 10, .iteration = 1, .source = SOURCE_TEACHER, .active = true, .o = 1, .weight = 1, .flip = 0.05};
    assert_true(add(f, &label, "four", "five", TOKENS + 2, TOKENS + 4));
}

static int64_t act(struct dpref_fixture *f, int64_t pair, enum decision decision, int64_t undo_of) {
    struct err e;
    char text[] = "It is four.";
    struct label_event ev = {.annotator = "ann",
                             .pair_id = pair,
                             .pair_hash = dpref_find(&f->d, pair)->pair_hash,
                             .decision = decision,
                             .strength = 1,
                             .sampler = "newest",
                             .propensity = 1,
                             .undo_of = undo_of,
                             .text = decision == DECISION_EDIT ? text : NULL};
    must(label_event_commit(&f->db, &ev, &e) && dpref_apply_event(&f->d, &ev, DPREF_FLIP, DPREF_WEIGHT, &e), &e);
    return ev.seq;
}

/* The edit of pair 1, with the pairs that the engine makes of it: 2 and 3. */
static int64_t write_answer(struct dpref_fixture *f) {
    const int64_t seq = act(f, 1, DECISION_EDIT, 0);
    const struct pref_pair label = {.tick = 11,
                                    .iteration = 1,
                                    .edit = seq,
                                    .source = SOURCE_HUMAN,
                                    .active = true,
                                    .o = 1,
                                    .weight = DPREF_WEIGHT,
                                    .flip = DPREF_FLIP};
    assert_true(add(f, &label, "It is four.", "four", TOKENS + 6, TOKENS + 2));
    assert_true(add(f, &label, "It is four.", "five", TOKENS + 6, TOKENS + 4));
    return seq;
}

static void label_is(const struct dpref *d, int64_t pair, bool active, double o, int64_t event, int64_t withdrawn) {
    const struct pref_pair *p = dpref_find(d, pair);
    assert_non_null(p);
    assert_int_equal(p->source, SOURCE_HUMAN);
    assert_int_equal(p->active, active);
    assert_true(p->o == o && p->weight == DPREF_WEIGHT && p->flip == DPREF_FLIP);
    assert_int_equal(p->event, event);
    assert_int_equal(p->withdrawn, withdrawn);
}

/* ---- pairs ---- */

static void pairs_of_an_edit_come_back(void **state) {
    struct dpref_fixture *f = *state;
    struct dpref again;
    int first = -1;
    add_game_pair(f);
    const int64_t edit = write_answer(f);
    add_game_pair(f);
    dpref_load_again(f, &again, edit);
    for (const struct dpref *d = &f->d; d; d = d == &f->d ? &again : NULL) {
        assert_int_equal(dpref_find_edit(d, edit, &first), 2);
        assert_int_equal(first, 1);
        assert_int_equal(dpref_find_edit(d, edit + 1, &first), 0);
        label_is(d, 2, true, 1.0, edit, 0);
        label_is(d, 3, true, 1.0, edit, 0);
        assert_string_equal(d->pair[1].text0, "It is four.");
        assert_string_equal(d->pair[1].text1, "four");
        assert_string_equal(d->pair[2].text1, "five");
        assert_memory_equal(d->pair[2].tokens, ((int32_t[]){1, 2, 7, 8, 5, 6}), 6 * sizeof(int32_t));
        assert_true(d->pair[2].truncated1 && !d->pair[2].truncated0);
        assert_int_equal(d->pair[2].tick, 11);
        assert_true(d->pair[2].prompt_hash == d->pair[0].prompt_hash && d->pair[2].heldout == d->pair[0].heldout);
        assert_true(d->pair[1].pair_hash != d->pair[2].pair_hash);
        /* the edit decides nothing about the pair it was written for */
        assert_int_equal(d->pair[0].source, SOURCE_TEACHER);
        assert_int_equal(d->pair[0].event, 0);
        assert_int_equal(d->n_by_source[SOURCE_HUMAN], 2);
        assert_int_equal(d->n_by_source[SOURCE_TEACHER], 2);
    }
    dpref_free(&again);
}

static void identical_responses_make_no_pair(void **state) {
    struct dpref_fixture *f = *state;
    const struct pref_pair label = {.edit = 1, .source = SOURCE_HUMAN, .active = true, .o = 1, .weight = 1};
    assert_false(add(f, &label, "four", "four", TOKENS + 2, TOKENS + 4));
    assert_false(add(f, &label, "four and more, cut", "four and less, cut", TOKENS + 2, TOKENS + 2));
    assert_int_equal(f->d.n, 0);
    assert_true(add(f, &label, "four", "five", TOKENS + 2, TOKENS + 4));
}

static void pairs_of_a_rolled_back_transaction_are_forgotten(void **state) {
    struct dpref_fixture *f = *state;
    struct dpref again;
    struct err e;
    int first;
    add_game_pair(f);
    const int64_t edit = write_answer(f);
    dpref_forget(&f->d, 1);
    assert_int_equal(f->d.n, 1);
    assert_int_equal(f->d.n_by_source[SOURCE_HUMAN], 0);
    assert_int_equal(dpref_find_edit(&f->d, edit, &first), 0);
    must(dpref_load(&again, &f->db, &e), &e);
    assert_int_equal(again.n, 3);   /* the file is the transaction's business */
    act(f, 1, DECISION_UNDO, edit); /* of an edit without pairs */
    assert_int_equal(f->d.n_by_source[SOURCE_TEACHER], 1);
    dpref_free(&again);
}

/* ---- undo ---- */

static void undo_withdraws_the_pairs(void **state) {
    struct dpref_fixture *f = *state;
    struct dpref again;
    struct err e;
    add_game_pair(f);
    const int64_t edit = write_answer(f), vote = act(f, 1, DECISION_B, 0), undo = act(f, 1, DECISION_UNDO, edit);
    dpref_load_again(f, &again, undo);
    for (const struct dpref *d = &f->d; d; d = d == &f->d ? &again : NULL) {
        label_is(d, 2, false, 1.0, undo, undo);
        label_is(d, 3, false, 1.0, undo, undo);
        label_is(d, 1, true, 0.0, vote, 0); /* another act about the same pair stands */
        assert_int_equal(d->n_by_source[SOURCE_HUMAN], 1);
        assert_int_equal(d->n_by_source[SOURCE_TEACHER], 0);
    }
    must(dpref_truncate_after(&again, 10, &e), &e);
    assert_int_equal(again.n_by_source[SOURCE_HUMAN], 1); /* forgetting a withdrawn pair takes no label away */
    dpref_free(&again);
}

static void votes_on_a_withdrawn_pair_do_not_bring_it_back(void **state) {
    struct dpref_fixture *f = *state;
    struct dpref again;
    add_game_pair(f);
    const int64_t edit = write_answer(f), tie = act(f, 2, DECISION_TIE, 0), flag = act(f, 3, DECISION_FLAG, 0);
    label_is(&f->d, 2, true, 0.5, tie, 0);
    label_is(&f->d, 3, false, 1.0, flag, 0);
    assert_int_equal(f->d.n_by_source[SOURCE_HUMAN], 2);
    const int64_t undo = act(f, 1, DECISION_UNDO, edit);
    act(f, 2, DECISION_A, 0);
    label_is(&f->d, 2, false, 1.0, undo, undo);
    act(f, 3, DECISION_UNDO, flag); /* back to the label that the pair was made with, which is withdrawn */
    label_is(&f->d, 3, false, 1.0, undo, undo);
    const int64_t last = act(f, 2, DECISION_UNDO, tie);
    label_is(&f->d, 2, false, 1.0, undo, undo);
    assert_int_equal(f->d.n_by_source[SOURCE_HUMAN], 0);
    dpref_load_again(f, &again, last);
    for (int64_t i = 2; i <= 3; i++) label_is(&again, i, false, 1.0, undo, undo);
    assert_int_equal(again.n_by_source[SOURCE_HUMAN], 0);
    dpref_free(&again);
}

static void undo_of_a_vote_on_a_pair_of_an_edit_gives_its_label_back(void **state) {
    struct dpref_fixture *f = *state;
    add_game_pair(f);
    const int64_t edit = write_answer(f), bad = act(f, 2, DECISION_BAD, 0);
    label_is(&f->d, 2, false, 0.5, bad, 0);
    act(f, 2, DECISION_UNDO, bad);
    label_is(&f->d, 2, true, 1.0, edit, 0);
    assert_int_equal(f->d.n_by_source[SOURCE_HUMAN], 2);
}

/* ---- counts and exports ---- */

static void counts_are(struct dpref_fixture *f, int human, int events) {
    struct err e;
    char expected[200];
    const int heldout = f->d.pair[0].heldout ? 1 + human : 0;
    snprintf(expected, sizeof expected,
             "{\"records\":%d,\"by_source\":{\"none\":0,\"teacher\":1,\"human\":%d,\"import\":0,\"oracle\":0,\"self\":"
             "0},\"events\":%d,"
             "\"heldout\":%d,\"iterations\":1}",
             1 + human, human, events, heldout);
    char *json = dpref_stats_json(&f->db, &e);
    if (!json) fail_msg("%s", e.msg);
    assert_string_equal(json, expected);
    free(json);
}

static bool add_line(void *ctx, const cJSON *obj, const char *where, struct err *e) {
    struct strbuf *b = ctx;
    const char *chosen, *rejected;
    if (!json_get_string(obj, "chosen", where, &chosen, e) || !json_get_string(obj, "rejected", where, &rejected, e))
        return false;
    strbuf_printf(b, "%s > %s\n", chosen, rejected);
    return true;
}

static void trl_is(struct dpref_fixture *f, const char *expected) {
    struct err e;
    struct strbuf b = {0};
    char path[200];
    int64_t n;
    snprintf(path, sizeof path, "%s/out.jsonl", f->folder);
    must(dpref_export(&f->db, "trl", path, &n, &e) && jsonl_each(path, add_line, &b, &e), &e);
    assert_string_equal(b.s, expected);
    strbuf_free(&b);
}

static void counts_and_trl_follow_the_edit_and_its_undo(void **state) {
    struct dpref_fixture *f = *state;
    add_game_pair(f);
    const int64_t edit = write_answer(f);
    counts_are(f, 2, 1);
    trl_is(f, "four > five\nIt is four. > four\nIt is four. > five\n");
    act(f, 3, DECISION_BAD, 0);
    trl_is(f, "four > five\nIt is four. > four\n");
    act(f, 1, DECISION_UNDO, edit);
    counts_are(f, 0, 3);
    trl_is(f, "four > five\n");
}

struct audit_lines {
    int64_t edit;
    bool withdrawn;
    int n_pairs;
};

static bool check_audit(void *ctx, const cJSON *obj, const char *where, struct err *e) {
    struct audit_lines *a = ctx;
    (void)where, (void)e;
    if (strcmp(cJSON_GetObjectItem(obj, "type")->valuestring, "pair") != 0) return true;
    const bool of_edit = a->n_pairs++ > 0;
    assert_true(cJSON_GetObjectItem(obj, "edit")->valuedouble == (of_edit ? (double)a->edit : 0));
    const cJSON *label = cJSON_GetObjectItem(obj, "label");
    assert_int_equal(cJSON_IsTrue(cJSON_GetObjectItem(label, "active")), !of_edit || !a->withdrawn);
    if (!a->withdrawn) assert_true(cJSON_GetObjectItem(label, "weight")->valuedouble == (of_edit ? DPREF_WEIGHT : 1.0));
    return true;
}

static void audit_names_the_edit(void **state) {
    struct dpref_fixture *f = *state;
    struct err e;
    char path[200];
    int64_t n;
    add_game_pair(f);
    struct audit_lines a = {.edit = write_answer(f)};
    snprintf(path, sizeof path, "%s/audit.jsonl", f->folder);
    must(dpref_export(&f->db, "audit", path, &n, &e) && jsonl_each(path, check_audit, &a, &e), &e);
    assert_int_equal(a.n_pairs, 3);
    act(f, 1, DECISION_UNDO, a.edit);
    a = (struct audit_lines){.edit = a.edit, .withdrawn = true};
    must(dpref_export(&f->db, "audit", path, &n, &e) && jsonl_each(path, check_audit, &a, &e), &e);
    assert_int_equal(a.n_pairs, 3);
}

/* ---- files from elsewhere ---- */

static void a_file_of_an_older_version_is_refused(void **state) {
    struct dpref_fixture *f = *state;
    struct err e;
    char path[200];
    int64_t n;
    add_game_pair(f);
    dpref_free(&f->d);
    must(db_exec(&f->db, "ALTER TABLE pair DROP COLUMN edit", &e), &e);
    for (int i = 0; i < 3; i++) {
        e.msg[0] = '\0';
        snprintf(path, sizeof path, "%s/out.jsonl", f->folder);
        if (i == 0) assert_false(dpref_create_tables(&f->db, &e));
        if (i == 1) assert_null(dpref_stats_json(&f->db, &e));
        if (i == 2) assert_false(dpref_export(&f->db, "trl", path, &n, &e));
        if (!strstr(e.msg, "run.db") || !strstr(e.msg, "made by an older version")) fail_msg("%s", e.msg);
    }
    assert_false(file_exists(path));
}

static void a_hostile_edit_is_refused(void **state) {
    struct dpref_fixture *f = *state;
    add_game_pair(f);
    write_answer(f);
    dpref_load_fails(f, "UPDATE pair SET edit=-1 WHERE id=2", "pair 2: made by event -1");
    dpref_load_fails(f, "UPDATE pair SET edit=1 WHERE id=1", "pair 1: made by event 1 with a label by teacher");
}

/* ---- tokens ---- */

static void tokens_are(struct tokenizer *t, const char *text, int max, const int32_t *want, size_t n, bool cut) {
    struct err e;
    struct token_list y = {0};
    bool truncated = !cut;
    must(edit_tokenise(t, CHAT_RAW, text, max, &y, &truncated, &e), &e);
    assert_int_equal(y.n, n);
    assert_memory_equal(y.id, want, n * sizeof *want);
    assert_int_equal(truncated, cut);
    token_list_free(&y);
}

static void text_is_refused(struct tokenizer *t, const char *text, const char *why) {
    struct err e = {""};
    struct token_list y = {0};
    bool truncated;
    assert_false(edit_tokenise(t, CHAT_RAW, text, 8, &y, &truncated, &e));
    if (!strstr(e.msg, why)) fail_msg("expected ...%s..., found %s", why, e.msg);
    token_list_free(&y);
}

static struct tokenizer *small_vocabulary(struct dpref_fixture *f) { /* a, b, <e>: no other byte has a token */
    const char *token[] = {"a", "b", "<e>"}, *merge[] = {"a b"};
    const size_t len[] = {1, 1, 3};
    const int32_t type[] = {1, 1, 3};
    char path[200];
    struct err e;
    struct gguf_writer *w = gguf_writer_new();
    snprintf(path, sizeof path, "%s/t.gguf", f->folder);
    gguf_put_string(w, "tokenizer.ggml.model", "gpt2");
    gguf_put_string(w, "tokenizer.ggml.pre", "smollm");
    gguf_put_strings(w, "tokenizer.ggml.tokens", token, len, 3);
    gguf_put_i32s(w, "tokenizer.ggml.token_type", type, 3);
    gguf_put_strings(w, "tokenizer.ggml.merges", merge, (const size_t[]){3}, 0);
    gguf_put_u32(w, "tokenizer.ggml.eos_token_id", 2);
    must(gguf_write(w, path, &e), &e);
    gguf_writer_free(w);
    struct gguf *g = gguf_open(path, &e);
    if (!g) fail_msg("%s", e.msg);
    struct tokenizer *t = tokenizer_from_gguf(g, &e);
    if (!t) fail_msg("%s", e.msg);
    gguf_close(g);
    return t;
}

static void texts_become_tokens_or_are_refused(void **state) {
    struct tokenizer *t = small_vocabulary(*state);
    tokens_are(t, "ab", 8, (const int32_t[]){0, 1, 2}, 3, false);
    tokens_are(t, "ab", 3, (const int32_t[]){0, 1, 2}, 3, false);
    /* no room for the end of the turn: cut, like a teacher output */
    tokens_are(t, "ab", 2, (const int32_t[]){0, 1}, 2, true);
    tokens_are(t, "abba", 1, (const int32_t[]){0}, 1, true);
    tokens_are(t, "a<e>b", 8, (const int32_t[]){0, 1, 2}, 3, false); /* a text cannot close its own turn */
    text_is_refused(t, "", "is empty");
    text_is_refused(t, " \t\r\n ", "is empty");
    /* blanks of other scripts, a bell */
    text_is_refused(t, "\xC2\xA0\xE3\x80\x80\xE2\x80\x8B\xE2\x80\xA8\x07", "is empty");
    text_is_refused(t, "a\xFF", "not valid UTF-8 (byte 2)");
    text_is_refused(t, "ab\xE2\x82", "not valid UTF-8 (byte 3)");
    text_is_refused(t, "\xED\xA0\x80", "not valid UTF-8 (byte 1)"); /* a surrogate */
    text_is_refused(t, "xyz", "no token for the written answer");
    tokenizer_free(t);
}

/* ---- the game ---- */

/* As much of a game as labels need: no models. Takes the fixture's pairs; give them back with end_game. */
static struct game begin_game(struct dpref_fixture *f, struct options *o) {
    options_default(o);
    return (struct game){.o = o,
                         .db = &f->db,
                         .players = {.tok = small_vocabulary(f), .chat = CHAT_RAW},
                         .corpus = {.dpref = f->d},
                         .st = {.tick = 20, .iteration = 2}};
}

static void end_game(struct dpref_fixture *f, struct game *g) {
    f->d = g->corpus.dpref;
    tokenizer_free(g->players.tok);
    pref_space_free(&g->scratch.pairs);
    free(g->sampler.groups.group);
}

static struct label_event new_edit(struct game *g, int64_t pair, char *text, double strength) {
    struct err e;
    struct label_event ev = {.annotator = "ann",
                             .pair_id = pair,
                             .pair_hash = dpref_find(&g->corpus.dpref, pair)->pair_hash,
                             .decision = DECISION_EDIT,
                             .strength = strength,
                             .sampler = "newest",
                             .text = text};
    must(label_event_commit(g->db, &ev, &e), &e);
    return ev;
}

static void an_answer_enters_the_very_next_batch(void **state) {
    struct dpref_fixture *f = *state;
    struct options o;
    struct err e;
    char text[] = "abab", twice[] = "ba";
    for (int i = 0; i < 20; i++) add_game_pair(f);
    struct game g = begin_game(f, &o);
    struct label_event ev = new_edit(&g, 5, text, 1);
    /* nothing was made before any checkpoint */
    assert_false(game_apply_label(&g, &ev, DPREF_FLIP, DPREF_WEIGHT, true, &e));
    assert_non_null(strstr(e.msg, "are missing"));
    must(db_begin(g.db, &e) && game_apply_label(&g, &ev, DPREF_FLIP, DPREF_WEIGHT, false, &e) && db_commit(g.db, &e),
         &e);
    assert_int_equal(g.corpus.dpref.n, 22);
    assert_int_equal(game_draw_pairs(&g, 8), 8);
    for (int i = 0; i < 2; i++) {
        const struct pref_pair *p = g.scratch.pairs.pair[i];
        label_is(&g.corpus.dpref, 21 + i, true, 1.0, ev.seq, 0);
        assert_ptr_equal(p, &g.corpus.dpref.pair[20 + i]);
        assert_true(p->tick == 19 && p->iteration == 2 && p->n_x == 2 && p->n_y0 == 5 && p->n_y1 == 2);
        assert_string_equal(p->text1, i ? "five" : "four");
        assert_memory_equal(p->tokens + 2, ((int32_t[]){0, 1, 0, 1, 2}), 5 * sizeof(int32_t));
        assert_memory_equal(p->tokens + 7, i ? TOKENS + 4 : TOKENS + 2, 2 * sizeof(int32_t));
    }
    assert_int_equal(g.sampler.n_fresh, 0);
    /* as a resume does: the pairs are there, and new only if it came after the checkpoint */
    for (int again = 0; again < 2; again++) {
        must(game_apply_label(&g, &ev, DPREF_FLIP, DPREF_WEIGHT, again, &e), &e);
        assert_int_equal(g.corpus.dpref.n, 22);
        assert_int_equal(g.sampler.n_fresh, again ? 0 : 2);
        g.sampler.n_fresh = 0;
    }
    ev = new_edit(&g, 5, twice, 2);
    must(game_apply_label(&g, &ev, DPREF_FLIP, DPREF_WEIGHT, false, &e), &e);
    assert_true(g.corpus.dpref.pair[22].weight == 2 * DPREF_WEIGHT);
    end_game(f, &g);
}

static void an_answer_to_a_held_out_prompt_never_trains(void **state) {
    struct dpref_fixture *f = *state;
    struct options o;
    struct err e;
    char text[] = "ab", prompt[24];
    bool made;
    for (int i = 0; i == 0 || !dpref_is_heldout(hash_text(prompt)); i++)
        snprintf(prompt, sizeof prompt, "prompt %d", i);
    const struct pref_pair label = {.source = SOURCE_TEACHER, .active = true, .o = 1, .weight = 1};
    const struct passage x = {prompt, TOKENS, 2, false, {0}};
    const struct passage y0 = {"four", TOKENS + 2, 2, false, {ORIGIN_TEACHER, 0}},
                         y1 = {"five", TOKENS + 4, 2, false, {ORIGIN_STUDENT, 0}};
    must(pair_add(&f->d, &label, &x, &y0, &y1, &made, &e), &e);
    add_game_pair(f);
    struct game g = begin_game(f, &o);
    struct label_event ev = new_edit(&g, 1, text, 1);
    must(game_apply_label(&g, &ev, DPREF_FLIP, DPREF_WEIGHT, false, &e), &e);
    assert_true(g.corpus.dpref.n == 4 && g.corpus.dpref.pair[2].heldout && g.corpus.dpref.pair[3].heldout);
    assert_int_equal(g.sampler.n_fresh, 2);
    const int n = game_draw_pairs(&g, 4);
    assert_true(n > 0);
    for (int i = 0; i < n; i++) assert_ptr_equal(g.scratch.pairs.pair[i], &g.corpus.dpref.pair[1]);
    end_game(f, &g);
}

static void a_refused_answer_changes_nothing(void **state) {
    struct dpref_fixture *f = *state;
    struct options o;
    struct err e;
    char blank[] = " ", same[] = "four";
    add_game_pair(f);
    struct game g = begin_game(f, &o);
    struct label_event ev = new_edit(&g, 1, blank, 1);
    assert_false(game_apply_label(&g, &ev, DPREF_FLIP, DPREF_WEIGHT, false, &e));
    ev = new_edit(&g, 1, same, 1);
    assert_false(game_apply_label(&g, &ev, DPREF_FLIP, DPREF_WEIGHT, false, &e)); /* no letter of it has a token */
    assert_true(g.corpus.dpref.n == 1 && g.sampler.n_fresh == 0 && g.corpus.dpref.n_by_source[SOURCE_HUMAN] == 0);
    end_game(f, &g);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, dpref_set_up, dpref_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(pairs_of_an_edit_come_back),
        TEST(identical_responses_make_no_pair),
        TEST(pairs_of_a_rolled_back_transaction_are_forgotten),
        TEST(undo_withdraws_the_pairs),
        TEST(votes_on_a_withdrawn_pair_do_not_bring_it_back),
        TEST(undo_of_a_vote_on_a_pair_of_an_edit_gives_its_label_back),
        TEST(counts_and_trl_follow_the_edit_and_its_undo),
        TEST(audit_names_the_edit),
        TEST(a_file_of_an_older_version_is_refused),
        TEST(a_hostile_edit_is_refused),
        TEST(texts_become_tokens_or_are_refused),
        TEST(an_answer_enters_the_very_next_batch),
        TEST(an_answer_to_a_held_out_prompt_never_trains),
        TEST(a_refused_answer_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
