/* The table of verbs and what is generated from it. Anything a person can type after `pbkd` is a row here; the run
 * functions in tui/verbs/ get arguments that the row has checked. */
#include "tui/verbs.h"

#include <stdarg.h>
#include <string.h>

#include "engine/eval/study.h"
#include "tui/safe_text.h"

/* clang-format off */
#define SET_ARG {"--set", "NAME=VALUE", ARG_LIST, 0, 0, NULL, \
                 "set an option; may be repeated (names: the manual's option table)"}
#define SEED_ARG(text) {"--seed", "N", ARG_INT, 0, 2147483647, NULL, text}
#define TYPE_ARG {"--type", "f32|f16|bf16|q8_0", ARG_CHOICE, 0, 0, "f32", "how matrices are stored in the output"}
#define ASCII_ARG {"--ascii", NULL, ARG_FLAG, 0, 0, NULL, "draw with ASCII characters only"}
#define HEADLESS_ARG {"--headless", NULL, ARG_FLAG, 0, 0, NULL, \
                      "no screen: progress as text, the result as one JSON line"}
#define RUN_DIR_ARG {"--run-dir", "DIR", ARG_TEXT, 0, 0, NULL, "folder of the run (default: a new one under runs/)"}
#define TRAIN_ARGS \
    {"--data", "FILE.jsonl", ARG_TEXT, 0, 0, NULL, "lines of {\"prompt\", \"response\"}"}, \
    {"-o", "OUT.gguf", ARG_TEXT, 0, 0, NULL, "the trained model"}, \
    {"--steps", "N", ARG_INT, 1, 10000000, "1000", "optimiser steps"}, \
    {"--batch", "N", ARG_INT, 1, 4096, "32", "examples per step"}, \
    {"--lr", "X", ARG_REAL, 0, 1, "1e-3", "peak learning rate"}, \
    {"--warmup", "N", ARG_INT, 0, 1000000, "50", "steps of linear warm-up"}, \
    {"--final-lr", "X", ARG_REAL, 0, 1, "0.1", "share of the learning rate left at the end (linear decay)"}, \
    {"--template", "auto|raw|chatml", ARG_CHOICE, 0, 0, "auto", "how a prompt is dressed for the model"}, \
    {"--seed", "N", ARG_INT, 0, 2147483647, "1", "seed of weights and order"}, \
    {"--threads", "N", ARG_INT, 0, 64, "0", "computing threads, 0 = one per processor"}, \
    TYPE_ARG
/* clang-format on */

static const struct arg_spec WORKBENCH_ARGS[] = {ASCII_ARG, {0}};
static const struct arg_spec DEMO_ARGS[] = {HEADLESS_ARG, RUN_DIR_ARG, SET_ARG, SEED_ARG("short for --set seed=N"),
                                            ASCII_ARG,    {0}};
static const struct arg_spec RUN_ARGS[] = {
    HEADLESS_ARG,
    RUN_DIR_ARG,
    {"--resume", NULL, ARG_FLAG, 0, 0, NULL, "go on with the run in --run-dir (default: the newest under runs/)"},
    SET_ARG,
    SEED_ARG("short for --set seed=N"),
    ASCII_ARG,
    {0}};
static const struct arg_spec PRETRAIN_ARGS[] = {
    TRAIN_ARGS,
    {"--config", "MODEL.json", ARG_TEXT, 0, 0, NULL,
     "sizes from a file: {\"layers\", \"width\", \"heads\", \"kv_heads\", \"ff\", \"vocab\", \"context\"}"},
    {"--layers", "N", ARG_INT, 1, 1000, NULL, "transformer layers (4)"},
    {"--width", "N", ARG_INT, 2, 65536, NULL, "width of the model (128)"},
    {"--heads", "N", ARG_INT, 1, 1024, NULL, "attention heads (4)"},
    {"--kv-heads", "N", ARG_INT, 1, 1024, NULL, "key-value heads (same as heads)"},
    {"--ff", "N", ARG_INT, 1, 1000000, NULL, "width of the feed-forward layer (4 x width)"},
    {"--vocab", "N", ARG_INT, 259, 1000000, NULL, "tokens to learn at most (512)"},
    {"--context", "N", ARG_INT, 8, 1000000, NULL, "longest sequence (512)"},
    {"--tokenizer", "M.gguf", ARG_TEXT, 0, 0, NULL, "take the vocabulary of this model instead of learning one"},
    {0}};
