/* Running a study's jobs as child processes.
 *
 * A child gets a process group of its own, so that ^C at the terminal reaches this program alone and the child gets
 * exactly one signal, from study_stop (a second one would make it leave without a checkpoint). Its standard output
 * comes through a pipe: the last line is the result, the lines before say how far it is. Its standard error goes to the
 * job's log, as does everything that comes through the pipe. When this program is killed, the pipe breaks (and Linux
 * tells the child), and the child leaves a checkpoint. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/mem.h"
#include "engine/base/wake.h"
#include "engine/eval/study.h"

enum { LINE_MAX_BYTES = 1 << 20, TURN_MS = 1000, REAP_MS = 10, MAX_WORDS = 2 * 64 + 2 * STUDY_ASSIGN_MAX + 16 };

struct child {
    pid_t pid;
    int out, log;       /* pipe (-1: closed by the child) and log file */
    off_t log_begin;    /* where this attempt begins in the log */
    struct strbuf line; /* unfinished line */
    struct strbuf last; /* newest finished line that is not empty */
    double began;
};

/* ---- starting ---- */

struct words {
    char *word[MAX_WORDS + 1];
    int n;
};

static void add_word(struct words *w, const char *text) {
    if (w->n < MAX_WORDS) w->word[w->n++] = mem_strdup(text);
}

static void add_set(struct words *w, const char *assignment) {
    add_word(w, "--set");
    add_word(w, assignment);
}

/* A resumed run has its options in its record: only the threads, which may differ, are given. */
static void command_line(const struct study *s, const struct study_job *j, struct words *w) {
    char text[4096];
    *w = (struct words){0};
    add_word(w, "pbkd");
    add_word(w, "run");
    if (!j->resume) add_word(w, s->config);
    add_word(w, "--headless");
    study_path(s, j, "", text);
    add_word(w, "--run-dir");
    add_word(w, text);
    if (j->resume) {
        add_word(w, "--resume");
    } else {
        snprintf(text, sizeof text, "%d", j->seed);
        add_word(w, "--seed");
        add_word(w, text);
        for (int i = 0; i < s->n_set; i++)
            if (strncmp(s->set[i], "seed=", 5) != 0) add_set(w, s->set[i]);
        for (int i = 0; i < STUDY_ASSIGN_MAX && s->variant[j->variant].set[i]; i++)
            add_set(w, s->variant[j->variant].set[i]);
    }
    snprintf(text, sizeof text, "threads=%d", s->threads);
    add_set(w, text);
}

