/* The game as a machine of micro-steps, opened without a session: what a test can reach only from inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/game/game.h"
#include "tests/support/tiny_runs.h"

struct played {
    struct options o;
    struct db db;
    struct game g;
};

static struct played *open_game(const char *assignments) {
    struct played *p = calloc(1, sizeof *p);
    const struct game_observer nobody = {0};
    struct err e = {0};
    p->o = tiny_options(assignments);
    unlink(tiny_path("game.db"));
    if (!db_open(&p->db, tiny_path("game.db"), DB_CREATE, false, &e) || !game_open(&p->g, &p->o, &p->db, &nobody, false, &e)) fail_msg("%s", e.msg);
    return p;
}

static void close_game(struct played *p) {
    game_close(&p->g);
    db_close(&p->db);
    free(p);
}

/* Play until the phase begins, the count-th time from now. */
static void play_until(struct played *p, enum run_phase phase, int count) {
    struct err e = {0};
    for (bool before = p->g.st.phase != (int64_t)phase; count > 0;) {
        const enum game_result r = game_step(&p->g, false, &e);
        if (r != GAME_OK) fail_msg("%s", r == GAME_FAILED ? e.msg : "the game ended");
        const bool now = p->g.st.phase == (int64_t)phase;
        count -= now && before;
        before = !now;
    }
}

/* ---- r_held ---- */

static uint64_t hash_of(const struct reward *r) { return model_hash(r->t.model); }

/* Weights of both rewards after the first fit, with the labels of the pairs of one half turned round before it, -1: of none. */
static void fit_with(int half, uint64_t *fitted, uint64_t *held) {
    struct played *p = open_game("reward.held=on prompts.per_iteration=40");
    int turned = 0;
    play_until(p, PHASE_FIT, 1);
    for (int i = 0; i < p->g.dpref.n; i++) {
        struct pref_pair *q = &p->g.dpref.pair[i];
        if (q->heldout || (int)(q->prompt_hash / 10 % 2) != half) continue;
        q->o = 1 - q->o;
        turned++;
    }
    assert_true(half < 0 || turned > 3);
    play_until(p, PHASE_GATE, 1);
    *fitted = hash_of(&p->g.fitted);
    *held = hash_of(&p->g.held);
    close_game(p);
}

static void each_reward_learns_from_its_half(void **state) {
    (void)state;
    uint64_t fitted, held, fitted0, held0, fitted1, held1;
    fit_with(-1, &fitted, &held);
    fit_with(0, &fitted0, &held0);
    fit_with(1, &fitted1, &held1);
    assert_true(fitted != held && fitted0 != fitted && held1 != held);
    assert_true(held0 == held && fitted1 == fitted);
}

static void r_held_does_not_play(void **state) {
    (void)state;
    struct played *p = open_game("reward.held=on prompts.per_iteration=24 game.rounds=4 game.reward_lr=0.01");
    play_until(p, PHASE_GATE, 1);
    const uint64_t held = hash_of(&p->g.held), adversary = hash_of(&p->g.fitted);
    play_until(p, PHASE_CHECKPOINT, 1);
    assert_true(hash_of(&p->g.held) == held && hash_of(&p->g.adversary) != adversary);
    assert_true(isfinite(p->g.st.held_mean) && p->g.st.held_lo <= p->g.st.held_mean && p->g.st.held_mean <= p->g.st.held_hi);
    assert_true(p->g.st.held_mean != p->g.st.fitted_mean && isfinite(p->g.st.rm_held));
    close_game(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reward_learns_from_its_half),
        cmocka_unit_test(r_held_does_not_play),
    };
    return cmocka_run_group_tests(tests, tiny_folder, tiny_remove);
}
