/* A text in the person's own editor: see editor.h. It is written to a private file, edited, read back. The screen is given to the editor
 * meanwhile; the run goes on. */
#include "tui/editor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "tui/signals.h"

#define MAX_TEXT ((size_t)1 << 20)

static bool write_text(int fd, const char *text, const char *path, struct err *e) {
    for (size_t left = strlen(text); left > 0;) {
        const ssize_t n = write(fd, text, left);
        if (n < 0 && errno != EINTR) return err_errno(e, "%s", path);
        if (n > 0) text += n, left -= (size_t)n;
    }
    return true;
}

/* Wait for the editor; a signal that ends this program ends it too. */
static bool wait_for(pid_t pid, struct err *e) {
    int status;
    bool told = false;
    for (;;) {
        const pid_t r = waitpid(pid, &status, WNOHANG);
        if (r == pid) break;
        if (r < 0 && errno != EINTR) return err_errno(e, "waiting for the editor");
        if (signals_stop() && !told) {
            kill(pid, SIGHUP);
            told = true;
        }
        usleep(20000);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? true : err_set(e, "the editor failed: nothing was changed");
}

static bool run_editor(const char *path, struct err *e) {
    const char *visual = getenv("VISUAL"), *editor = getenv("EDITOR");
    if (visual && visual[0]) editor = visual;
    if (!editor || !editor[0]) editor = "vi";
    char command[4096];
    if ((size_t)snprintf(command, sizeof command, "%s \"$1\"", editor) >= sizeof command)
        return err_set(e, "$EDITOR is too long");
    const pid_t pid = fork();
    if (pid < 0) return err_errno(e, "starting the editor");
    if (pid == 0) {
        static const int defaults[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH, SIGPIPE};
        for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) signal(defaults[i], SIG_DFL);
        execl("/bin/sh", "sh", "-c", command, "sh", path, (char *)NULL);
        _exit(127);
    }
    return wait_for(pid, e);
}

bool app_edit(struct app *app, char **text, struct err *e) {
    const char *folder = getenv("TMPDIR");
    char path[4096];
    snprintf(path, sizeof path, "%.4000s/pbkd-XXXXXX", folder && folder[0] ? folder : "/tmp");
    const int fd = mkstemp(path);
    if (fd < 0) return err_errno(e, "%s", path);
    bool ok = write_text(fd, *text, path, e);
    close(fd);
    if (ok) {
        terminal_suspend(app->terminal);
        ok = run_editor(path, e);
        terminal_resume(app->terminal);
        app_resize(app);
    }
    char *edited = NULL;
    size_t len = 0;
    if (ok && (ok = file_read_all(path, MAX_TEXT, &edited, &len, e))) {
        while (len > 0 && edited[len - 1] == '\n') len--; /* editors end the last line */
        free(*text);
        *text = mem_strndup(edited, len);
        mem_free(edited);
    }
    unlink(path);
    return ok;
}
