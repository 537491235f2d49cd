/* Reading mixtures: see mix.h. */
#include "engine/option/mix.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/strbuf.h"

int mix_n_choices(const char *choices) {
    int n = 1;
    for (const char *c = choices; *c; c++) n += *c == '|';
    return n;
}

const char *mix_choice(const char *choices, int i, int *len) {
    const char *c = choices;
    for (; i > 0; i--) c += strcspn(c, "|") + 1;
    *len = (int)strcspn(c, "|");
    return c;
}

static bool fail_name(const char *choices, const char *name, int len, struct err *e) {
    struct strbuf known = {0};
    for (const char *c = choices; *c; c++) strbuf_printf(&known, *c == '|' ? ", " : "%c", *c);
    err_set(e, "must be one of %s, or several with their shares (\"teacher:0.8,human:0.2\"), found \"%.*s\"",
            strbuf_str(&known), len > 60 ? 60 : len, name);
    strbuf_free(&known);
    return false;
}

static void trim(const char **s, int *len) {
    while (*len > 0 && **s == ' ') ++*s, --*len;
    while (*len > 0 && (*s)[*len - 1] == ' ') --*len;
}

/* of: the choice, of_len bytes. */
static bool parse_share(const char *of, int of_len, const char *s, int len, double *share, struct err *e) {
    char number[40], *end = number;
    trim(&s, &len);
    snprintf(number, sizeof number, "%.*s", len, s);
    if (len > 0 && len < (int)sizeof number && strspn(number, "0123456789+-.eE") == (size_t)len)
        *share = strtod(number, &end);
    return (end > number && !*end && *share >= 0.0 && isfinite(*share)) ||
           err_set(e, "the share of %.*s must be a number of 0 or more, found \"%s\"", of_len, of, number);
}

/* One NAME or NAME:SHARE; *shared says which. */
static bool parse_entry(const char *choices, const char *s, int len, double *share, int n, bool *shared,
                        struct err *e) {
    const char *colon = memchr(s, ':', (size_t)len), *name = s, *choice = NULL;
    int name_len = colon ? (int)(colon - s) : len, which = 0, choice_len = 0;
    trim(&name, &name_len);
    for (; which < n; which++) {
        choice = mix_choice(choices, which, &choice_len);
        if (choice_len == name_len && memcmp(choice, name, (size_t)name_len) == 0) break;
    }
    if (which == n) return fail_name(choices, name, name_len, e);
    if (share[which] >= 0.0) return err_set(e, "%.*s is named twice", choice_len, choice);
    *shared = colon != NULL;
    share[which] = 1.0;
    return !colon || parse_share(choice, choice_len, colon + 1, (int)(s + len - colon - 1), &share[which], e);
}

bool mix_parse(const char *choices, const char *text, double *share, int n, struct err *e) {
    int n_named = 0, n_shared = 0;
    double sum = 0;
    for (int i = 0; i < n; i++) share[i] = -1.0; /* not named yet */
    for (const char *s = text;; n_named++) {
        const int len = (int)strcspn(s, ",");
        bool shared = false;
        if (!parse_entry(choices, s, len, share, n, &shared, e)) return false;
        n_shared += shared;
        if (!s[len]) break;
        s += len + 1;
    }
    if (n_shared != 0 && n_shared != n_named + 1)
        return err_set(e, "either all labellers have a share or none, found \"%.200s\"", text);
    for (int i = 0; i < n; i++) sum += share[i] = fmax(share[i], 0.0);
    if (!(sum > 0.0 && isfinite(sum)))
        return err_set(e, "the shares must add up to more than 0, found \"%.200s\"", text);
    for (int i = 0; i < n; i++) share[i] /= sum;
    return true;
}
