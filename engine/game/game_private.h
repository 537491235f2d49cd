/* Shared by the files of the game: one function per kind of micro-step, and small helpers. */
#ifndef PBKD_GAME_GAME_PRIVATE_H
#define PBKD_GAME_GAME_PRIVATE_H

#include "engine/game/game.h"

/* Each runs one micro-step of its phase; *finished = true when the phase has nothing left to do after it. */
enum game_result collect_step(struct game *g, bool *finished, struct err *e);   /* collect.c */
enum game_result sample_step(struct game *g, bool *finished, struct err *e);    /* collect.c */
enum game_result game_sft_step(struct game *g, bool *finished, struct err *e);  /* cross_entropy.c */
enum game_result fit_phase_step(struct game *g, bool *finished, struct err *e); /* fit.c */
enum game_result ascent_step(struct game *g, bool *finished, struct err *e);    /* ascent.c */
enum game_result descent_step(struct game *g, bool *finished, struct err *e);   /* descent.c */
/* whitebox.c; a step of ascent_step */
enum game_result white_box_ascent(struct game *g, struct err *e);
enum game_result distil_step(struct game *g, bool *finished, struct err *e);         /* distil.c */
enum game_result dpo_step(struct game *g, bool *finished, struct err *e);            /* dpo.c */
enum game_result evaluate_start_step(struct game *g, bool *finished, struct err *e); /* evaluate.c */
enum game_result evaluate_step(struct game *g, bool *finished, struct err *e);       /* evaluate.c */

