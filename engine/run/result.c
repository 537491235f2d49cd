/* What a run says at its end: one line of JSON that scripts and studies read. Figures that were not measured are
 * null. */
#include <math.h>
#include <stdio.h>

#include "engine/base/strbuf.h"
#include "engine/run/session_private.h"

static void add_real(struct strbuf *b, const char *key, double v) {
    if (isfinite(v))
        strbuf_printf(b, "\"%s\":%.6g", key, v);
    else
        strbuf_printf(b, "\"%s\":null", key);
}

/* Several reals of one object, `n` keys and values in turn, without the braces. */
static void add_reals(struct strbuf *b, int n, const char *const *key, const double *v) {
    for (int i = 0; i < n; i++) {
        if (i > 0) strbuf_putc(b, ',');
        add_real(b, key[i], v[i]);
    }
}

static void add_interval(struct strbuf *b, const char *key, double mean, double lo, double hi) {
    strbuf_printf(b, "\"%s\":{", key);
    add_reals(b, 3, (const char *const[]){"mean", "lo", "hi"}, (const double[]){mean, lo, hi});
    strbuf_putc(b, '}');
}

/* nll, ece and brier are of held-out pairs, so that they can be compared; nll_train is L-hat. */
static void add_reward(struct strbuf *b, const struct game_state *st, const struct diagnostics *d) {
    /* clang-format off */
    static const char *const KEYS[] = {"accuracy_train", "accuracy_heldout", "accuracy_heldout_first", "length_only", "majority", "nll_train",
                                       "nll", "ece", "brier", "length_correlation", "accuracy_r_held", "accuracy_newest", "accuracy_human"};
    const double v[] = {st->rm_train, st->rm_heldout, st->rm_heldout_first, st->rm_length, d->majority, st->nll_best,
                        d->nll[DIAG_HELDOUT], d->ece, d->brier, d->length_correlation, st->rm_held, st->rm_newest, st->rm_human};
    /* clang-format on */
    strbuf_puts(b, "\"reward\":{");
    add_reals(b, sizeof v / sizeof *v, KEYS, v);
    strbuf_putc(b, '}');
}

/* What the confidence set allows the gap to be, in scope head: the certified extremes, else null. */
static void add_gap_set(struct strbuf *b, const struct gap_set *s) {
    static const char *const KEYS[] = {"min", "max", "beta", "kkt", "duality_gap"};
    const double v[] = {s->min, s->max, s->beta, s->kkt, s->duality_gap};
    if (!isfinite(s->max)) {
        strbuf_puts(b, ",\"set\":null");
        return;
    }
    strbuf_puts(b, ",\"set\":{");
    add_reals(b, sizeof v / sizeof *v, KEYS, v);
    strbuf_printf(b, ",\"active\":%s}", s->active != 0 ? "true" : "false");
}

static void add_gaps(struct strbuf *b, const struct game_state *st, const struct gap_set *set) {
    strbuf_puts(b, ",\"gap\":{");
    add_interval(b, "worst", st->worst_mean, st->worst_lo, st->worst_hi);
    strbuf_putc(b, ',');
    add_interval(b, "fitted", st->fitted_mean, st->fitted_lo, st->fitted_hi);
    strbuf_putc(b, ',');
    add_interval(b, "held", st->held_mean, st->held_lo, st->held_hi);
    strbuf_putc(b, ',');
    add_interval(b, "true", st->true_mean, st->true_lo, st->true_hi);
    add_gap_set(b, set);
    strbuf_putc(b, '}');
}

/* Seconds of this session by phase, those that took any. */
static void add_phases(struct strbuf *b, const struct session *s) {
    const char *comma = "";
    strbuf_puts(b, ",\"phase_seconds\":{");
    for (int i = 0; i < N_PHASES; i++) {
        if (s->phase_seconds[i] <= 0) continue;
        strbuf_puts(b, comma);
        add_real(b, run_phase_name((enum run_phase)i), s->phase_seconds[i]);
        comma = ",";
    }
    strbuf_putc(b, '}');
}

char *result_json(const struct session *s) {
    if (!s->game_is_open) return NULL;
    const struct game_state *st = &s->game.st;
    const double seconds = s->draft->elapsed_seconds;
    const bool whole = st->phase == PHASE_END || st->iteration == 0; /* an iteration under way does not count */
    struct strbuf b = {0};
    strbuf_printf(&b, "{\"iterations\":%lld,", (long long)(whole ? st->iteration : st->iteration - 1));
    add_reward(&b, st, &s->game.rewards.diagnostics);
    add_gaps(&b, st, &s->game.evaluation.gap_set);
    strbuf_putc(&b, ',');
    add_reals(&b, 4, (const char *const[]){"beta", "zeta", "coverage", "coverage_redrawn"},
              (const double[]){game_beta(&s->game), game_zeta(&s->game), st->coverage, st->coverage_redrawn});
    strbuf_puts(&b, ",\"regret\":{");
    add_reals(&b, 2, (const char *const[]){"total", "per_sqrt_t_log_t"}, (const double[]){st->regret, st->regret_rate});
    strbuf_puts(&b, "},\"student\":{");
    add_reals(&b, 2, (const char *const[]){"accuracy_before", "accuracy_after"},
              (const double[]){st->accuracy_before, st->accuracy_now});
    strbuf_printf(&b, "},\"pairs\":%d,\"labels_human\":%d,", s->game.corpus.dpref.n,
                  s->game.corpus.dpref.n_by_source[SOURCE_HUMAN]);
    add_reals(&b, 2, (const char *const[]){"seconds", "tokens_per_second"},
              (const double[]){seconds, seconds > 0 ? st->tokens / seconds : 0});
    add_phases(&b, s);
    strbuf_printf(&b, ",\"weights_hash\":\"%016llx\"}", (unsigned long long)game_weights_hash(&s->game));
    return strbuf_take(&b);
}
