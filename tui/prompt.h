/* The line on the message row: ':' commands, '/' searches, '&' filters. Editing, completion and history are readline's,
 * driven key by key through its callback interface: it reads nothing, writes nothing and sets no signal handlers or
 * terminal modes itself.
 *
 * readline keeps its state in globals and its callbacks carry no context, so there is one prompt per process. */
#ifndef PBKD_TUI_PROMPT_H
#define PBKD_TUI_PROMPT_H

#include "views/canvas.h"

struct prompt;

enum prompt_kind { PROMPT_COMMAND, PROMPT_SEARCH, PROMPT_FILTER };
enum prompt_result { PROMPT_GOES_ON, PROMPT_ACCEPTED, PROMPT_CANCELLED };

/* Candidates for the word that starts at line[start] (`word` is what stands of it): call add for each; return true to
 * complete file names instead. */
typedef bool (*prompt_complete_fn)(void *ctx, const char *line, int start, const char *word,
                                   void (*add)(void *to, const char *candidate), void *to);

/* What to say while a command is typed. */
typedef void (*prompt_hint_fn)(void *ctx, const char *line, char *out, size_t size);

/* history_path NULL: no history across sessions. Commands complete and are explained through the two functions, which
 * may be NULL. */
struct prompt *prompt_new(const char *history_path, prompt_complete_fn complete, prompt_hint_fn hint, void *ctx);
void prompt_free(struct prompt *p);

void prompt_open(struct prompt *p, enum prompt_kind kind, const char *initial);
/* Close the line without a result; nothing when none is open. */
void prompt_cancel(struct prompt *p);
bool prompt_is_open(const struct prompt *p);
enum prompt_kind prompt_kind(const struct prompt *p);
/* Feed a key (as views name them). next: the key that came right behind it, KEY_CODE_NONE when none did: it tells Alt-x
 * from Esc. */
enum prompt_result prompt_key(struct prompt *p, int key, int next);
/* The line so far, or the accepted one until the next open; valid until the next call. */
const char *prompt_text(const struct prompt *p);
/* What to show beside the line: the candidates of the last ambiguous completion, else what the line means so far. */
void prompt_hint(const struct prompt *p, char *out, size_t size);
/* Draw into a row; returns the column of the cursor. Long lines scroll so that the cursor stays visible. */
int prompt_draw(const struct prompt *p, struct area row);

/* $XDG_STATE_HOME/pbkd/history or ~/.local/state/pbkd/history, its folder made; false when there is no home. */
bool prompt_history_path(char *path, size_t size);

#endif
