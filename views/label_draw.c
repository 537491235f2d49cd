/* How the Label view looks: prompt above, A and B beside each other with equal widths (above each other on narrow
 * screens), what came of the vote before below. On very small screens one pane at a time. Nothing here names who wrote
 * what before the vote. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "views/format.h"
#include "views/label.h"
#include "views/word_diff.h"

/* An answer that says which model wrote it gives itself away. */
static bool names_a_model(const char *text) {
    static const char *const NAMES[] = {"chatgpt", "openai", "anthropic", "gemini",   "llama",          "mistral",
                                        "qwen",    "smollm", "deepseek",  "as an ai", "language model", "hugging face"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcasestr(text, NAMES[i])) return true;
    return false;
}

/* A pane with a box, or with a title row where boxes would leave too little. */
static struct area pane(struct area a, const char *title, bool box, bool focus) {
    if (box) return area_box(a, title, focus);
    area_fill(a, 0, 0, a.cols, "─", focus ? ROLE_TITLE_FOCUS : ROLE_AXIS, 0);
    area_text(a, 0, 0, a.cols - 1, focus ? ROLE_TITLE_FOCUS : ROLE_TITLE, focus ? ATTR_BOLD : 0, title);
    area_fill(a, 0, text_cells(title), 1, " ", ROLE_AXIS, 0);
    return area_sub(a, 1, 0, a.rows - 1, a.cols);
}

static void draw_text(struct label_view *v, struct area in, enum label_pane which, const struct styled *t,
                      unsigned char *seen) {
    v->page[which] = in.rows;
    v->lines[which] = styled_lines(t, in.cols);
    const int last = v->lines[which] - in.rows;
    if (v->top[which] > last) v->top[which] = last > 0 ? last : 0;
    styled_draw(in, t, v->top[which], seen);
}

static void draw_prompt(struct label_view *v, struct area a, bool box) {
    struct styled t = {0};
    styled_add(&t, ROLE_TEXT, 0, v->pair.prompt);
    draw_text(v, box ? area_sub(a, 1, 1, a.rows - 2, a.cols - 2) : area_sub(a, 1, 0, a.rows - 1, a.cols), PANE_PROMPT,
              &t, NULL);
    char title[64] = "Prompt";
    const int below = v->lines[PANE_PROMPT] - v->top[PANE_PROMPT] - v->page[PANE_PROMPT];
    if (below > 0) snprintf(title, sizeof title, "Prompt, %d more line%s: Tab j", below, below > 1 ? "s" : "");
    pane(a, title, box, v->focus == PANE_PROMPT);
    styled_free(&t);
}

static void answer_text(const struct label_view *v, int shown_as, struct styled *t) {
    const int side = label_side(&v->pair, shown_as);
    const char *text = v->pair.text[side], *other = v->pair.text[!side];
    if (!*text)
        styled_add(t, ROLE_DIM, 0, "(empty answer)");
    else if (v->diff)
        word_diff_side(t, text, other, shown_as ? ROLE_B : ROLE_A);
    else
        styled_add_n(t, ROLE_TEXT, 0, text, strlen(text), 0);
    if (v->pair.truncated[side]) styled_add(t, ROLE_DIM, 0, " (cut at max_new_tokens)");
}

static void draw_answer(struct label_view *v, struct area a, int shown_as, bool box) {
    const enum label_pane which = shown_as ? PANE_B : PANE_A;
    const int side = label_side(&v->pair, shown_as);
    struct styled t = {0};
    answer_text(v, shown_as, &t);
    struct area in = box ? area_sub(a, 1, 1, a.rows - 2, a.cols - 2) : area_sub(a, 1, 0, a.rows - 1, a.cols);
    draw_text(v, in, which, &t, v->seen[side]);
    char title[96];
    const int below = v->lines[which] - v->top[which] - in.rows;
    const double seen = label_seen(v, side);
    const int n = snprintf(title, sizeof title, "%c", shown_as ? 'B' : 'A');
    if (below > 0 || seen < 1)
        snprintf(title + n, sizeof title - (size_t)n, "  %.0f %% seen%s", floor(100 * seen),
                 below > 0 ? ", more: J" : "");
    if (names_a_model(v->pair.text[side])) strcat(title, "  ! names a model");
    pane(a, title, box, v->focus == which);
    styled_free(&t);
}

/* ---- one row on what is asked ---- */

