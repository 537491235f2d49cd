/* Files, environment, exit status and examples of the manual: see manual_facts.h. */
#include "tui/manual_facts.h"

#include <stddef.h>

const struct manual_fact MANUAL_EXIT_STATUS[] = {
    {"0", "done"},        {"1", "failed; the message is on standard error (study: a run failed, or sanity says no)"},
    {"2", "wrong usage"}, {"128 + N", "ended by signal N; a run has written a checkpoint and can be resumed"},
    {NULL, NULL},
};

const struct manual_fact MANUAL_ENVIRONMENT[] = {
    {"PBKD_DATA", "folder with the contents of sample_data; the last place where `pbkd demo` looks for them"},
    {"VISUAL, EDITOR", "the editor for better answers and notes in the Label view (vi)"},
    {"USER", "the name under which labels are stored"},
    {"XDG_CONFIG_HOME", "holds pbkd/rc, commands that run when the workbench has a run (~/.config)"},
    {"XDG_STATE_HOME", "holds pbkd/history, what was typed at the command line (~/.local/state)"},
    {"TERM", "the terminal; one that cannot move its cursor makes a run headless"},
    {"LANG, LC_ALL, LC_CTYPE", "without UTF-8 the workbench draws with ASCII characters, as with --ascii"},
    {"NO_COLOR", "set to anything: no colours"},
    {"TMPDIR", "folder of the file that the editor gets (/tmp)"},
    {NULL, NULL},
};

const struct manual_fact MANUAL_FILES[] = {
    {"runs/", "where runs go when --run-dir names no other place; `pbkd` alone goes on with the newest"},
    {"RUNDIR/run.db", "SQLite: options, journal, metrics, log, pairs, label events, teacher outputs, checkpoints"},
    {"RUNDIR/checkpoints/TICK/", "weights and optimiser moments, *.safetensors"},
    {"RUNDIR/student.gguf", "the student, written when the run stops"},
    {"RUNDIR/lock", "held by the one process that writes; others may read"},
    {"~/.config/pbkd/rc", "commands, one a line, that run when the workbench has a run"},
    {"~/.local/state/pbkd/history", "what was typed at the command line"},
    {NULL, NULL},
};

const struct manual_fact MANUAL_EXAMPLES[] = {
    {"pbkd demo", "watch the built-in game"},
    {"pbkd run game.json --set beta=50 --seed 7", "a run of your own configuration, two options changed"},
    {"pbkd run --resume --run-dir runs/20260101-120000", "go on with a run that was stopped"},
    {"pbkd run game.json --headless | tail -n 1", "only the result, one JSON object"},
    {"pbkd generate --model runs/20260101-120000/student.gguf --prompt \"3 plus 4\"", "ask the student"},
    {"pbkd prefs export runs/20260101-120000 --format trl -o pairs.jsonl", "the preferences, as TRL reads them"},
    {"pbkd study ablation game.json --seeds 5", "what the game is worth, with intervals"},
    {"pbkd compare runs/20260101-120000 runs/20260102-090000", "two runs beside each other"},
    {NULL, NULL},
};
