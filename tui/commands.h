/* What can be typed after ':', one table: dispatch, completion, the hint line, help and the manual come from it. */
#ifndef PBKD_TUI_COMMANDS_H
#define PBKD_TUI_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

struct app;

/* How the words of a command complete. */
/* clang-format off */
enum command_words { WORDS_NONE, WORDS_OPTION, WORDS_CHOICE, WORDS_VOTE, WORDS_VIEW, WORDS_COMMAND, WORDS_FILE, WORDS_FORMAT_FILE, WORDS_ACTION };
/* clang-format on */

struct ui_command {
    const char *name, *usage, *help; /* WORDS_VOTE: the usage goes on with the votes; see command_usage */
    enum command_words words;
    const char *choices;                                /* WORDS_CHOICE, WORDS_FORMAT_FILE: "a|b" */
    bool needs_run;                                     /* refused on the start screen */
    void (*run)(struct app *app, const char *argument); /* argument: the rest of the line without outer blanks */
};
extern const struct ui_command UI_COMMANDS[];
extern const int N_UI_COMMANDS;

/* A command by its name or a beginning of it; *n_fit gets how many fit (1 for a full name). */
const struct ui_command *command_find(const char *name, size_t n, int *n_fit);
/* "gate continue|train|stop" */
void command_usage(const struct ui_command *c, char *out, size_t size);
/* Run a line as typed; what goes wrong is said on the message line. */
void command_run(struct app *app, const char *line);

#endif