/* In the child: never returns. Only async-signal-safe calls until exec. */
static void become_program(const char *program, char *const *argv, int out, int log) {
    setpgid(0, 0);
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
    const int null = open("/dev/null", O_RDONLY);
    if (null >= 0) dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    static const int stops[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        struct sigaction old;
        if (sigaction(stops[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) signal(stops[i], SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(program, argv);
    static const char message[] = "pbkd: cannot run the program of the study\n";
    const ssize_t n = write(STDERR_FILENO, message, sizeof message - 1);
    (void)n;
    _exit(127);
}

static bool open_log(const struct study *s, struct study_job *j, struct child *c, struct err *e) {
    char path[4096];
    study_path(s, j, ".log", path);
    c->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (c->log < 0) return err_errno(e, "%s: cannot open", path);
    c->log_begin = lseek(c->log, 0, SEEK_END);
    return true;
}

static bool spawn(const struct study *s, struct study_job *j, struct child *c, struct err *e) {
    int fd[2];
    if (!pipe_make(fd, e)) return err_wrap(e, "%s", j->name);
    struct words w;
    sigset_t all, before;
    command_line(s, j, &w);
    /* Until the child is another program, our handlers must not swallow its signals. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    c->pid = fork();
    if (c->pid == 0) become_program(s->program, w.word, fd[1], c->log);
    sigprocmask(SIG_SETMASK, &before, NULL);
    for (int i = 0; i < w.n; i++) free(w.word[i]);
    close(fd[1]);
    c->out = fd[0];
    if (c->pid < 0) {
        close(fd[0]);
        return err_errno(e, "%s: cannot start a process", j->name);
    }
    setpgid(c->pid, c->pid); /* also here: whichever of the two comes first */
    fcntl(c->out, F_SETFL, O_NONBLOCK);
    return true;
}

static bool start(const struct study *s, struct study_job *j, struct err *e) {
    struct child *c = mem_small(sizeof *c);
    c->log = -1;
    if (!open_log(s, j, c, e) || !spawn(s, j, c, e)) {
        if (c->log >= 0) close(c->log);
        free(c);
        return false;
    }
    c->began = clock_seconds();
    j->child = c;
    j->state = JOB_RUNNING;
    return true;
}

/* ---- listening ---- */

/* "[812] t 2/5 game": where a headless run says that it is. */
static void note_progress(struct study_job *j, const char *line) {
    int iteration, total;
    const char *t = line[0] == '[' ? strstr(line, "] t ") : NULL;
    if (!t || sscanf(t, "] t %d/%d", &iteration, &total) != 2 || total < 1) return;
    j->fraction = iteration < 1 ? 0 : fmin(1.0, (iteration - 1.0) / total);
    snprintf(j->at, sizeof j->at, "%s", t + 2);
}

static void end_line(struct study_job *j) {
    struct child *c = j->child;
    if (c->line.len > 0) {
        note_progress(j, strbuf_str(&c->line));
        strbuf_clear(&c->last);
        strbuf_add(&c->last, c->line.s, c->line.len);
    }
    strbuf_clear(&c->line);
}

/* Read what there is; closes the pipe at its end. */
static void listen_to(struct study_job *j) {
    struct child *c = j->child;
    char text[4096];
    for (;;) {
        const ssize_t n = c->out < 0 ? 0 : read(c->out, text, sizeof text);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) break;
        for (ssize_t at = 0; at < n;) { /* a full disk costs the log, not the job */
            const ssize_t put = write(c->log, text + at, (size_t)(n - at));
            if (put <= 0) break;
            at += put;
        }
        for (ssize_t i = 0; i < n; i++) {
            if (text[i] == '\n')
                end_line(j);
            else if (c->line.len < LINE_MAX_BYTES)
                strbuf_putc(&c->line, text[i]);
        }
    }
    if (c->out >= 0) close(c->out);
    c->out = -1;
}

/* ---- ending ---- */

/* The last line "pbkd: ..." of this attempt in the log: why a run failed. */
static bool logged_reason(const struct study *s, const struct study_job *j, struct err *why) {
    char path[4096], *text;
    size_t len;
    study_path(s, j, ".log", path);
    if (!file_read_all(path, (size_t)1 << 28, &text, &len, NULL)) return false;
    const char *found = NULL;
    size_t at = (size_t)j->child->log_begin;
    while (at < len) {
        const char *line = text + at;
        const size_t n = strcspn(line, "\n");
        if (strncmp(line, "pbkd: ", 6) == 0) found = line + 6;
        at += n + 1;
    }
    if (found) err_set(why, "%.*s", (int)strcspn(found, "\n"), found);
    mem_free(text);
    return found != NULL;
}

static bool take_result(struct study_job *j) {
    const struct strbuf *last = &j->child->last;
    struct err e;
    if (last->len == 0) return err_set(&j->why, "it ended well, but printed no result");
    cJSON *root = json_parse(strbuf_str(last), last->len, "result", &e);
    if (!root || !cJSON_IsObject(root)) {
        cJSON_Delete(root);
        return err_set(&j->why, "its last line is no result: %.100s", strbuf_str(last));
    }
    j->result = root;
    return true;
}

/* A result without the very thing that the study is about: the other jobs would say as little. */
static bool check_needs(struct study *s, struct study_job *j) {
    const char *needs = s->kind->needs;
    if (!needs || cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(j->result, needs))) return true;
    err_set(&j->why, "its result has no \"%s\", which the %s study needs", needs, s->kind->name);
    for (int i = 0; i < s->n_jobs; i++) {
        if (s->job[i].state != JOB_WAITING) continue;
        s->job[i].state = JOB_FAILED;
        s->job[i].why = j->why;
    }
    return false;
}

static void judge(struct study *s, struct study_job *j, int status) {
    const bool asked = s->stopping && (WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) > 128));
    j->state = JOB_FAILED;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        if (take_result(j) && check_needs(s, j) && study_store_result(s, j, &j->why)) j->state = JOB_DONE;
    } else if (asked) {
        j->state = JOB_WAITING;
        j->stopped = true;
    } else if (WIFSIGNALED(status)) {
        err_set(&j->why, "ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else if (!logged_reason(s, j, &j->why)) {
        err_set(&j->why, "ended with exit status %d", WEXITSTATUS(status));
    }
    if (j->state == JOB_DONE) return;
    cJSON_Delete(j->result);
    j->result = NULL;
}

