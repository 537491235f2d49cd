/* What can be typed after ':', one table: dispatch, completion, the hint line, help and the manual come from it. */
#ifndef PBKD_TUI_COMMANDS_H
#define PBKD_TUI_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

struct app;
struct snapshot;

/* How the words of a command complete. */
/* clang-format off */
enum command_words { WORDS_NONE, WORDS_OPTION, WORDS_CHOICE, WORDS_VIEW, WORDS_COMMAND, WORDS_FILE, WORDS_FORMAT_FILE, WORDS_ACTION };
/* clang-format on */

struct ui_command {
    const char *name, *usage, *help;
    enum command_words words;
    const char *choices;                                /* WORDS_CHOICE, WORDS_FORMAT_FILE: "a|b" */
    bool needs_run;                                     /* refused on the start screen */
    void (*run)(struct app *app, const char *argument); /* argument: the rest of the line without outer blanks */
};
extern const struct ui_command UI_COMMANDS[];
extern const int N_UI_COMMANDS;

/* A command by its name or a beginning of it; *n_fit gets how many fit (1 for a full name). */
const struct ui_command *command_find(const char *name, size_t n, int *n_fit);
/* Run a line as typed; what goes wrong is said on the message line. */
void command_run(struct app *app, const char *line);
/* command_files.c */
void command_save_screen(struct app *app, const char *argument);
void command_write_config(struct app *app, const char *argument);
void command_export(struct app *app, const char *argument);
/* Run the commands in a file; the first error ends it and is said as FILE:LINE: message. */
void command_source(struct app *app, const char *argument);
/* A typed file name with ~/ written out; caller frees. */
char *command_path(const char *text);
/* Candidates for completion: the contract of prompt_complete_fn. ctx is the app (unused: everything comes from tables).
 */
bool command_complete(void *ctx, const char *line, int start, const char *word,
                      void (*add)(void *to, const char *candidate), void *to);
/* What to show while `line` is typed: the option's value, default and range, the command's usage, or the commands that
 * fit. */
void command_hint(const struct snapshot *s, const char *line, char *out, size_t size);

#endif
