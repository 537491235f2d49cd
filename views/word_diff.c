/* Word difference: see word_diff.h.
 *
 * Common words at both ends are set aside, the rest is compared by the longest common subsequence in a table of
 * lengths. Answers are a few hundred words, so the table is small; when it would exceed MAX_TABLE entries the middle
 * counts as changed as a whole. */
#include "views/word_diff.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"

enum { MAX_TABLE = 4 << 20 };

struct word {
    size_t start, len; /* without blanks */
};
struct words {
    const char *text;
    struct word *word;
    int n;
};

static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

static struct words split_words(const char *text) {
    struct words w = {.text = text};
    int cap = 0;
    for (size_t i = 0; text[i];) {
        while (is_blank(text[i])) i++;
        if (!text[i]) break;
        const size_t start = i;
        while (text[i] && !is_blank(text[i])) i++;
        if (w.n == cap) {
            cap = cap ? cap * 2 : 64;
            w.word = mem_grow(w.word, (size_t)cap * sizeof *w.word);
        }
        w.word[w.n++] = (struct word){start, i - start};
    }
    return w;
}

static bool same_word(const struct words *a, int i, const struct words *b, int j) {
    return a->word[i].len == b->word[j].len &&
           memcmp(a->text + a->word[i].start, b->text + b->word[j].start, a->word[i].len) == 0;
}

/* Append word i of w, joined to the span before when that is of the same kind and the words are neighbours. */
static void add_span(struct word_diff *d, int *cap, enum diff_op op, const struct words *w, int i, size_t start_b) {
    const struct word *x = &w->word[i];
    if (d->n && d->span[d->n - 1].op == op) {
        struct diff_span *last = &d->span[d->n - 1];
        last->len = x->start + x->len - last->start;
        return;
    }
    if (d->n == *cap) {
        *cap = *cap ? *cap * 2 : 16;
        d->span = mem_grow(d->span, (size_t)*cap * sizeof *d->span);
    }
    d->span[d->n++] = (struct diff_span){op, x->start, x->len, start_b};
}

/* length[i][j]: longest common subsequence of a's words from i and b's from j, within [from, to). NULL when too big. */
static uint16_t *common_lengths(const struct words *a, int a_to, const struct words *b, int b_to, int from) {
    const size_t n = (size_t)(a_to - from), m = (size_t)(b_to - from);
    if (n > UINT16_MAX - 1 || m > UINT16_MAX - 1 || (n + 1) * (m + 1) > MAX_TABLE) return NULL;
    uint16_t *length = mem_alloc((n + 1) * (m + 1), sizeof *length, "word difference", NULL);
    if (!length) return NULL;
    for (size_t i = n; i-- > 0;)
        for (size_t j = m; j-- > 0;) {
            uint16_t *here = &length[i * (m + 1) + j];
            const uint16_t down = here[m + 1], right = here[1];
            *here = same_word(a, from + (int)i, b, from + (int)j) ? (uint16_t)(here[m + 2] + 1)
                    : down > right                                ? down
                                                                  : right;
        }
    return length;
}

static void diff_middle(struct word_diff *d, int *cap, const struct words *a, int a_to, const struct words *b, int b_to,
                        int from) {
    uint16_t *length = common_lengths(a, a_to, b, b_to, from);
    const size_t row = (size_t)(b_to - from) + 1;
    d->coarse = !length;
    int i = from, j = from;
    while (i < a_to || j < b_to) {
        if (length && i < a_to && j < b_to && same_word(a, i, b, j)) {
            add_span(d, cap, DIFF_SAME, a, i, b->word[j].start);
            i++, j++;
            continue;
        }
        const uint16_t *here = length ? &length[(size_t)(i - from) * row + (size_t)(j - from)] : NULL;
        if (i < a_to && (j == b_to || !here || here[row] >= here[1]))
            add_span(d, cap, DIFF_REMOVED, a, i++, 0);
        else
            add_span(d, cap, DIFF_ADDED, b, j++, 0);
    }
    mem_free(length);
}

void word_diff(struct word_diff *d, const char *a, const char *b) {
    *d = (struct word_diff){0};
    int cap = 0, from = 0;
    struct words x = split_words(a), y = split_words(b);
    int x_to = x.n, y_to = y.n;
    while (from < x_to && from < y_to && same_word(&x, from, &y, from)) {
        add_span(d, &cap, DIFF_SAME, &x, from, y.word[from].start);
        from++;
    }
    while (x_to > from && y_to > from && same_word(&x, x_to - 1, &y, y_to - 1)) x_to--, y_to--;
    if (from < x_to || from < y_to) diff_middle(d, &cap, &x, x_to, &y, y_to, from);
    for (int i = x_to; i < x.n; i++) add_span(d, &cap, DIFF_SAME, &x, i, y.word[y_to + i - x_to].start);
    free(x.word);
    free(y.word);
}

void word_diff_free(struct word_diff *d) {
    free(d->span);
    *d = (struct word_diff){0};
}

void word_diff_unified(struct styled *out, const char *a, const char *b) {
    struct word_diff d;
    word_diff(&d, a, b);
    for (int i = 0; i < d.n; i++) {
        const struct diff_span *s = &d.span[i];
        if (i) styled_add(out, ROLE_TEXT, 0, " ");
        if (s->op == DIFF_SAME) {
            styled_add_n(out, ROLE_TEXT, 0, a + s->start, s->len, -1);
            continue;
        }
        const bool added = s->op == DIFF_ADDED;
        const enum role role = added ? ROLE_ADDED : ROLE_REMOVED;
        styled_add(out, role, 0, added ? "{+" : "[-");
        styled_add_n(out, role, 0, (added ? b : a) + s->start, s->len, -1);
        styled_add(out, role, 0, added ? "+}" : "-]");
    }
    if (d.coarse) styled_add(out, ROLE_DIM, 0, "\n(too long to compare word by word)");
    word_diff_free(&d);
}

void word_diff_side(struct styled *out, const char *a, const char *b, enum role mark) {
    struct word_diff d;
    word_diff(&d, a, b);
    size_t done = 0; /* blanks between spans belong to the text and are kept as they are */
    for (int i = 0; i < d.n; i++) {
        const struct diff_span *s = &d.span[i];
        if (s->op == DIFF_ADDED) continue;
        styled_add_n(out, ROLE_TEXT, 0, a + done, s->start - done, (long)done);
        const bool marked = s->op == DIFF_REMOVED;
        if (marked) styled_add(out, mark, ATTR_BOLD, "{+");
        styled_add_n(out, marked ? mark : ROLE_TEXT, marked ? ATTR_UNDERLINE : 0, a + s->start, s->len, (long)s->start);
        if (marked) styled_add(out, mark, ATTR_BOLD, "+}");
        done = s->start + s->len;
    }
    styled_add_n(out, ROLE_TEXT, 0, a + done, strlen(a + done), (long)done);
    word_diff_free(&d);
}
