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
 * The other algorithms have other phases: phase_table.h has them all, phase_order.h their order. */
#ifndef PBKD_GAME_GAME_H
#define PBKD_GAME_GAME_H

#include "engine/game/checkpoint_parts.h"
#include "engine/game/constraint.h"
#include "engine/game/game_metrics.h"
#include "engine/game/game_parts.h"
#include "engine/game/pairs.h"
#include "engine/game/phase_order.h"

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

/* A person's label (already on disk) takes effect; the pairs of a written answer are made. `again`: it did so before
 * the checkpoint that the game was restored from, so its pairs are there and what it freshly labelled has been used.
 * The caller holds a transaction, to be rolled back on failure; the game is then as it was. */
bool game_apply_label(struct game *g, const struct label_event *ev, double flip, double weight, bool again,
                      struct err *e);

/* Checkpoints: weights and moments by file, borrowed from g; free with game_arrays_free. */
void game_arrays(struct game *g, struct game_arrays *a);
/* State as JSON (with the labels still to be used first); caller frees (cJSON_free). NULL, and e, when memory is short. */
char *game_state_json(struct game *g, struct err *e);
/* After game_open(resuming): weights and moments from `folder`, state from JSON, pairs and outputs after its tick
 * forgotten. Labels in force at the checkpoint are applied afterwards by the owner from the journal. */
bool game_restore(struct game *g, const char *folder, const char *state_json, struct err *e);

/* The owner has just set this option: what follows from that beyond the option itself. Beta, or its mode, starts
 * automatic control anew from beta; a bound or ridge of scope head takes effect at the next use of the set. */
void game_option_set(struct game *g, const char *name);

uint64_t game_weights_hash(const struct game *g); /* of the student */

#endif
