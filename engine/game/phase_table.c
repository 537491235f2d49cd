/* Names of phases: see phase_table.h. */
#include "engine/game/phase_table.h"

const char *run_phase_name(enum run_phase p) {
    static const char *const NAMES[N_PHASES] = {
#define PHASE(id, name, place, stem) [id] = name,
#define MARK(id, name) [id] = name,
        PHASE_TABLE(PHASE, MARK)
#undef PHASE
#undef MARK
    };
    return NAMES[p];
}