void game_log(struct game *g, enum alert_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void game_series(struct game *g, enum series_id id, double value);

/* k samples of the student for each of n prompts (greedy: temperature 0); random stream of prompt i: i*64 + stream, for
 * its first sample. Release out with gen_output_free(out, n*k). */
enum game_result game_generate(struct game *g, const struct prompt *const *prompt, int n, int k, int stream,
                               double temperature, struct gen_output *out, struct err *e);
/* One output of t for each of n prompts; prompt i draws from random stream `stream + i`. The caller frees the texts. */
enum game_result game_ask(struct game *g, struct teacher *t, const struct prompt *const *prompt, int n,
                          double temperature, uint64_t stream, struct teacher_text *out, struct err *e);
const char *game_template(const struct options *o); /* as teacher_open wants them */
const char *game_system(const struct options *o);
/* Text of a response for people and checkers; caller frees. */
char *game_text(const struct game *g, const struct gen_output *y);
bool game_check(const struct game *g, const char *text, const struct prompt *p);

/* At a safe point within a micro-step: false asks to leave it as if it had not begun (GAME_ABANDONED). */
static inline bool game_may_go_on(const struct game *g) { return !g->see.safe_point || g->see.safe_point(g->see.ctx); }

/* Prompts a chunk may hold, so that a micro-step stays short. */
enum { CHUNK_TEACHER = 32, CHUNK_SAMPLES = 16, CHUNK_GREEDY = 64, CHUNK_PAIRS = 32 };

/* Answers to n <= CHUNK_SAMPLES prompts that stand against the teacher's, answers_per_prompt for each, prompt by prompt
 * (offline.c). Release with gen_output_free. answers_close when no more are needed (nothing open is fine). */
int answers_per_prompt(const struct game *g);
int answers_of_student(const struct game *g);            /* the first of them */
struct answer_by answer_by(const struct game *g, int i); /* who gives the i-th of them */
enum game_result answers_draw(struct game *g, const struct prompt *const *prompt, int n, struct gen_output *y,
                              struct err *e);
void answers_close(struct game *g);

/* Whoever adds pairs or changes labels says so. */
void game_pairs_changed(struct game *g);
/* Whether the pair trains the game's rewards, and whether it trains r_held instead: where there is one, prompts are
 * halved by their hash. */
bool game_pair_trains(const struct game *g, const struct pref_pair *p);
bool game_pair_trains_held(const struct game *g, const struct pref_pair *p);
/* Rebuild the groups of training pairs when pairs or labels changed. */
void game_refresh_groups(struct game *g);
/* GAME_OK when there are pairs to train on; at the first step of a phase enough of them must be labelled
 * (GAME_NEEDS_LABELS). */
enum game_result game_await_pairs(struct game *g, struct err *e);
/* Fill g->pairs.pair with a mini-batch of about n pairs: freshly labelled ones first, then whole groups. Returns the
 * number. */
int game_draw_pairs(struct game *g, int n);

/* ---- ascent (ascent.c) ---- */

/* What one ascent step is played with, and what it measures. */
struct ascent {
    /* L of its pairs, and what the fitted reward makes of the same; nll_fitted with automatic beta alone */
    double nll, nll_fitted;
    double beta, integral; /* the beta that it is played with; the integral of automatic control after it */
    double before, after;  /* G */
};
/* L_hat on g->pairs.pair[0..n) where automatic beta needs it. Overwrites g->seqs_reward; to be called before the pairs
 * are packed and before another reward is scored. */
bool game_measure_fitted(struct game *g, int n, struct ascent *a, struct err *e);
/* a->nll of the scored pairs g->pairs.pair[0..n), then a->beta; beta dL/dvalue is added to dvalue. */
void game_hold(struct game *g, int n, struct ascent *a);
/* The saw-tooth: G before and after a step; where preferences hold the adversary also the slack and beta, which take
 * effect in the state. */
void game_publish_ascent(struct game *g, const struct ascent *a);

/* ---- performance gaps (gaps.c) ---- */

/* Without an ascent the adversary is a copy of the fitted reward and no worst case. */
bool game_has_worst(const struct game *g);
/* Measure one chunk of the held-out prompts; in the end, publish. */
enum game_result game_gap_chunk(struct game *g, int chunk, struct err *e);
void game_publish_gaps(struct game *g);
/* Teacher accuracy - student accuracy, where there is a checker: every algorithm has it. */
void game_publish_true_gap(struct game *g);

/* ---- the reward that the student descends on (descent.c) ---- */

/* The model that it is read from: scope head reads the fitted reward's. */
struct reward *game_adversary(struct game *g);
/* Its value of every sequence of s. */
bool game_adversary_values(struct game *g, const struct sequences *s, double *value, struct err *e);

/* ---- training the student (student.c) ---- */

const struct prompt *game_output_prompt(const struct game *g, const struct teacher_output *y);
/* n teacher outputs to train on, drawn with replacement: collected and recorded ones whose prompts are not held out;
 * whole_only leaves out those that were cut. Returns how many were found. */
int game_draw_outputs(const struct game *g, bool whole_only, const struct teacher_output **out, int n);
/* n training prompts that are not held out, drawn anew at every tick. */
void game_fresh_prompts(const struct game *g, const struct prompt **prompt, int n);
/* Fill s with n answers whose states are trained on: a share on_policy of fresh samples of the student at fresh prompts
 * (rounded at random, so that the share holds on average), first, then teacher outputs. */
enum game_result game_draw_states(struct game *g, struct sequences *s, int n, double on_policy, struct err *e);
/* Room for n rows in g->row_policy and g->row_ref. */
bool game_reserve_rows(struct game *g, int n, struct err *e);
/* The rows of s under the reference. */
bool game_reference_rows(struct game *g, const struct sequences *s, struct head_rows *rows, struct err *e);
/* Optimiser steps of an iteration; what the schedule (game.schedule) makes of a learning rate at `step` of them; and
 * that step on the accumulated gradient. */
int64_t game_student_steps(const struct game *g);
double game_student_lr(const struct game *g, double lr, int64_t step);
int64_t game_sft_steps(const struct game *g); /* of the cross-entropy phase (cross_entropy.c) */
bool game_student_step(struct game *g, double lr, int64_t step, struct err *e);
/* gamma (game.sft) * cross-entropy on n teacher outputs, added to the gradient (cross_entropy.c). */
bool game_add_cross_entropy(struct game *g, int n, struct err *e);

/* The advantage of every row of s, n prompts with k samples y each, packed in that order and just scored by the
 * adversary (descent.c): the reward of its token and those that follow (after: only of those), the truncation penalty
 * taken off, less the mean of the other samples' at the same position, which is 0 where they have ended. */
void advantages_to_go(const struct game *g, const struct sequences *s, const struct gen_output *y, int n, int k,
                      bool after, double *advantage);

#endif
