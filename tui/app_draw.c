/* One frame of the workbench: see app_draw.h. */
#include "tui/app_draw.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tui/start.h"
#include "views/chrome.h"
#include "views/views.h"

static void draw_title(struct app *app, struct area row) {
    const struct snapshot *s = app_shown(app);
    if (s)
        draw_header(row, s, app->frozen != NULL);
    else
        area_text(row, 0, 0, row.cols, ROLE_HEADER, ATTR_BOLD, "pbkd");
}

static void draw_view(struct app *app, struct area a) {
    const struct snapshot *s = app_shown(app);
    if (app->help.open)
        help_draw(&app->help, a);
    else if (s)
        VIEWS[app->view]->draw(app->view_state[app->view], a, s, &app->actions);
    else
        start_draw(app, a);
}

/* Rows that long messages and hints may take from the view. */
static int most_rows(struct area all) {
    const int n = all.rows / 6;
    return n < 1 ? 1 : n > 4 ? 4 : n;
}

/* Text on the rows that end at `bottom`, as many as it needs; what is too long even for the most is cut at their end.
 */
static void draw_upwards(struct area all, int bottom, enum role role, const char *text) {
    struct wrapped w;
    const int most = most_rows(all);
    wrap_text(&w, text, all.cols);
    const int n = w.n < most ? w.n : most;
    for (int i = 0; i < n; i++) {
        const int row = bottom - n + 1 + i;
        const char *line = text + w.start[i];
        area_fill(all, row, 0, all.cols, " ", role, 0);
        area_text_n(all, row, 0, all.cols, role, 0, line, i + 1 == n && w.n > n ? strlen(line) : w.len[i]);
    }
    wrapped_free(&w);
}

/* While a command is typed its hint takes the place of the key hints. */
static void draw_hints_below(struct app *app, struct area all) {
    const int bottom = all.rows - 2;
    struct area row = area_sub(all, bottom, 0, 1, all.cols);
    if (app->prompt && prompt_is_open(app->prompt)) {
        char hint[2200];
        prompt_hint(app->prompt, hint, sizeof hint);
        draw_upwards(all, bottom, ROLE_HINT, hint);
    } else if (app->help.open) {
        area_text(row, 0, 0, row.cols, ROLE_HINT, 0, "/ search  Enter run the selected line  q close");
    } else if (app_shown(app)) {
        draw_hints(row, VIEWS[app->view]);
    } else {
        start_draw_hints(row);
    }
}

static const char *question_text(const struct app *app) {
    if (app->question == ASK_QUIT) return "Leave? c checkpoint and quit   d discard the run   Esc stay";
    return "^C again: checkpoint and leave   Esc stay";
}

/* Returns the column of the cursor, -1 for none. */
static int draw_message(struct app *app, struct area all) {
    const int bottom = all.rows - 1;
    struct area row = area_sub(all, bottom, 0, 1, all.cols);
    if (app->prompt && prompt_is_open(app->prompt)) return prompt_draw(app->prompt, row);
    if (app->question != ASK_NOTHING) {
        area_text(row, 0, 0, row.cols, ROLE_WARNING, ATTR_BOLD, question_text(app));
    } else if (app->message[0]) {
        static const enum role roles[] = {ROLE_TEXT, ROLE_WARNING, ROLE_ERROR};
        draw_upwards(all, bottom, roles[app->message_level], app->message);
    } else if (app->newest && app->newest->alert_now) {
        draw_upwards(all, bottom, ROLE_WARNING, app->newest->alert_now);
    } else if (app->newest && app->newest->state_text[0] && app->newest->state != RUN_RUNNING) {
        const bool failed = app->newest->state == RUN_FAILED;
        draw_upwards(all, bottom, failed ? ROLE_ERROR : ROLE_TEXT, app->newest->state_text);
    }
    return -1;
}

void app_draw(struct app *app) {
    struct area all = canvas_area(&app->canvas);
    int cursor_row = -1, cursor_col = -1;
    canvas_clear(&app->canvas);
    draw_title(app, area_sub(all, 0, 0, 1, all.cols));
    if (all.rows >= 5 && all.cols >= 20) {
        draw_view(app, area_sub(all, 1, 0, all.rows - 3, all.cols));
        draw_hints_below(app, all);
    }
    if (all.rows >= 2) {
        cursor_col = draw_message(app, all);
        if (cursor_col >= 0) cursor_row = all.rows - 1;
    }
    terminal_show(app->terminal, &app->canvas, cursor_row, cursor_col);
}