static const struct arg_spec SFT_ARGS[] = {
    {"--model", "M.gguf", ARG_TEXT, 0, 0, NULL, "the model to start from"}, TRAIN_ARGS, {0}};
static const struct arg_spec INIT_ARGS[] = {{"--from", "T.gguf", ARG_TEXT, 0, 0, NULL, "the teacher"},
                                            {"--layers", "N", ARG_INT, 1, 100000, NULL, "layers to keep"},
                                            {"-o", "S.gguf", ARG_TEXT, 0, 0, NULL, "the student"},
                                            TYPE_ARG,
                                            {0}};
static const struct arg_spec GENERATE_ARGS[] = {
    {"--model", "M.gguf", ARG_TEXT, 0, 0, NULL, "the model"},
    {"--prompt", "TEXT", ARG_TEXT, 0, 0, NULL, "one prompt; its answer is printed as text"},
    {"--prompts", "FILE.jsonl", ARG_TEXT, 0, 0, NULL,
     "lines of {\"prompt\"}; prints lines of {\"prompt\", \"response\"}"},
    {"--max-new-tokens", "N", ARG_INT, 1, 1000000, "256", "an answer is cut here"},
    {"--temperature", "T", ARG_REAL, 0, 100, "0", "sampling temperature; 0 takes the likeliest token"},
    {"--seed", "N", ARG_INT, 0, 2147483647, "1", "seed of the sampling"},
    {"--raw", NULL, ARG_FLAG, 0, 0, NULL, "no chat template: the prompt and a newline"},
    {"--threads", "N", ARG_INT, 0, 64, "0", "computing threads, 0 = one per processor"},
    {"-o", "FILE.jsonl", ARG_TEXT, 0, 0, NULL, "write to a file instead of standard output"},
    {0}};
static const struct arg_spec NO_ARGS[] = {{0}};
static const struct arg_spec STATS_ARGS[] = {{"--json", NULL, ARG_FLAG, 0, 0, NULL, "one JSON object instead of text"},
                                             {0}};
static const struct arg_spec EXPORT_ARGS[] = {
    {"--format", "trl|audit", ARG_CHOICE, 0, 0, "trl",
     "trl: prompt, chosen, rejected; audit: every field of every pair and label"},
    {"-o", "FILE.jsonl", ARG_TEXT, 0, 0, NULL, "the file to write"},
    {0}};
static const struct arg_spec EXPORT_STUDENT_ARGS[] = {
    {"--tick", "TICK", ARG_INT, 0, 2147483647, NULL, "the checkpoint (default: the newest)"},
    {"-o", "M.gguf", ARG_TEXT, 0, 0, NULL, "the model file to write"},
    TYPE_ARG,
    {0}};
static const struct arg_spec STUDY_ARGS[] = {
    {"--seeds", "N", ARG_INT, 1, 1000, "3", "runs of each variant, on seeds from the configuration's on"},
    {"--jobs", "N", ARG_INT, 1, 64, "1", "runs at the same time; they share the threads"},
    {"--variants", "LIST", ARG_TEXT, 0, 0, NULL,
     "only these of the kind, with commas between them (default: all); a later call with others adds to the study"},
    {"--out", "DIR", ARG_TEXT, 0, 0, NULL, "folder of the study (default: runs/study-KIND-HASH)"},
    SET_ARG,
    ASCII_ARG,
    {0}};
static const struct arg_spec COMPARE_ARGS[] = {
    {"--json", NULL, ARG_FLAG, 0, 0, NULL, "one JSON object instead of text"}, {0}};

#define KIND_HELP(id, name, help, x_title, note) " " name ": " help ";"
#define STOPPING                                                                                                       \
    "TERM, INT, HUP and QUIT write a checkpoint before the program ends; `pbkd run --resume --run-dir DIR` goes on "   \
    "from there. When standard input or output is no terminal, or the terminal cannot move its cursor, the run is "    \
    "headless."

