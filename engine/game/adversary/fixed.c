/* The reward that never plays: see fixed.h. */
#include "engine/game/adversary/fixed.h"

#include "engine/game/adversary/own_model.h"
#include "engine/game/algorithm.h"

static bool serves(const struct options *o) { return algorithm_has_adversary(o); }

const struct adversary_ops ADVERSARY_FIXED = {OWN_MODEL_OPS, .name = "fixed", .serves = serves,
                                              .measure = own_model_measure};
