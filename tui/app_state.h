/* The workbench's state, and what every file of it may do with it: say something, send a command, open the typed line,
 * leave. Everything that keys, commands and frames do lies above and includes this; nothing here calls it. */
#ifndef PBKD_TUI_APP_STATE_H
#define PBKD_TUI_APP_STATE_H

#include "tui/help.h"
#include "tui/key_row.h"
#include "tui/launch.h"
#include "tui/prompt.h"
#include "tui/terminal.h"

#define MAX_VIEWS 16

enum app_question { ASK_NOTHING, ASK_QUIT, ASK_INTERRUPT };

struct app {
    struct terminal *terminal;
    struct canvas canvas;
    struct session *session;       /* NULL: the start screen */
    const struct snapshot *newest; /* NULL without a session */
    const struct snapshot *frozen; /* what Z holds on to; NULL: the newest is shown */
    int view;                      /* index in VIEWS */
    void *view_state[MAX_VIEWS];
    struct actions actions;
    struct prompt *prompt;
    struct help help;
    struct key_bindings bindings;
    char search[256]; /* last '/' text, for n */
    char message[512];
    enum alert_level message_level;
    enum app_question question;
    uint64_t sent_id;   /* newest command sent, its acknowledgement is shown once */
    double beta_wanted; /* by [ and ] while it has not taken effect; 0 none */
    bool dirty;         /* something to draw */
    bool leaving;       /* quit or interrupt sent: waits for the engine */
    bool left;          /* the loop ends */
    bool discard;
    int stop_signal; /* exit code 128 + it */
    bool gone;       /* the terminal went away */
    bool mouse;
    int source_depth; /* files of commands that are being run */
    bool rc_read;
    double drawn_at, draw_cost; /* seconds */
    char annotator[64];
    char run_path[1024];
    /* a run that the start screen asked for: session_config borrows from here */
    struct launch launch;
    char launch_path[4096];
};

/* Message line; an error stays until the next key. */
void app_say(struct app *app, enum alert_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* What is on the screen: the frozen or the newest snapshot; NULL on the start screen. */
const struct snapshot *app_shown(const struct app *app);
/* Send a command; a refusal is said. Returns whether it was taken. */
bool app_send(struct app *app, const struct command *c);
bool app_send_simple(struct app *app, enum command_kind kind, const char *value);
void app_open_prompt(struct app *app, enum prompt_kind kind, const char *initial);

bool app_start_session(struct app *app, const struct session_config *c, struct err *e);
void app_take_snapshot(struct app *app); /* a newer one, if there is one */
bool app_run_over(const struct app *app);
/* Start leaving: save = checkpoint first. Without a session, or when the run is over, the loop ends at once. */
void app_leave(struct app *app, bool save);
void app_stop(struct app *app, int sig); /* checkpoint and exit 128 + sig */
void app_suspend(struct app *app);
void app_resize(struct app *app);

#endif