const struct verb VERBS[] = {
    {"", "", 0, "open the workbench on the newest run under runs/",
     "Without a run under runs/ a start screen says what can be done. A run that was interrupted goes on. When "
     "standard input or output is no terminal, or the terminal cannot move its cursor, the same facts are printed as "
     "text and nothing is started.",
     WORKBENCH_ARGS, verb_workbench},
    {"demo", "", 0, "play the built-in game: a small teacher and a smaller student on arithmetic",
     "The configuration and data are those of sample_data/arithmetic, looked for beside the program, in the current "
     "folder, in the installed share/pbkd, and in $PBKD_DATA. " STOPPING,
     DEMO_ARGS, verb_demo},
    {"run", "[CONFIG.json]", 1, "train a student as a configuration file says",
     "CONFIG.json holds options; paths in it are relative to the file. With --resume the options stored in the run are "
     "used, changed by --set only, and CONFIG.json may be left out. " STOPPING,
     RUN_ARGS, verb_run},
    {"pretrain", "", 0, "train a new small model and its vocabulary on prompts and responses",
     "Sizes come from --config, then from the options, then from the defaults in parentheses. The model learns to "
     "continue a prompt with its response; the vocabulary is learnt from both.",
     PRETRAIN_ARGS, verb_pretrain},
    {"sft", "", 0, "train a model on recorded responses (cross-entropy)",
     "Supervised fine-tuning of an existing model: the baseline that distillation from preferences is compared with.",
     SFT_ARGS, verb_sft},
    {"init-student", "", 0, "make a student of a teacher's layers",
     "The first and the last layer are always kept, the others evenly spread.", INIT_ARGS, verb_init_student},
    {"generate", "", 0, "answer prompts with a model",
     "Prompts are answered in batches. The chat template is recognised from the model file.", GENERATE_ARGS,
     verb_generate},
    {"info", "M.gguf", 1, "show what a model file holds", "Configuration, metadata and tensors by type.", NO_ARGS,
     verb_info},
    {"prefs stats", "RUNDIR", 1, "count the preference records of a run", "Reads run.db only; the run may be going on.",
     STATS_ARGS, verb_prefs_stats},
    {"prefs export", "RUNDIR", 1, "write the preference records of a run to a file",
     "Reads run.db only; the file is replaced as a whole.", EXPORT_ARGS, verb_prefs_export},
    {"export", "RUNDIR", 1, "write the student of a run, as it was at a checkpoint, to a model file",
     "The run may be going on. A run keeps its newest checkpoints, as many as the option checkpoint.keep says; a tick "
     "of which there is none gets the list of those there are. The file can be a model of offline.candidates.",
     EXPORT_STUDENT_ARGS, verb_export},
    {"study", "KIND CONFIG.json", 2, "run variants of a configuration over seeds: table, intervals, figure",
     "Kinds:" STUDY_KINDS(
         KIND_HELP) " each variant and seed is a run of its own under DIR. What is done is not run again, what was cut "
                    "off goes on. The exit status is 1 when a run failed, or when sanity says no.",
     STUDY_ARGS, verb_study},
    {"compare", "RUN RUN...", ARGS_POSITIONAL_MAX, "show runs beside each other: accuracy, gap, options that differ",
     "Runs that answered the same held-out prompts are compared with the first one prompt by prompt. Reads run.db "
     "only.",
     COMPARE_ARGS, verb_compare},
};
const int N_VERBS = sizeof VERBS / sizeof VERBS[0];

const struct verb *verb_find(int argc, char *const *argv, int *used) {
    *used = 0;
    if (argc < 2 || argv[1][0] == '-') return &VERBS[0];
    for (int i = 1; i < N_VERBS; i++) {
        const char *name = VERBS[i].name, *space = strchr(name, ' ');
        const size_t first = space ? (size_t)(space - name) : strlen(name);
        if (strlen(argv[1]) != first || memcmp(argv[1], name, first) != 0) continue;
        if (space && (argc < 3 || strcmp(argv[2], space + 1) != 0)) continue;
        *used = space ? 2 : 1;
        return &VERBS[i];
    }
    return NULL;
}

