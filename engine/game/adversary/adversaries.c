/* The list of adversaries: see adversaries.h. */
#include "engine/game/adversary/adversaries.h"

#include "engine/game/adversary/fixed.h"
#include "engine/game/adversary/full.h"
#include "engine/game/adversary/head.h"
#include "engine/game/adversary/white_box.h"

/* The first that serves plays. */
static const struct adversary_ops *const ADVERSARIES[] = {&ADVERSARY_HEAD, &ADVERSARY_WHITE_BOX, &ADVERSARY_FULL,
                                                          &ADVERSARY_FIXED};
enum { N_ADVERSARIES = sizeof ADVERSARIES / sizeof *ADVERSARIES };

const struct adversary_ops *adversary_for(const struct options *o) {
    for (int i = 0; i < N_ADVERSARIES; i++)
        if (ADVERSARIES[i]->serves(o)) return ADVERSARIES[i];
    return NULL;
}

bool adversary_open(struct game *g, const struct model *from, struct err *e) {
    g->adversary.ops = adversary_for(g->o);
    return !g->adversary.ops || g->adversary.ops->open(g, from, e);
}

void adversary_close(struct game *g) {
    if (g->adversary.ops) g->adversary.ops->close(g);
    g->adversary = (struct adversary){0};
}

bool adversary_is_worst_case(const struct game *g) { return g->adversary.ops && g->adversary.ops->plays; }

bool adversary_is_exact(const struct game *g) { return g->adversary.ops && g->adversary.ops->exact; }

void adversary_start(struct game *g) {
    if (g->adversary.ops && g->adversary.ops->start) g->adversary.ops->start(g);
}

enum game_result adversary_after_fit(struct game *g, struct err *e) {
    const struct adversary_ops *ops = g->adversary.ops;
    return ops && ops->after_fit ? ops->after_fit(g, e) : GAME_OK;
}

void adversary_set_changed(struct game *g) {
    if (g->adversary.ops && g->adversary.ops->set_changed) g->adversary.ops->set_changed(g);
}

enum game_result adversary_refresh(struct game *g, struct err *e) {
    const struct adversary_ops *ops = g->adversary.ops;
    return ops && ops->refresh ? ops->refresh(g, e) : GAME_OK;
}

enum game_result adversary_ascend(struct game *g, struct err *e) {
    const enum game_result r = adversary_refresh(g, e);
    return r == GAME_OK ? g->adversary.ops->ascend(g, e) : r;
}

bool adversary_wants_a_turn(const struct game *g, int64_t descents) {
    const struct adversary_ops *ops = g->adversary.ops;
    return ops && ops->descents && descents % ops->descents(g->o) == 0;
}

bool adversary_measures_set(const struct game *g) { return g->adversary.ops && g->adversary.ops->measure_set; }

bool adversary_measure_set(struct game *g, struct err *e) {
    return !adversary_measures_set(g) || g->adversary.ops->measure_set(g, e);
}
