/* What a new value of an option changes in the game beyond the option itself: one function an effect. Which option has
 * which is said by its row in options.def, NOW_THEN(effect); an effect that no row names does not compile. */
#include "engine/game/adversary/adversaries.h"
#include "engine/game/game.h"

/* Automatic beta starts from the option, whenever a person sets it or hands beta over. */
static void beta_anew(struct game *g) { g->st.beta = g->st.beta_integral = g->o->beta; }

/* The confidence set of scope head has another shape: it is solved again before it is used. */
static void set_anew(struct game *g) { adversary_set_changed(g); }

#define EFFECT_NOW NULL
#define EFFECT_NOW_THEN(effect) effect
#define EFFECT_ITERATION NULL
#define EFFECT_START NULL
#define EFFECT_MACHINE NULL
static void (*const EFFECTS[N_OPTIONS])(struct game *g) = {
#define OPTION(field, when) [OPTION_ID_##field] = EFFECT_##when,
#include "engine/option/options.def"
};

void game_option_set(struct game *g, const char *name) {
    const struct option_info *o = option_find(name);
    if (o && EFFECTS[option_index(o)]) EFFECTS[option_index(o)](g);
}