/* Paragraph text wrapped at 78 columns with an indent. */
static void print_wrapped(FILE *out, const char *text, int indent) {
    const int width = 78 - indent;
    while (*text) {
        int n = (int)strnlen(text, (size_t)width + 1);
        if (n > width) {
            n = width;
            while (n > 0 && text[n] != ' ') n--;
            if (n == 0) n = width;
        }
        safe_printf(out, "%*s%.*s\n", indent, "", n, text);
        text += n;
        while (*text == ' ') text++;
    }
}

void verb_print_help(const struct verb *v, FILE *out) {
    safe_printf(out, "usage: pbkd%s%s%s%s%s\n\n", v->name[0] ? " " : "", v->name, v->arguments[0] ? " " : "",
                v->arguments, v->args[0].name ? " [OPTIONS]" : "");
    print_wrapped(out, v->help, 0);
    safe_printf(out, "\n");
    print_wrapped(out, v->details, 0);
    if (v->args[0].name) safe_printf(out, "\noptions:\n");
    for (const struct arg_spec *s = v->args; s->name; s++) {
        safe_printf(out, "  %s%s%s\n", s->name, s->value ? " " : "", s->value ? s->value : "");
        char line[400];
        snprintf(line, sizeof line, "%s%s%s%s", s->help, s->fallback ? " (" : "", s->fallback ? s->fallback : "",
                 s->fallback ? ")" : "");
        print_wrapped(out, line, 8);
    }
}

void verbs_print_help(FILE *out) {
    safe_lines(out, "pbkd: a workbench for preference-based knowledge distillation\n\nusage:\n");
    for (int i = 0; i < N_VERBS; i++) {
        char synopsis[80];
        snprintf(synopsis, sizeof synopsis, "pbkd %s%s%s", VERBS[i].name, VERBS[i].arguments[0] ? " " : "",
                 VERBS[i].arguments);
        safe_printf(out, "  %-28s %s\n", synopsis, VERBS[i].help);
    }
    safe_lines(out, "  pbkd VERB --help             options of a verb\n"
                    "  pbkd --version               version\n\n"
                    "exit status: 0 done, 1 failed, 2 wrong usage, 128 + N ended by signal N\n");
}

int verb_fail(const struct err *e) {
    safe_printf(stderr, "pbkd: %s\n", e->msg);
    return EXIT_FAILED;
}

int verb_usage(const char *verb, const char *fmt, ...) {
    char text[sizeof((struct err *)0)->msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    safe_printf(stderr, "pbkd: %s\n", text);
    safe_printf(stderr, "Try `pbkd%s%s --help`.\n", verb[0] ? " " : "", verb);
    return EXIT_USAGE;
}

/* `pbkd prefs` and `pbkd prefs --help`: the first word of two-word verbs. */
static int print_group_help(int argc, char *const *argv) {
    const size_t n = strlen(argv[1]);
    bool found = false;
    const bool asked = argc >= 3 && strcmp(argv[2], "--help") == 0;
    for (int i = 1; i < N_VERBS; i++) {
        if (strncmp(VERBS[i].name, argv[1], n) != 0 || VERBS[i].name[n] != ' ') continue;
        if (found) safe_printf(asked ? stdout : stderr, "\n");
        verb_print_help(&VERBS[i], asked ? stdout : stderr);
        found = true;
    }
    if (!found) return verb_usage("", "unknown verb \"%s\"", argv[1]);
    return asked ? EXIT_DONE : EXIT_USAGE;
}

int verbs_main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        safe_printf(stdout, "pbkd " PBKD_VERSION "\n");
        return EXIT_DONE;
    }
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)) {
        verbs_print_help(stdout);
        return EXIT_DONE;
    }
    int used;
    const struct verb *v = verb_find(argc, argv, &used);
    if (!v) return print_group_help(argc, argv);
    struct args a;
    struct err e = {0};
    if (!args_parse(&a, v->args, v->max_positional, argc - 1 - used, argv + 1 + used, &e))
        return verb_usage(v->name, "%s", e.msg);
    if (a.help) {
        verb_print_help(v, stdout);
        return EXIT_DONE;
    }
    return v->run(&a);
}
