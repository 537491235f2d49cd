/* pbkd study and pbkd compare: many runs from one command, and several runs beside each other. The computing and the
 * tables are in engine/eval; here are arguments, progress, signals and files. */
#include <langinfo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/eval/compare.h"
#include "engine/eval/study_table.h"
#include "tui/safe_text.h"
#include "tui/signals.h"
#include "tui/verbs.h"
#include "views/format.h"

enum { COLUMNS = 100, COLUMNS_MIN = 60, COLUMNS_MAX = 240 };

/* Of the terminal on standard output; a file or a pipe gets a fixed width. */
static int page_columns(void) {
    struct winsize w;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col == 0) return COLUMNS;
    return w.ws_col < COLUMNS_MIN ? COLUMNS_MIN : w.ws_col > COLUMNS_MAX ? COLUMNS_MAX : w.ws_col;
}

/* ---- progress ---- */

struct progress {
    bool live; /* a line on a terminal, rewritten in place */
    bool line_open;
    int stop, n_stops; /* signal that ended the study, and how many came */
};

static void clear_line(struct progress *p) {
    if (p->line_open) safe_clear_line(stderr);
    p->line_open = false;
}

static void status_text(const struct study *s, char *out, size_t size) {
    const int done = study_count(s, JOB_DONE), failed = study_count(s, JOB_FAILED);
    int n = snprintf(out, size, "%d/%d runs", done + failed, s->n_jobs);
    if (failed) n += snprintf(out + n, size - (size_t)n, " (%d failed)", failed);
    const double eta = study_eta(s);
    if (isfinite(eta) && done + failed < s->n_jobs)
        n += snprintf(out + n, size - (size_t)n, ", eta %s", format_duration(eta).s);
    for (int i = 0; i < s->n_jobs && (size_t)n + 200 < size; i++)
        if (s->job[i].state == JOB_RUNNING)
            n += snprintf(out + n, size - (size_t)n, ", %s%s%s", s->job[i].name, s->job[i].at[0] ? " " : "",
                          s->job[i].at);
}

static void show_status(struct progress *p, const struct study *s) {
    char text[1024];
    if (!p->live) return;
    status_text(s, text, sizeof text);
    safe_live_line(stderr, text);
    p->line_open = true;
}

static void on_change(void *ctx, const struct study *s, const struct study_job *j) {
    struct progress *p = ctx;
    char text[1024];
    clear_line(p);
    status_text(s, text, sizeof text);
    if (j->state == JOB_FAILED)
        safe_printf(stderr, "pbkd: %s failed: %s (%s/%s.log)\n", j->name, j->why.msg, s->out, j->name);
    else if (j->state == JOB_DONE)
        safe_printf(stderr, "%s done in %s; %s\n", j->name, format_duration(j->seconds).s, text);
    else if (j->stopped)
        safe_printf(stderr, "%s stopped\n", j->name);
    else if (!p->live)
        safe_printf(stderr, "%s %s; %s\n", j->name, j->resume ? "goes on" : "started", text);
    show_status(p, s);
}

static void on_turn(void *ctx, struct study *s) {
    struct progress *p = ctx;
    const struct signal_news news = signals_read();
    if (news.n_stops > p->n_stops) {
        clear_line(p);
        if (p->n_stops == 0)
            safe_printf(stderr, "pbkd: SIG%s: the runs write checkpoints (once more to leave without)\n",
                        signal_short_name(news.stop));
        p->stop = news.stop;
        p->n_stops = news.n_stops;
        study_stop(s);
    }
    if (news.suspend) { /* the runs rest while we do */
        clear_line(p);
        study_freeze(s, true);
        signals_stop_self();
        study_freeze(s, false);
    }
    show_status(p, s);
}

/* ---- output ---- */

static bool write_file(const struct study *s, const char *name, const struct strbuf *b, struct err *e) {
    char path[4096];
    snprintf(path, sizeof path, "%.3900s/%s", s->out, name);
    return atomic_write(path, strbuf_str(b), b->len, e);
}

static bool write_outputs(const struct study *s, const struct study_table *t, struct err *e) {
    struct strbuf text = {0}, csv = {0}, json = {0}, svg = {0};
    study_table_text(t, COLUMNS, &text);
    study_table_csv(t, &csv);
    study_table_json(s, t, &json);
    study_figure_svg(t, &svg);
    const bool ok = write_file(s, "table.txt", &text, e) && write_file(s, "table.csv", &csv, e) &&
                    write_file(s, "table.json", &json, e) && write_file(s, "figure.svg", &svg, e);
    strbuf_free(&text);
    strbuf_free(&csv);
    strbuf_free(&json);
    strbuf_free(&svg);
    return ok;
}

static void print_outputs(const struct study_table *t, bool ascii) {
    struct strbuf b = {0};
    const bool utf8 = !ascii && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    study_table_text(t, page_columns(), &b);
    strbuf_putc(&b, '\n');
    study_figure_text(t, page_columns(), utf8, &b);
    safe_lines(stdout, strbuf_str(&b));
    strbuf_free(&b);
}

