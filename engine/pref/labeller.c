/* Labellers: see labeller.h. One row of LABELLERS and one function that decides a pair make a labeller; noise, weights
 * and flip rates are laid over the decision in one place, so that no labeller can forget them. */
#include "engine/pref/labeller.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/base/strbuf.h"

const struct labeller_info LABELLERS[N_LABELLERS] = {
    [LABELLER_TEACHER] = {"teacher", "the teacher's output is preferred", SOURCE_TEACHER, 0},
    [LABELLER_HUMAN] = {"human", "the pair waits for a person", SOURCE_NONE, NEEDS_PERSON},
    [LABELLER_ORACLE] = {"oracle", "the checker decides: the only right answer is preferred, else a tie", SOURCE_ORACLE,
                         NEEDS_CHECKER},
    [LABELLER_SELF] = {"self", "the answer that most of the student's samples agree on is preferred", SOURCE_SELF,
                       NEEDS_SAMPLES},
    [LABELLER_IMPORT] = {"import", "only the labels of the file label.import count: no new pairs are made",
                         SOURCE_IMPORT, NEEDS_FILE},
};

/* ---- mixtures ---- */

static bool fail_name(const char *name, int len, struct err *e) {
    struct strbuf known = {0};
    for (int i = 0; i < N_LABELLERS; i++) strbuf_printf(&known, "%s%s", i ? ", " : "", LABELLERS[i].name);
    err_set(e, "must be one of %s, or several with their shares (\"teacher:0.8,human:0.2\"), found \"%.*s\"",
            strbuf_str(&known), len > 60 ? 60 : len, name);
    strbuf_free(&known);
    return false;
}

static void trim(const char **s, int *len) {
    while (*len > 0 && **s == ' ') ++*s, --*len;
    while (*len > 0 && (*s)[*len - 1] == ' ') --*len;
}

static bool parse_share(const char *labeller, const char *s, int len, double *share, struct err *e) {
    char number[40], *end = number;
    trim(&s, &len);
    snprintf(number, sizeof number, "%.*s", len, s);
    if (len > 0 && len < (int)sizeof number && strspn(number, "0123456789+-.eE") == (size_t)len)
        *share = strtod(number, &end);
    return (end > number && !*end && *share >= 0.0 && isfinite(*share)) ||
           err_set(e, "the share of %s must be a number of 0 or more, found \"%s\"", labeller, number);
}

/* One NAME or NAME:SHARE; *shared says which. */
static bool parse_entry(const char *s, int len, struct labeller_mix *m, bool *shared, struct err *e) {
    const char *colon = memchr(s, ':', (size_t)len);
    const char *name = s;
    int n = colon ? (int)(colon - s) : len, which = 0;
    trim(&name, &n);
    while (which < N_LABELLERS &&
           !(strlen(LABELLERS[which].name) == (size_t)n && !memcmp(LABELLERS[which].name, name, (size_t)n)))
        which++;
    if (which == N_LABELLERS) return fail_name(name, n, e);
    if (m->share[which] >= 0.0) return err_set(e, "%s is named twice", LABELLERS[which].name);
    *shared = colon != NULL;
    m->share[which] = 1.0;
    return !colon || parse_share(LABELLERS[which].name, colon + 1, (int)(s + len - colon - 1), &m->share[which], e);
}

bool labeller_mix_parse(const char *text, struct labeller_mix *m, struct err *e) {
    int n = 0, n_shared = 0;
    double sum = 0;
    for (int i = 0; i < N_LABELLERS; i++) m->share[i] = -1.0; /* not named yet */
    for (const char *s = text;; n++) {
        const int len = (int)strcspn(s, ",");
        bool shared = false;
        if (!parse_entry(s, len, m, &shared, e)) return false;
        n_shared += shared;
        if (!s[len]) break;
        s += len + 1;
    }
    if (n_shared != 0 && n_shared != n + 1)
        return err_set(e, "either all labellers have a share or none, found \"%.200s\"", text);
    for (int i = 0; i < N_LABELLERS; i++) sum += m->share[i] = fmax(m->share[i], 0.0);
    if (!(sum > 0.0 && isfinite(sum)))
        return err_set(e, "the shares must add up to more than 0, found \"%.200s\"", text);
    for (int i = 0; i < N_LABELLERS; i++) m->share[i] /= sum;
    return true;
}

