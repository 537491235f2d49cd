/* pbkd export: the student at a checkpoint of a run, as a model file. */
#include "engine/eval/run_export.h"
#include "tui/safe_text.h"
#include "tui/verbs.h"

static int export_student(const struct args *a) {
    if (a->n_positional != 1) return verb_usage("export", "the folder of a run is needed");
    struct err e = {0};
    int64_t at;
    if (!run_export_student(a->positional[0], args_given(a, "--tick") ? args_int(a, "--tick") : -1, args_text(a, "-o"),
                            verb_save_type(a), &at, &e))
        return verb_fail(&e);
    safe_printf(stderr, "pbkd: %s written: the student at tick %lld\n", args_text(a, "-o"), (long long)at);
    return EXIT_DONE;
}

static const struct arg_spec ARGS[] = {
    {"--tick", "TICK", ARG_INT, 0, 2147483647, NULL, "the checkpoint (default: the newest)"},
    {"-o", "M.gguf", ARG_TEXT, 0, 0, ARG_REQUIRED, "the model file to write"},
    TYPE_ARG,
    {0}};
const struct verb verb_export = {
    .name = "export",
    .arguments = "RUNDIR",
    .max_positional = 1,
    .help = "write the student of a run, as it was at a checkpoint, to a model file",
    .details = "The run may be going on. A run keeps its newest checkpoints, as many as the option checkpoint.keep "
               "says; a tick of which there is none gets the list of those there are. The file can be a model of "
               "offline.candidates.",
    .args = ARGS,
    .run = export_student,
};
