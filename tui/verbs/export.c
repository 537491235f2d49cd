/* pbkd export: the student at a checkpoint of a run, as a model file. */
#include "engine/eval/run_export.h"
#include "tui/safe_text.h"
#include "tui/verbs.h"

int verb_export(const struct args *a) {
    if (a->n_positional != 1) return verb_usage("export", "the folder of a run is needed");
    if (!args_given(a, "-o")) return verb_usage("export", "-o is missing");
    struct err e = {0};
    int64_t at;
    if (!run_export_student(a->positional[0], args_given(a, "--tick") ? args_int(a, "--tick") : -1, args_text(a, "-o"),
                            verb_save_type(a), &at, &e))
        return verb_fail(&e);
    safe_printf(stderr, "pbkd: %s written: the student at tick %lld\n", args_text(a, "-o"), (long long)at);
    return EXIT_DONE;
}