unsigned labeller_mix_needs(const struct labeller_mix *m) {
    unsigned needs = 0;
    for (int i = 0; i < N_LABELLERS; i++)
        if (m->share[i] > 0.0) needs |= LABELLERS[i].needs;
    return needs;
}

enum labeller labeller_mix_draw(const struct labeller_mix *m, double u) {
    int drawn = 0;
    double below = 0;
    for (int i = 0; i < N_LABELLERS; i++) { /* rounding may leave the sum below u: then the last with a share */
        if (m->share[i] <= 0.0) continue;
        drawn = i;
        below += m->share[i];
        if (u < below) break;
    }
    return (enum labeller)drawn;
}

/* ---- the vote ---- */

static bool agree(const char *a, const char *b) { return a && b && strcmp(a, b) == 0; }

static int votes_for(const struct vote *v, const char *answer) {
    int votes = 0;
    for (int i = 0; i < v->n; i++) votes += agree(v->answer[i], answer);
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
        } else if (votes == most && !agree(v->majority, answer[i])) {
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

/* ---- labels ---- */

/* Exactly one of the two is preferred, or it is a tie. */
static void prefer(struct pref_pair *p, bool first, bool second, double strength) {
    p->o = first == second ? 0.5 : first ? 1.0 : 0.0;
    p->strength = first == second ? 0.0 : strength;
}

static bool decide_oracle(const struct label_case *c, struct pref_pair *p) {
    if (c->verdict[0] == VERDICT_NONE || c->verdict[1] == VERDICT_NONE) return false;
    prefer(p, c->verdict[0] == VERDICT_RIGHT, c->verdict[1] == VERDICT_RIGHT, 1.0);
    return true;
}

static bool decide_self(const struct label_case *c, struct pref_pair *p) {
    const struct vote *v = c->vote;
    if (!v || !v->majority) return false;
    prefer(p, agree(c->answer[0], v->majority), agree(c->answer[1], v->majority),
           fabs(vote_share(v, c->answer[0]) - vote_share(v, c->answer[1])));
    return true;
}

/* False: it knows nothing about the pair. */
static bool decide(enum labeller by, const struct label_case *c, struct pref_pair *p) {
    switch (by) {
    case LABELLER_TEACHER: p->o = 1.0; return true;
    case LABELLER_ORACLE: return decide_oracle(c, p);
    case LABELLER_SELF: return decide_self(c, p);
    case LABELLER_HUMAN:
    case LABELLER_IMPORT:
    case N_LABELLERS: break;
    }
    return false;
}

/* Whether to leave out a pair of two answers none of which is the teacher's: it is there for its order alone. */
static bool has_no_order(enum labeller by, const struct pref_pair *p) {
    return by == LABELLER_TEACHER || (by != LABELLER_HUMAN && (!p->active || p->o == 0.5));
}

static void turn_round(const struct label_policy *policy, const struct label_case *c, struct pref_pair *p) {
    p->noise = policy->noise;
    p->flipped =
        p->o != 0.5 && rng_uniform(policy->seed, RNG_LABEL, (uint64_t)c->tick, 2 * c->index + 1) < policy->noise;
    if (p->flipped) p->o = 1.0 - p->o;
}

enum label_outcome label_pair(const struct label_policy *policy, const struct label_case *c, struct pref_pair *p) {
    const enum labeller by =
        labeller_mix_draw(&policy->mix, rng_uniform(policy->seed, RNG_LABEL, (uint64_t)c->tick, 2 * c->index));
    p->o = 1.0;
    p->strength = 1.0;
    p->weight = policy->weight[by];
    p->flip = policy->flip[by];
    p->noise = 0.0;
    p->flipped = false;
    if (by == LABELLER_IMPORT) return LABEL_NO_PAIR;
    p->active = decide(by, c, p);
    if (c->others && has_no_order(by, p)) return LABEL_NO_PAIR;
    p->source = p->active ? LABELLERS[by].source : SOURCE_NONE;
    if (!p->active) return LABEL_AWAITED;
    turn_round(policy, c, p);
    return LABEL_GIVEN;
}
