/* The ':' commands that read and write files: see command_files.h. Everything written replaces its file as a whole or not at all. */
#include "tui/command_files.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "tui/app_draw.h"

#define MAX_SOURCE ((size_t)1 << 20)
#define MAX_DEPTH 8

void command_save_screen(struct app *app, const char *argument) {
    struct err e = {0};
    if (!argument[0]) {
        app_say(app, ALERT_ERROR, "save-screen needs a file name");
        return;
    }
    app_draw(app); /* the picture without this command's line */
    char *text = canvas_dump(&app->canvas, false);
    if (atomic_write(argument, text, strlen(text), &e))
        app_say(app, ALERT_INFO, "the screen is in %s", argument);
    else
        app_say(app, ALERT_ERROR, "%s", e.msg);
    free(text);
}

void command_write_config(struct app *app, const char *argument) {
    struct err e = {0};
    if (!argument[0]) {
        app_say(app, ALERT_ERROR, "write-config needs a file name");
        return;
    }
    /* a run's paths are written out in full, so they hold wherever the file is put */
    char *json = options_to_json(&app->newest->options, true);
    if (atomic_write(argument, json, strlen(json), &e))
        app_say(app, ALERT_INFO, "the options that differ from their defaults are in %s", argument);
    else
        app_say(app, ALERT_ERROR, "%s", e.msg);
    free(json);
}

void command_export(struct app *app, const char *argument) {
    struct err e = {0};
    int64_t n = 0;
    const size_t format_len = strcspn(argument, " ");
    char format[16];
    snprintf(format, sizeof format, "%.*s", (int)(format_len < sizeof format ? format_len : sizeof format - 1),
             argument);
    char *path = command_path(argument + format_len + strspn(argument + format_len, " "));
    if ((strcmp(format, "trl") != 0 && strcmp(format, "audit") != 0) || !path[0]) {
        app_say(app, ALERT_ERROR, "export trl FILE or export audit FILE");
        free(path);
        return;
    }
    if (session_export(app->session, format, path, &n, &e))
        app_say(app, ALERT_INFO, "%" PRId64 " lines in %s", n, path);
    else
        app_say(app, ALERT_ERROR, "%s", e.msg);
    free(path);
}

char *command_path(const char *text) {
    const char *home = getenv("HOME");
    if (strncmp(text, "~/", 2) != 0 || !home || !home[0]) return mem_strdup(text);
    const size_t size = strlen(home) + strlen(text);
    char *path = mem_small(size);
    snprintf(path, size, "%s%s", home, text + 1);
    return path;
}

/* ---- commands from a file ---- */

/* Run the lines of text (which is cut up); returns how many were run, -1 after an error, which is said. */
static int run_lines(struct app *app, char *text, const char *path, line_runner run) {
    int n = 0, number = 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line && !app->leaving && !app->left; line = strsep(&rest, "\n")) {
        number++;
        line[strcspn(line, "\r")] = '\0';
        line += strspn(line, " \t:");
        if (!*line || *line == '#') continue;
        app->message[0] = '\0';
        run(app, line);
        n++;
        if (!app->message[0] || app->message_level != ALERT_ERROR) continue;
        char *why = mem_strdup(app->message);
        app_say(app, ALERT_ERROR, "%s:%d: %s", path, number, why);
        free(why);
        return -1;
    }
    return n;
}

void command_source(struct app *app, const char *argument, line_runner run) {
    struct err e = {0};
    char *text;
    size_t len;
    if (!argument[0]) {
        app_say(app, ALERT_ERROR, "source needs a file name");
    } else if (app->source_depth == MAX_DEPTH) {
        app_say(app, ALERT_ERROR, "files source each other more than %d deep", MAX_DEPTH);
    } else if (!file_read_all(argument, MAX_SOURCE, &text, &len, &e)) {
        app_say(app, ALERT_ERROR, "%s", e.msg);
    } else if (strlen(text) != len) {
        app_say(app, ALERT_ERROR, "%s: a zero byte after %zu bytes: no text file", argument, strlen(text));
        mem_free(text);
    } else {
        app->source_depth++;
        const int n = run_lines(app, text, argument, run);
        app->source_depth--;
        if (n >= 0) app_say(app, ALERT_INFO, "%d command%s from %s", n, n == 1 ? "" : "s", argument);
        mem_free(text);
    }
}

void command_read_rc(struct app *app, line_runner run) {
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char path[PATH_MAX];
    int n = -1;
    if (config && config[0] == '/')
        n = snprintf(path, sizeof path, "%s/pbkd/rc", config);
    else if (home && home[0] == '/')
        n = snprintf(path, sizeof path, "%s/.config/pbkd/rc", home);
    if (app->rc_read) return;
    app->rc_read = true;
    if (n < 0 || (size_t)n >= sizeof path || !file_exists(path)) return;
    command_source(app, path, run);
}