static void draw_question(struct label_view *v, struct area a, const struct actions *act) {
    char text[256];
    int n = snprintf(text, sizeof text, "Which answer is better?  pair %lld: newest that nobody labelled%s",
                     (long long)v->pair.id, v->pair.heldout ? " (held out: checks the reward)" : "");
    if (text_cells(text) > a.cols)
        n = snprintf(text, sizeof text, "Which is better?  pair %lld", (long long)v->pair.id);
    const double minutes = (act->now - v->first_vote_at) / 60;
    char more[128];
    int m = snprintf(more, sizeof more, "%d more", v->queue);
    if (v->n_votes) m += snprintf(more + m, sizeof more - (size_t)m, "  %d labelled", v->n_votes);
    if (v->n_votes > 2 && minutes > 0.05)
        m += snprintf(more + m, sizeof more - (size_t)m, ", %.1f/min", v->n_votes / minutes);
    if (v->n_votes > 9) m += snprintf(more + m, sizeof more - (size_t)m, ", A %d %%", 100 * v->n_left / v->n_votes);
    if (v->n_compared > 2)
        snprintf(more + m, sizeof more - (size_t)m, ", reward agrees %d %%", 100 * v->n_agreed / v->n_compared);
    area_text(a, 0, 0, a.cols, ROLE_TITLE, ATTR_BOLD, text);
    if (n + 2 + text_cells(more) <= a.cols)
        area_text(a, 0, a.cols - text_cells(more), text_cells(more), ROLE_DIM, 0, more);
}

/* ---- the vote before ---- */

static void add_decision(struct styled *t, const struct label_view *v) {
    const struct labelled_pair *p = &v->previous;
    styled_add(t, ROLE_TEXT, 0, v->said);
    styled_add(t, ROLE_TEXT, 0, "; A was the ");
    styled_add(t, p->left ? ROLE_STUDENT : ROLE_TEACHER, ATTR_BOLD, p->name[p->left]);
    styled_add(t, ROLE_TEXT, 0, ", B the ");
    styled_add(t, p->left ? ROLE_TEACHER : ROLE_STUDENT, ATTR_BOLD, p->name[!p->left]);
    styled_add(t, ROLE_TEXT, 0, ". ");
}

static void add_reward(struct styled *t, const struct label_view *v) {
    const struct labelled_pair *p = &v->previous;
    if (!isfinite(p->reward[0]) || !isfinite(p->reward[1])) {
        styled_add(t, ROLE_DIM, 0, "The reward has not scored it yet. ");
        return;
    }
    styled_printf(t, ROLE_TEXT, 0, "Reward: %s %s, %s %s", p->name[0], format_number(p->reward[0]).s, p->name[1],
                  format_number(p->reward[1]).s);
    const int agrees = label_agrees(p, v->decision);
    if (agrees >= 0) styled_add(t, agrees ? ROLE_GOOD : ROLE_WARNING, 0, agrees ? ", it agrees" : ", it disagrees");
    styled_add(t, ROLE_TEXT, 0, ". ");
}

static void add_vote(struct styled *t, const struct label_view *v) {
    if (v->undone)
        styled_printf(t, ROLE_WARNING, ATTR_BOLD, "taken back #%lld: ", (long long)v->seq);
    else
        styled_printf(t, ROLE_GOOD, ATTR_BOLD, "saved #%lld: ", (long long)v->seq);
    add_decision(t, v);
    add_reward(t, v);
}

static void draw_previous(const struct label_view *v, struct area a) {
    if (!v->previous.id || a.rows < 1) return;
    const bool trains = v->decision != DECISION_SKIP && !v->previous.heldout && !v->undone;
    for (int more = trains; more >= 0; more--) { /* without this sentence where the keys would not fit */
        struct styled t = {0};
        add_vote(&t, v);
        if (more) styled_add(&t, ROLE_TEXT, 0, "Counts from the next reward step. ");
        styled_add(&t, ROLE_DIM, 0, v->undone ? "r shows it, U gives it again" : "r shows it, u takes it back");
        const bool fits = styled_lines(&t, a.cols) <= a.rows;
        if (fits || !more) styled_draw_cut(a, &t);
        styled_free(&t);
        if (fits) return;
    }
}

