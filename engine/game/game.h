/* The game: min over the student, max over the reward in the confidence set (algorithms.md sections 1, 4, 5), as a
 * machine of micro-steps.
 *
 * game_step runs one micro-step: a chunk of generation, one training step, a chunk of an evaluation. Between two
 * micro-steps the whole game is described by its state, weights and moments, so a checkpoint can be taken, an option
 * changed, a label applied between any two. Nothing here reads a clock, a terminal or a thread: the same options, files
 * and journal give the same bytes.
 *
 *   start: EVALUATE_START
 *   pbkd:  COLLECT (teacher outputs) -> SFT (first iteration, if asked) -> SAMPLE (student samples, pairs, labels) ->
 *          FIT -> GATE -> rounds of (ASCENT, DESCENT) -> EVALUATE -> CHECKPOINT -> next iteration or END
 * The other algorithms have other phases: algorithm.h. */
#ifndef PBKD_GAME_GAME_H
#define PBKD_GAME_GAME_H

#include "engine/formats/safetensors.h"
#include "engine/reward/diagnostics.h"
#include "engine/game/game_state.h"
#include "engine/game/adversary/gap_set.h"
#include "engine/corpus/outputs.h"
#include "engine/reward/pref_fit.h"
#include "engine/corpus/prompts.h"
#include "engine/reward/reward.h"
#include "engine/game/watch.h"
#include "engine/option/option.h"
#include "engine/pref/dpref.h"
#include "engine/teacher/teacher.h"

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
    void (*series)(void *ctx, enum series_id id, double value);
    void (*log)(void *ctx, enum alert_level level, const char *text);
    void (*pair)(void *ctx, const struct judged_pair *p); /* a new pair */
    bool (*safe_point)(void *ctx);                        /* within long micro-steps; false: abandon the step */
    void (*loading)(void *ctx, const char *what, double done);
};

#define GAME_FRESH_LABELS 64

/* Training pairs that share a prompt, consecutive in D_pref. */
struct pair_group {
    int first, count;
};

struct game {
    struct options *o; /* in force; changed between micro-steps by the owner */
    struct db *db;     /* the engine's connection */
    struct game_observer see;
    struct game_state st;

    struct tokenizer *tok; /* the student's */
    enum chat_kind chat;
    int32_t end_ids[16];
    int n_end_ids;
    struct teacher *teacher;
    struct teacher **candidate; /* [n_candidates] other models that answer while an offline D_pref is collected */
    int n_candidates;
    struct trainee student;
    struct model *reference; /* the student at the start of the game */
    struct activations *ref_acts;
    /* the teacher's model where its probabilities are needed, else NULL; of the student's vocabulary; borrowed */
    const struct model *expert;
    struct activations *expert_acts;
    struct reward fitted;    /* phi-hat; empty where the algorithm fits none */
    struct reward adversary; /* phi; empty where no reward trains the student, and in scope head */
    /* r_held, fitted to other pairs and never played against; empty unless it is asked for */
    struct reward held;
    /* scope head: the adversary as a linear reward around the fitted one, and its set; else NULL */
    struct head_set *head;
    struct gap_set gap_set; /* of the last evaluation in scope head */
    struct prompt_set train, heldout, recorded_prompts;
    int *descent_prompt, n_descent_prompt; /* training prompts that are not held out */
    int *order;                            /* [train.n] permutation of the current epoch */
    int64_t order_epoch;
    struct output_store outputs;
    struct dpref dpref;

    struct pair_groups {
        struct pair_group *group;
        int n, cap;
    } groups, held_groups;            /* of the game's rewards, and of r_held */
    int *eval_pair, n_eval_pair;      /* the pairs of the evaluation under way */
    struct diagnostics diagnostics;   /* of the fitted reward after the last fit; for people, nothing decides by it */
    bool groups_stale;                /* pairs or labels changed */
    int64_t fresh[GAME_FRESH_LABELS]; /* pairs that a person just labelled: they enter the very next reward step */
    int n_fresh;
    double *gap_worst, *gap_fitted, *gap_held; /* [eval_gap_prompts]: per-prompt gaps of the evaluation under way */
    double *right_student, *right_teacher;     /* [eval_prompts] */
    int n_gap_prompts, n_eval_prompts;

    struct watch watch; /* failure signatures */

    struct sequences seqs, seqs_reward, seqs_ref;
    struct pref_space pairs;
    float *row_policy, *row_ref; /* [cap_row] scratch: log-probabilities under the student and the reference */
    int cap_row;
};

enum game_result {
    GAME_OK,
    GAME_ABANDONED,
    GAME_NEEDS_LABELS,
    GAME_NEEDS_DECISION,
    GAME_REFUSED,
    GAME_DONE,
    GAME_FAILED
};

/* Load models, prompts and recorded outputs, make tables, start at EVALUATE_START. see.loading reports progress.
 * `resuming` leaves the tables as they are (game_restore follows). On failure everything is freed. */
bool game_open(struct game *g, struct options *o, struct db *db, const struct game_observer *see, bool resuming,
               struct err *e);
void game_close(struct game *g);

/* One micro-step. GAME_ABANDONED: safe_point asked to stop; nothing changed. GAME_NEEDS_*: the step waits for a person;
 * call again later. may_wait = false takes the configured answer instead of waiting (headless). GAME_REFUSED: a
 * gradient was not finite; weights, moments and state are as they were but for the tick, so that another call tries
 * again with other samples, and e says what it was: a person should look first. */
enum game_result game_step(struct game *g, bool may_wait, struct err *e);
/* Fraction of the current phase that is done, 0..1; and of the whole run. */
double game_phase_done(const struct game *g);
double game_run_done(const struct game *g);

/* A person's label (already on disk) takes effect; the pairs of a written answer are made. `again`: it did so before
 * the checkpoint that the game was restored from, so its pairs are there and what it freshly labelled has been used.
 * The caller holds a transaction, to be rolled back on failure; the game is then as it was. */
bool game_apply_label(struct game *g, const struct label_event *ev, double flip, double weight, bool again,
                      struct err *e);
/* Tell the observer of the pairs from index `first` on, with what the fitted reward makes of them. Between micro-steps;
 * changes no state. */
bool game_show_pairs(struct game *g, int first, struct err *e);

/* Checkpoints: arrays of weights and moments by file, and back. The arrays borrow from g. */
#define GAME_FILES 6 /* at most: the student, the rewards that there are, the reference */
struct game_arrays {
    struct st_array *array[GAME_FILES];
    int n[GAME_FILES];
    const char *name[GAME_FILES];
    int n_files;
};
void game_arrays(struct game *g, struct game_arrays *a); /* free with game_arrays_free */
void game_arrays_free(struct game_arrays *a);
/* State as JSON (with the labels still to be used first); caller frees. */
char *game_state_json(const struct game *g);
/* After game_open(resuming): weights and moments from `folder`, state from JSON, pairs and outputs after its tick
 * forgotten. Labels in force at the checkpoint are applied afterwards by the owner from the journal. */
bool game_restore(struct game *g, const char *folder, const char *state_json, struct err *e);

/* Beta in force: the option, or what automatic control made of it. */
double game_beta(const struct game *g);
/* Radius of the confidence set in force; in scope head it is above 0. */
double game_zeta(const struct game *g);
/* The owner has just set this option: what follows from that beyond the option itself. Beta, or its mode, starts
 * automatic control anew from beta; a bound or ridge of scope head takes effect at the next use of the set. */
void game_option_set(struct game *g, const char *name);

uint64_t game_weights_hash(const struct game *g); /* of the student */

#endif