static int conclude(const struct study *s, bool ascii) {
    struct err e = {0};
    struct study_table *t = study_table_make(s);
    int yes, known;
    print_outputs(t, ascii);
    study_sanity(t, &yes, &known);
    bool ok = write_outputs(s, t, &e);
    study_table_free(t);
    if (!ok) return verb_fail(&e);
    safe_printf(stderr, "pbkd: table.txt, table.csv, table.json and figure.svg are in %s\n", s->out);
    const int failed = study_count(s, JOB_FAILED);
    if (failed) {
        err_set(&e, "%d of %d runs failed; the same command tries them again", failed, s->n_jobs);
        return verb_fail(&e);
    }
    return s->kind == &STUDIES[STUDY_SANITY] && yes < s->n_seeds ? EXIT_FAILED : EXIT_DONE;
}

/* ---- the verbs ---- */

static int unknown_kind(const char *kind) {
    struct strbuf b = {0};
    for (int i = 0; i < N_STUDY_KINDS; i++) strbuf_printf(&b, "%s%s", i ? ", " : "", STUDIES[i].name);
    const int code = verb_usage("study", "KIND must be one of %s, found \"%s\"", strbuf_str(&b), kind);
    strbuf_free(&b);
    return code;
}

static int run_study(const struct args *a) {
    struct err e = {0};
    if (a->n_positional != 2) return verb_usage("study", "a kind and a configuration file are needed");
    if (!study_find(a->positional[0])) return unknown_kind(a->positional[0]);
    struct options scratch;
    options_default(&scratch);
    for (int i = 0; i < a->n_list; i++)
        if (!option_set_assignment(&scratch, a->list[i], &e)) return verb_usage("study", "--set: %s", e.msg);
    const struct study_request r = {.kind = a->positional[0],
                                    .config = a->positional[1],
                                    .out = args_text(a, "--out"),
                                    .variants = args_text(a, "--variants"),
                                    .set = a->list,
                                    .n_set = a->n_list,
                                    .n_seeds = args_int(a, "--seeds"),
                                    .jobs_at_once = args_int(a, "--jobs")};
    struct study *s = study_plan(&r, &e);
    if (!s) return verb_fail(&e);
    struct progress p = {.live = isatty(STDERR_FILENO)};
    signals_install();
    signals_install_terminal();
    const int there = study_count(s, JOB_DONE);
    safe_printf(stderr, "study %s: %d runs in %s, %d there already, %d thread%s each\n", s->kind->name, s->n_jobs,
                s->out, there, s->threads, s->threads > 1 ? "s" : "");
    study_run(s, &(struct study_watch){.fd = signals_fd(), .turn = on_turn, .changed = on_change, .ctx = &p});
    clear_line(&p);
    int code;
    if (p.stop) {
        safe_printf(stderr, "pbkd: stopped after %d of %d runs; the same command goes on from here\n",
                    study_count(s, JOB_DONE), s->n_jobs);
        code = 128 + p.stop;
    } else {
        code = conclude(s, args_given(a, "--ascii"));
    }
    study_free(s);
    return code;
}

#define KIND_HELP(id, name, help, x_title, note) " " name ": " help ";"
static const struct arg_spec STUDY_ARGS[] = {
    {"--seeds", "N", ARG_INT, 1, 1000, "3", "runs of each variant, on seeds from the configuration's on"},
    {"--jobs", "N", ARG_INT, 1, 64, "1", "runs at the same time; they share the threads"},
    {"--variants", "LIST", ARG_TEXT, 0, 0, NULL,
     "only these of the kind, with commas between them (default: all); a later call with others adds to the study"},
    {"--out", "DIR", ARG_TEXT, 0, 0, NULL, "folder of the study (default: runs/study-KIND-HASH)"},
    SET_ARG,
    ASCII_ARG,
    {0}};
const struct verb verb_study = {
    .name = "study",
    .arguments = "KIND CONFIG.json",
    .max_positional = 2,
    .help = "run variants of a configuration over seeds: table, intervals, figure",
    .details = "Kinds:" STUDY_KINDS(
        KIND_HELP) " each variant and seed is a run of its own under DIR. What is done is not run again, what was cut "
                   "off goes on. The exit status is 1 when a run failed, or when sanity says no.",
    .args = STUDY_ARGS,
    .run = run_study,
};

static int compare_runs(const struct args *a) {
    if (a->n_positional < 2) return verb_usage("compare", "the folders of two or more runs are needed");
    struct err e = {0};
    struct compare *c = compare_read(a->positional, a->n_positional, &e);
    if (!c) return verb_fail(&e);
    struct strbuf b = {0};
    if (args_given(a, "--json"))
        compare_json(c, &b);
    else
        compare_text(c, page_columns(), &b);
    if (args_given(a, "--json"))
        safe_json(stdout, strbuf_str(&b));
    else
        safe_lines(stdout, strbuf_str(&b));
    strbuf_free(&b);
    compare_free(c);
    return EXIT_DONE;
}

static const struct arg_spec COMPARE_ARGS[] = {JSON_ARG, {0}};
const struct verb verb_compare = {
    .name = "compare",
    .arguments = "RUN RUN...",
    .max_positional = ARGS_POSITIONAL_MAX,
    .help = "show runs beside each other: accuracy, gap, options that differ",
    .details = "Runs that answered the same held-out prompts are compared with the first one prompt by prompt. Reads "
               "run.db only.",
    .args = COMPARE_ARGS,
    .run = compare_runs,
};