/* r: the pair before in full, with names. */
static void draw_reveal(const struct label_view *v, struct area a) {
    const struct labelled_pair *p = &v->previous;
    char title[96];
    snprintf(title, sizeof title, "Pair %lld, revealed (r or Esc goes on)", (long long)p->id);
    struct area in = area_box(a, title, true);
    struct styled t = {0};
    add_vote(&t, v);
    styled_printf(&t, ROLE_DIM, ATTR_BOLD, "\n\nprompt\n");
    styled_add(&t, ROLE_TEXT, 0, p->prompt);
    if (v->written) {
        styled_printf(&t, ROLE_GOOD, ATTR_BOLD, "\n\nyour answer\n");
        styled_add(&t, ROLE_TEXT, 0, v->written);
    }
    for (int i = 0; i < 2; i++) {
        const int side = label_side(p, i);
        styled_printf(&t, side ? ROLE_STUDENT : ROLE_TEACHER, ATTR_BOLD, "\n\n%c: %s  reward %s\n", i ? 'B' : 'A',
                      p->name[side], format_number(p->reward[side]).s);
        styled_add(&t, ROLE_TEXT, 0, p->text[side][0] ? p->text[side] : "(empty)");
    }
    styled_draw_cut(in, &t);
    styled_free(&t);
}

/* ---- arrangements ---- */

static void draw_empty(const struct label_view *v, struct area a, const struct snapshot *s) {
    struct area in = area_box(a, "Label", true);
    struct styled t = {0};
    if (!s->n_shown) {
        styled_add(&t, ROLE_TEXT, ATTR_BOLD,
                   "No pairs yet: the first come in a few seconds, after the run has loaded its models and collected "
                   "answers.\n");
        styled_printf(&t, ROLE_DIM, 0, "Now: %s, %s.\n", run_state_name(s->state), run_phase_name(s->phase));
    } else {
        styled_add(&t, ROLE_TEXT, ATTR_BOLD,
                   "Nothing waits for a label: every pair here has one from you, or its two answers are identical.\n");
        styled_add(&t, ROLE_DIM, 0, "New pairs come with the next iteration; u takes back your last label.\n");
    }
    styled_add(&t, ROLE_TEXT, 0,
               "\nYou will see a prompt and two answers, A and B, without their writers' names: press a or b for the "
               "better one, A or B when it is much better, t for a tie, x when both are bad, s to skip. A label counts "
               "from the next reward step.");
    styled_draw_cut(in, &t);
    styled_free(&t);
    draw_previous(v, area_sub(a, a.rows - 3, 1, 2, a.cols - 2));
}

static void draw_one_pane(struct label_view *v, struct area a) {
    if (v->focus == PANE_PROMPT)
        draw_prompt(v, a, false);
    else
        draw_answer(v, a, v->focus == PANE_B, false);
}

static int prompt_rows(const struct label_view *v, struct area a, int frame) {
    struct wrapped w;
    wrap_text(&w, v->pair.prompt, a.cols - (frame > 1 ? 2 : 0));
    const int most = a.rows / 3 > frame + 1 ? a.rows / 3 : frame + 1, rows = w.n + frame;
    wrapped_free(&w);
    return rows < most ? rows : most;
}

static void draw_pair(struct label_view *v, struct area a, const struct actions *act) {
    draw_question(v, a, act);
    const int result_rows = a.rows >= 16 ? (a.cols >= 150 ? 1 : 2) : a.rows >= 12 ? 1 : 0;
    struct area body = area_sub(a, 1, 0, a.rows - 1 - result_rows, a.cols);
    const bool beside = a.cols >= 80, box = body.rows >= (beside ? 10 : 15);
    const int head = prompt_rows(v, body, box ? 2 : 1), rest = body.rows - head;
    draw_prompt(v, area_sub(body, 0, 0, head, body.cols), box);
    if (beside) {
        const int half = body.cols / 2; /* equal widths: a column is left over when they are odd */
        draw_answer(v, area_sub(body, head, 0, rest, half), 0, box);
        draw_answer(v, area_sub(body, head, half, rest, half), 1, box);
    } else {
        const int half = rest / 2;
        draw_answer(v, area_sub(body, head, 0, half, body.cols), 0, box);
        draw_answer(v, area_sub(body, head + half, 0, half, body.cols), 1, box);
    }
    draw_previous(v, area_sub(a, a.rows - result_rows, 0, result_rows, a.cols));
}

void label_draw(struct label_view *v, struct area a, const struct snapshot *s, const struct actions *act) {
    if (v->reveal)
        draw_reveal(v, a);
    else if (!v->pair.id)
        draw_empty(v, a, s);
    else if (a.rows < 8 || a.cols < 30)
        draw_one_pane(v, a);
    else
        draw_pair(v, a, act);
}
