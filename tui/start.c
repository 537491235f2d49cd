/* The start screen: what can be done when there is no run yet. Starting one from here replaces it by the views. */
#include "tui/start.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tui/safe_text.h"

static void demo_key(struct app *app) { start_demo(app); }
static void run_key(struct app *app) { app_open_prompt(app, PROMPT_COMMAND, "run "); }

/* press NULL: a key of every view, which the row only names. */
static const struct choice {
    int key;
    const char *label, *hint, *text;
    void (*press)(struct app *app);
} CHOICES[] = {
    {'d', "d", "demo", "demo: the built-in game, arithmetic with a small teacher and student", demo_key},
    {'r', "r", "run", "run: start from a configuration file (:run CONFIG.json)", run_key},
    {':', ":", "command", NULL, NULL},
    {'?', "?", "help", "help: every key and command", NULL},
    {'q', "q", "quit", "leave", NULL},
};
enum { N_CHOICES = sizeof CHOICES / sizeof CHOICES[0] };

/* GGUF files at hand, to name in a configuration. */
static void find_models(glob_t *g) {
    *g = (glob_t){0};
    glob("models/*.gguf", 0, NULL, g);
    glob("sample_data/*/*.gguf", GLOB_APPEND, NULL, g);
}

static double mebibytes(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? (double)st.st_size / 1048576.0 : 0.0;
}

#define NO_MODELS "none in models/ or sample_data/ (pbkd info FILE shows a GGUF file)"

static void draw_models(struct area a, int row) {
    glob_t g;
    find_models(&g);
    area_text(a, row++, 2, a.cols - 2, ROLE_TITLE_FOCUS, ATTR_BOLD, "Models");
    if (g.gl_pathc == 0) area_text(a, row++, 4, a.cols - 4, ROLE_DIM, 0, NO_MODELS);
    for (size_t i = 0; i < g.gl_pathc && row < a.rows; i++)
        area_printf(a, row++, 4, ROLE_TEXT, 0, "%s  %.1f MiB", g.gl_pathv[i], mebibytes(g.gl_pathv[i]));
    globfree(&g);
}

void start_print(FILE *out) {
    glob_t g;
    find_models(&g);
    safe_lines(out, "There is no run under runs/ yet.\n\n"
                    "  pbkd demo              the built-in game, a small teacher and a smaller student on arithmetic\n"
                    "  pbkd run CONFIG.json   start from a configuration file\n"
                    "  pbkd --help            every command\n\n"
                    "models:\n");
    if (g.gl_pathc == 0) safe_printf(out, "  " NO_MODELS "\n");
    for (size_t i = 0; i < g.gl_pathc; i++)
        safe_printf(out, "  %s  %.1f MiB\n", g.gl_pathv[i], mebibytes(g.gl_pathv[i]));
    globfree(&g);
}

void start_draw(struct app *app, struct area a) {
    (void)app;
    int row = 0;
    struct area in = area_box(a, "Start", true);
    area_text(in, row++, 2, in.cols - 2, ROLE_TEXT, 0, "There is no run under runs/ yet.");
    row++;
    for (int i = 0; i < N_CHOICES; i++) {
        if (!CHOICES[i].text) continue;
        area_text(in, row, 4, 4, ROLE_HINT_KEY, ATTR_BOLD, CHOICES[i].label);
        area_text(in, row++, 8, in.cols - 8, ROLE_TEXT, 0, CHOICES[i].text);
    }
    draw_models(in, row + 1);
}

void start_draw_hints(struct area a) {
    int col = 0;
    for (int i = 0; i < N_CHOICES; i++)
        col += area_printf(a, 0, col, ROLE_HINT, 0, "%s %s", CHOICES[i].label, CHOICES[i].hint) + 2;
}

bool start_key(struct app *app, int key) {
    for (int i = 0; i < N_CHOICES; i++)
        if (CHOICES[i].key == key && CHOICES[i].press) {
            CHOICES[i].press(app);
            return true;
        }
    return false;
}

static void start(struct app *app) {
    struct err e = {0};
    if (app_start_session(app, &app->launch.session, &e))
        app->view = 0;
    else
        app_say(app, ALERT_ERROR, "%s", e.msg);
}

static bool can_start(struct app *app) {
    if (!app->session) return true;
    app_say(app, ALERT_ERROR, "a run is open; leave it first (q)");
    return false;
}

void start_demo(struct app *app) {
    struct err e = {0};
    if (!can_start(app)) return;
    app->launch = (struct launch){0};
    if (launch_demo(&app->launch, &e))
        start(app);
    else
        app_say(app, ALERT_ERROR, "%s", e.msg);
}

void start_config(struct app *app, const char *path) {
    struct err e = {0};
    if (!can_start(app)) return;
    app->launch = (struct launch){0};
    snprintf(app->launch_path, sizeof app->launch_path, "%s", path);
    if (!path[0])
        app_say(app, ALERT_ERROR, "run needs a configuration file");
    else if (launch_config(&app->launch, app->launch_path, &e))
        start(app);
    else
        app_say(app, ALERT_ERROR, "%s", e.msg);
}
