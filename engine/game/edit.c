/* Written answers: see edit.h. The text is a person's, so anything may be in it; whatever the reward could not read is
 * refused with a reason. */
#include "engine/game/edit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "engine/base/mem.h"
#include "engine/corpus/pair.h"
#include "engine/game/tell.h"

/* Blanks of every script, line ends, control and format characters. */
static bool is_invisible(utf8proc_int32_t c) {
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF: return true;
    default: return false;
    }
}

static bool check_text(const char *text, struct err *e) {
    const size_t len = strlen(text);
    bool shows = false;
    for (size_t i = 0; i < len;) {
        utf8proc_int32_t c;
        const utf8proc_ssize_t left = len - i > 4 ? 4 : (utf8proc_ssize_t)(len - i);
        const utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text + i, left, &c);
        if (n <= 0) return err_set(e, "the written answer is not valid UTF-8 (byte %zu)", i + 1);
        shows = shows || !is_invisible(c);
        i += (size_t)n;
    }
    return shows || err_set(e, "the written answer is empty");
}

bool edit_tokenise(struct tokenizer *tok, enum chat_kind chat, const char *text, int max_tokens, struct token_list *y,
                   bool *truncated, struct err *e) {
    if (!check_text(text, e)) return false;
    *truncated = false;
    output_tokenise(tok, chat, text, max_tokens, truncated, y);
    return y->n > 1 || *truncated || err_set(e, "the student's vocabulary has no token for the written answer");
}

static bool add_both(struct game *g, const struct label_event *ev, const struct pref_pair *label,
                     const struct passage *y, struct err *e) {
    /* a copy: the array moves as it grows, the texts do not */
    const struct pref_pair old = *dpref_find(&g->corpus.dpref, ev->pair_id);
    const struct passage x = {old.prompt, old.tokens, old.n_x, false, {0}};
    const struct passage y0 = {old.text0, x.token + x.n, old.n_y0, old.truncated0, old.by0};
    const struct passage y1 = {old.text1, y0.token + y0.n, old.n_y1, old.truncated1, old.by1};
    bool made0, made1;
    if (!pair_add(&g->corpus.dpref, label, &x, y, &y0, &made0, e) ||
        !pair_add(&g->corpus.dpref, label, &x, y, &y1, &made1, e))
        return false;
    return made0 || made1 || err_set(e, "the written answer is the same as both answers");
}

static bool make(struct game *g, const struct label_event *ev, double flip, double weight, struct err *e) {
    const char *text = ev->text ? ev->text : "";
    const struct pref_pair label = {.tick = g->st.tick - 1,
                                    .iteration = (int)g->st.iteration,
                                    .edit = ev->seq,
                                    .source = SOURCE_HUMAN,
                                    .active = true,
                                    .o = 1.0,
                                    .weight = ev->strength >= 2.0 ? 2.0 * weight : weight,
                                    .flip = flip,
                                    .strength = fmax(ev->strength, 0.0)};
    struct token_list tokens = {0};
    bool truncated,
        ok = edit_tokenise(g->players.tok, g->players.chat, text, g->o->max_new_tokens, &tokens, &truncated, e);
    if (ok) {
        const struct passage y = {text, tokens.id, (int)tokens.n, truncated, {ORIGIN_PERSON, 0}};
        ok = add_both(g, ev, &label, &y, e);
    }
    token_list_free(&tokens);
    if (ok && truncated)
        game_log(g, ALERT_WARNING, "the answer of label #%lld is cut at max_new_tokens (%d)", (long long)ev->seq,
                 g->o->max_new_tokens);
    return ok;
}

bool edit_make_pairs(struct game *g, const struct label_event *ev, double flip, double weight, bool must_exist,
                     int *first, int *n, struct err *e) {
    *n = dpref_find_edit(&g->corpus.dpref, ev->seq, first);
    if (*n > 0) return true;
    if (must_exist) return err_set(e, "the pairs of label event %lld are missing", (long long)ev->seq);
    *first = g->corpus.dpref.n;
    if (!make(g, ev, flip, weight, e)) {
        dpref_forget(&g->corpus.dpref, *first);
        return false;
    }
    *n = g->corpus.dpref.n - *first;
    return true;
}
