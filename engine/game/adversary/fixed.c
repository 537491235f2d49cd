/* The reward that never plays: see fixed.h. */
#include "engine/game/adversary/fixed.h"

#include "engine/game/adversary/own_model.h"
#include "engine/game/algorithm.h"

static bool serves(const struct options *o) { return algorithm_has_adversary(o); }

const struct adversary_ops ADVERSARY_FIXED = {.name = "fixed",
                                              .serves = serves,
                                              .open = own_model_open,
                                              .close = own_model_close,
                                              .start = own_model_start,
                                              .values = own_model_values,
                                              .descend = own_model_descend,
                                              .measure = own_model_measure};
