/* Votes and final answers: see vote.h. */
#include "engine/pref/vote.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "engine/base/mem.h"

bool vote_agree(const char *a, const char *b) { return a && b && strcmp(a, b) == 0; }

static int votes_for(const struct vote *v, const char *answer) {
    int votes = 0;
    for (int i = 0; i < v->n; i++) votes += vote_agree(v->answer[i], answer);
    return votes;
}

void vote_count(struct vote *v, const char *const *answer, int n) {
    *v = (struct vote){.answer = answer, .n = n};
    int most = 1; /* one voice is no majority */
    for (int i = 0; i < n; i++) {
        const int votes = votes_for(v, answer[i]);
        if (votes > most) {
            v->majority = answer[i];
            most = votes;
        } else if (votes == most && !vote_agree(v->majority, answer[i])) {
            v->majority = NULL; /* a draw, unless something later has more votes */
        }
    }
}

double vote_share(const struct vote *v, const char *answer) {
    return v->n > 0 ? (double)votes_for(v, answer) / v->n : 0.0;
}

static bool is_blank(utf8proc_int32_t c) {
    return c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f' ||
           utf8proc_category(c) == UTF8PROC_CATEGORY_ZS || utf8proc_category(c) == UTF8PROC_CATEGORY_ZL ||
           utf8proc_category(c) == UTF8PROC_CATEGORY_ZP;
}

/* Blanks of valid UTF-8 made one space each and none at the ends, in place. */
static void collapse_blanks(char *s) {
    const size_t len = strlen(s);
    size_t to = 0;
    bool gap = false;
    for (size_t i = 0; i < len;) {
        utf8proc_int32_t c;
        const size_t n = (size_t)utf8proc_iterate((const utf8proc_uint8_t *)s + i, (utf8proc_ssize_t)(len - i), &c);
        if (is_blank(c)) {
            gap = to > 0;
        } else {
            if (gap) s[to++] = ' ';
            memmove(s + to, s + i, n);
            to += n;
            gap = false;
        }
        i += n;
    }
    s[to] = '\0';
}

char *vote_text_answer(const char *text) {
    utf8proc_uint8_t *folded = NULL;
    const utf8proc_option_t how = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD;
    const bool valid = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)strlen(text), &folded, how) >= 0;
    char *out = mem_strdup(valid ? (const char *)folded : text);
    free(folded);
    if (valid) collapse_blanks(out);
    size_t n = strlen(out);
    if (n > 0 && out[n - 1] == '.') out[--n] = '\0';
    while (n > 0 && out[n - 1] == ' ') out[--n] = '\0';
    if (n > 0) return out;
    free(out);
    return NULL;
}
