/* What a game is made of. Every file of the game works on this struct; what belongs together stands in a part of its
 * own, whose header says what may be done with it. Only the machine (game.c), those who open and store a game, and the
 * run that owns it see all parts; a phase names the few it needs. */
#ifndef PBKD_GAME_GAME_PARTS_H
#define PBKD_GAME_GAME_PARTS_H

#include "engine/base/db.h"
#include "engine/corpus/corpus.h"
#include "engine/game/adversary/adversary.h"
#include "engine/game/adversary/gap_set.h"
#include "engine/game/game_state.h"
#include "engine/game/players.h"
#include "engine/option/option.h"
#include "engine/reward/diagnostics.h"
#include "engine/reward/pair_sampler.h"
#include "engine/signature/watch.h"

/* How a micro-step ends. ABANDONED: a safe point asked to stop, nothing changed. NEEDS_*: it waits for a person.
 * REFUSED: a gradient was not finite, the step is undone. */
enum game_result {
    GAME_OK,
    GAME_ABANDONED,
    GAME_NEEDS_LABELS,
    GAME_NEEDS_DECISION,
    GAME_REFUSED,
    GAME_DONE,
    GAME_FAILED
};

/* A pair and what the fitted reward thinks of its answers. The token rewards times token_scale sum up to an answer's
 * reward. */
struct judged_pair {
    const struct pref_pair *pair;
    double reward[2]; /* NAN: not scored */
    /* r(s_h,a_h), white-box A_Q, of the n_y0 and n_y1 tokens; NULL where the reward knows only whole answers */
    const float *token_reward[2];
    double token_scale;
};

/* What the game tells while it plays; all functions are called on the engine's thread, between or within
 * micro-steps. */
struct game_observer {
    void *ctx;
    void (*series)(void *ctx, enum metric_id id, double value);
    void (*log)(void *ctx, enum alert_level level, const char *text);
    void (*pair)(void *ctx, const struct judged_pair *p); /* a new pair */
    bool (*safe_point)(void *ctx);                        /* within long micro-steps; false: abandon the step */
    void (*loading)(void *ctx, const char *what, double done);
};

/* Rewards that are fitted to D_pref; empty where the algorithm fits none. */
struct rewards {
    struct reward fitted;           /* phi-hat */
    struct reward held;             /* r_held, fitted to other pairs and never played against; empty unless asked for */
    struct diagnostics diagnostics; /* of the fitted reward after the last fit; for people, nothing decides by it */
};

/* Figures of the held-out prompts in the evaluation under way. */
struct evaluation {
    int n_gap_prompts, n_eval_prompts;         /* the first so many of the held-out prompts */
    double *gap_worst, *gap_fitted, *gap_held; /* [n_gap_prompts] gap of each prompt */
    double *right_student, *right_teacher;     /* [n_eval_prompts] 1 where the greedy answer is right */
    struct gap_set gap_set;                    /* over the confidence set, at the last evaluation in scope head */
};

/* Packed batches and rows that steps fill anew; nothing here outlives a micro-step. */
struct scratch {
    struct sequences seqs, seqs_reward, seqs_ref;
    struct pref_space pairs;
    float *row_policy, *row_ref; /* [cap_row] log-probabilities under the student and the reference */
    int cap_row;
};

struct game {
    struct options *o; /* in force; changed between micro-steps by the owner */
    struct db *db;     /* the engine's connection */
    struct game_observer see;
    struct game_state st; /* where it stands: all that a checkpoint holds beside weights and moments */
    bool may_wait;        /* a person is there to decide */

    struct corpus corpus;
    struct players players;
    struct rewards rewards;
    struct adversary adversary;
    struct pair_sampler sampler;
    struct evaluation evaluation;
    struct scratch scratch;
    struct watch watch; /* failure signatures */
};

/* At a safe point within a micro-step: false asks to leave it as if it had not begun (GAME_ABANDONED). */
static inline bool game_may_go_on(const struct game *g) { return !g->see.safe_point || g->see.safe_point(g->see.ctx); }

/* Prompts a chunk may hold, so that a micro-step stays short. */
enum { CHUNK_TEACHER = 32, CHUNK_SAMPLES = 16, CHUNK_GREEDY = 64, CHUNK_PAIRS = 32 };
/* Chunks of `size` that n of them make. */
static inline int chunks_of(int n, int size) { return (n + size - 1) / size; }

#endif
