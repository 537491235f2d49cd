/* Judged tokens: see token_text.h. Colour alone says nothing here: attributes and the line of figures carry the
 * same. */
#include "views/token_text.h"

#include <math.h>
#include <string.h>

#include "views/format.h"

#define STANDS_OUT 0.2
enum { NAMED = 3 };

static double highest(const struct shown_tokens *t) {
    double top = 0;
    for (int i = 0; i < t->n; i++)
        if (fabs((double)t->token[i].reward) > top)
            top = fabs((double)t->token[i].reward); /* false for what is not a number */
    return top;
}

double token_text_top(const struct shown_pair *p) { return fmax(highest(&p->tokens0), highest(&p->tokens1)); }

/* Byte-level tokens may end inside a character; on the screen it belongs to the first of them. */
static int end_of(const char *text, const struct shown_tokens *t, int i) {
    int end = t->token[i].end;
    while (((unsigned char)text[end] & 0xc0) == 0x80) end++;
    return end;
}

static int start_of(const char *text, const struct shown_tokens *t, int i) { return i ? end_of(text, t, i - 1) : 0; }

/* The NAMED tokens with the lowest rewards, the lowest first; only those that speak against the answer. */
static int find_worst(const struct shown_tokens *t, double top, int worst[NAMED]) {
    int n = 0;
    for (int i = 0; i < t->n; i++) {
        const float r = t->token[i].reward;
        if (!((double)r < -STANDS_OUT * top)) continue;
        int at = n < NAMED ? n++ : NAMED;
        for (; at > 0 && r < t->token[worst[at - 1]].reward; at--)
            if (at < NAMED) worst[at] = worst[at - 1];
        if (at < NAMED) worst[at] = i;
    }
    return n;
}

static void add_worst(struct styled *s, const char *text, const struct shown_tokens *t, double top) {
    int worst[NAMED];
    const int n = find_worst(t, top, worst);
    for (int k = 0; k < n; k++) {
        const int from = start_of(text, t, worst[k]), to = end_of(text, t, worst[k]);
        styled_add(s, ROLE_DIM, 0, k ? ", " : "\nagainst it: ");
        if (to > from)
            styled_printf(s, ROLE_DIM, 0, "\"%.*s\"", to - from, text + from);
        else
            styled_add(s, ROLE_DIM, 0,
                       t->token[worst[k]].end == (int)strlen(text) ? "its end" : "a part of a character");
        styled_printf(s, ROLE_DIM, 0, " %s", format_number((double)t->token[worst[k]].reward).s);
    }
}

void token_text_add(struct styled *s, const char *text, const struct shown_tokens *t, double top) {
    const int len = (int)strlen(text);
    if (!t->n || !(top > 0) || t->token[t->n - 1].end != len) {
        styled_add(s, ROLE_TEXT, 0, text);
        return;
    }
    for (int i = 0; i < t->n; i++) {
        const int from = start_of(text, t, i), to = end_of(text, t, i);
        const double r = (double)t->token[i].reward / top;
        const enum role role = r > STANDS_OUT ? ROLE_GOOD : r < -STANDS_OUT ? ROLE_WARNING : ROLE_TEXT;
        const int attr = r > STANDS_OUT ? ATTR_BOLD : r < -STANDS_OUT ? ATTR_UNDERLINE : 0;
        if (to > from) styled_add_n(s, role, attr, text + from, (size_t)(to - from), -1);
    }
    add_worst(s, text, t, top);
}