static void finish(struct study *s, struct study_job *j, int status) {
    struct child *c = j->child;
    listen_to(j);
    end_line(j);
    judge(s, j, status);
    j->seconds = clock_seconds() - c->began;
    if (c->out >= 0) close(c->out);
    close(c->log);
    strbuf_free(&c->line);
    strbuf_free(&c->last);
    free(c);
    j->child = NULL;
}

/* True when the job has ended. */
static bool attend(struct study *s, struct study_job *j) {
    int status;
    listen_to(j);
    const pid_t pid = waitpid(j->child->pid, &status, WNOHANG);
    if (pid == 0 || (pid < 0 && errno == EINTR)) return false;
    finish(s, j, pid < 0 ? 255 << 8 : status);
    return true;
}

/* ---- the loop ---- */

static void changed(const struct study_watch *w, const struct study *s, const struct study_job *j) {
    if (w->changed) w->changed(w->ctx, s, j);
}

static void fail_to_start(struct study_job *j, const struct err *e) {
    j->state = JOB_FAILED;
    j->why = *e;
}

static void start_jobs(struct study *s, const struct study_watch *w) {
    int running = study_count(s, JOB_RUNNING);
    for (int i = 0; i < s->n_jobs && running < s->jobs_at_once && !s->stopping; i++) {
        struct study_job *j = &s->job[i];
        struct err e;
        if (j->state != JOB_WAITING) continue;
        if (start(s, j, &e))
            running++;
        else
            fail_to_start(j, &e);
        changed(w, s, j);
    }
}

/* Sleep until a child says something, the watched descriptor is readable, or a second has passed. A child that has
 * closed its output is about to end: it is looked at again soon. */
static void wait_for_news(const struct study *s, const struct study_watch *w) {
    struct pollfd *fds = mem_small((size_t)(s->n_jobs + 1) * sizeof *fds);
    int n = 0, timeout = TURN_MS;
    if (w->fd >= 0) fds[n++] = (struct pollfd){.fd = w->fd, .events = POLLIN};
    for (int i = 0; i < s->n_jobs; i++) {
        if (s->job[i].state != JOB_RUNNING) continue;
        if (s->job[i].child->out < 0)
            timeout = REAP_MS;
        else
            fds[n++] = (struct pollfd){.fd = s->job[i].child->out, .events = POLLIN};
    }
    poll(fds, (nfds_t)n, timeout);
    free(fds);
}

void study_run(struct study *s, const struct study_watch *w) {
    for (;;) {
        start_jobs(s, w);
        if (study_count(s, JOB_RUNNING) == 0) return;
        wait_for_news(s, w);
        for (int i = 0; i < s->n_jobs; i++)
            if (s->job[i].state == JOB_RUNNING && attend(s, &s->job[i])) changed(w, s, &s->job[i]);
        if (w->turn) w->turn(w->ctx, s);
    }
}

static void signal_children(const struct study *s, int sig) {
    for (int i = 0; i < s->n_jobs; i++)
        if (s->job[i].state == JOB_RUNNING) kill(s->job[i].child->pid, sig);
}

void study_stop(struct study *s) {
    s->stopping = true;
    signal_children(s, SIGTERM);
}

void study_freeze(struct study *s, bool on) { signal_children(s, on ? SIGSTOP : SIGCONT); }

/* ---- how long yet ---- */

/* Seconds of a whole job, from finished ones (their results say), else from a running one that is well under way. */
static double typical_seconds(const struct study *s) {
    double sum = 0;
    int n = 0;
    for (int i = 0; i < s->n_jobs; i++) {
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(s->job[i].result, "seconds");
        if (!cJSON_IsNumber(v)) continue;
        sum += v->valuedouble;
        n++;
    }
    if (n > 0) return sum / n;
    for (int i = 0; i < s->n_jobs; i++)
        if (s->job[i].state == JOB_RUNNING && s->job[i].fraction > 0)
            return (clock_seconds() - s->job[i].child->began) / s->job[i].fraction;
    return (double)NAN;
}

double study_eta(const struct study *s) {
    const double whole = typical_seconds(s);
    double left = 0, longest = 0;
    for (int i = 0; i < s->n_jobs; i++) {
        const struct study_job *j = &s->job[i];
        if (j->state != JOB_WAITING && j->state != JOB_RUNNING) continue;
        const double mine = whole * (1.0 - (j->state == JOB_RUNNING ? j->fraction : 0));
        left += mine;
        longest = fmax(longest, mine);
    }
    return isnan(whole) ? whole : fmax(longest, left / s->jobs_at_once);
}
