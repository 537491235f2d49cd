/* The line on the message row: see prompt.h.
 *
 * Keys are turned into the bytes a terminal would send and queued; readline takes them from the queue through
 * rl_getc_function. Esc alone cancels.
 */
#include "tui/prompt.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "engine/base/strbuf.h"
#include "tui/prompt_keys.h"
#include "views/view.h"

#define HISTORY_LINES 1000
#define N_KINDS 3

struct prompt {
    bool open, done, eof;
    enum prompt_kind kind;
    char *accepted; /* the line that Enter ended */
    const char *initial;
    struct strbuf queue, candidates;
    size_t queue_at;
    HISTORY_STATE *history[N_KINDS]; /* searches and commands do not mix */
    char history_path[4096];
    prompt_complete_fn complete;
    prompt_hint_fn hint;
    void *ctx;
    FILE *nowhere; /* where readline may write */
};

static struct prompt *active; /* readline's callbacks carry no context */

static int take_byte(FILE *in) {
    (void)in;
    if (active->queue_at >= active->queue.len) return EOF;
    return (unsigned char)active->queue.s[active->queue_at++];
}

static int byte_waits(void) { return active->queue_at < active->queue.len; }
static void draw_nothing(void) {}

static void line_done(char *line) {
    active->done = true;
    active->eof = line == NULL;
    free(active->accepted);
    active->accepted = line;
    rl_callback_handler_remove();
}

static int end_line(int count, int key) {
    (void)count, (void)key;
    rl_done = 1;
    return 0;
}

static int put_initial(void) {
    if (active->initial) rl_insert_text(active->initial);
    active->initial = NULL;
    return 0;
}

/* ---- completion ---- */

struct candidates {
    char **at;
    size_t n, cap, next;
    const char *word;
};

static void add_candidate(void *to, const char *candidate) {
    struct candidates *c = to;
    if (strncmp(candidate, c->word, strlen(c->word)) != 0) return;
    if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 16;
        c->at = mem_grow(c->at, c->cap * sizeof *c->at);
    }
    c->at[c->n++] = mem_strdup(candidate);
}

/* What rl_attempted_completion_function returns: the common start, then the candidates, NULL-terminated, all malloced.
 */
static char **as_matches(struct candidates *c) {
    if (c->n == 0) return NULL;
    char **m = mem_small((c->n + 2) * sizeof *m);
    size_t common = strlen(c->at[0]);
    for (size_t i = 1; i < c->n; i++) {
        size_t k = 0;
        while (k < common && c->at[i][k] == c->at[0][k]) k++;
        common = k;
    }
    m[0] = mem_strndup(c->at[0], common);
    /* A single candidate is the completion itself. */
    for (size_t i = 0; i < c->n; i++)
        if (c->n == 1)
            free(c->at[i]);
        else
            m[i + 1] = c->at[i];
    return m;
}

static char **complete(const char *word, int start, int end) {
    (void)end;
    rl_attempted_completion_over = 1;
    strbuf_clear(&active->candidates);
    if (active->kind != PROMPT_COMMAND || !active->complete) return NULL;
    struct candidates c = {.word = word};
    if (active->complete(active->ctx, rl_line_buffer, start, word, add_candidate, &c)) {
        rl_attempted_completion_over = 0; /* readline completes file names */
        return NULL;
    }
    char **m = as_matches(&c);
    free(c.at);
    return m;
}

static void show_candidates(char **matches, int n, int max) {
    (void)max;
    strbuf_clear(&active->candidates);
    for (int i = 1; i <= n && active->candidates.len < 2000; i++)
        strbuf_printf(&active->candidates, "%s%s", i > 1 ? "  " : "", matches[i]);
}

/* ---- life ---- */

static void set_up_readline(struct prompt *p) {
    rl_readline_name = "pbkd";
    rl_catch_signals = 0;
    rl_catch_sigwinch = 0;
    rl_change_environment = 0;
    rl_prep_term_function = NULL;
    rl_deprep_term_function = NULL;
    rl_getc_function = take_byte;
    rl_input_available_hook = byte_waits;
    rl_redisplay_function = draw_nothing; /* prompt_draw does it on the next frame */
    rl_startup_hook = put_initial;
    rl_attempted_completion_function = complete;
    rl_completion_display_matches_hook = show_candidates;
    rl_basic_word_break_characters = " ";
    rl_completer_word_break_characters = " ";
    rl_completion_query_items = 0;
    rl_completion_append_character = ' ';
    p->nowhere = fopen("/dev/null", "w");
    if (p->nowhere) rl_outstream = p->nowhere;
    rl_initialize();
    /* Over whatever an inputrc says: there is no bell and no pasting protocol behind this line. */
    rl_variable_bind("bell-style", "none");
    rl_variable_bind("enable-bracketed-paste", "off");
    rl_variable_bind("show-all-if-ambiguous", "on");
    rl_variable_bind("blink-matching-paren", "off");
    prompt_keys_restrict(end_line);
}

struct prompt *prompt_new(const char *history_path, prompt_complete_fn complete_fn, prompt_hint_fn hint, void *ctx) {
    struct prompt *p = mem_small(sizeof *p);
    p->complete = complete_fn;
    p->hint = hint;
    p->ctx = ctx;
    active = p;
    set_up_readline(p);
    using_history();
    for (int i = 1; i < N_KINDS; i++) p->history[i] = mem_small(sizeof *p->history[i]);
    if (history_path && strlen(history_path) < sizeof p->history_path) {
        strcpy(p->history_path, history_path);
        read_history(history_path);
        stifle_history(HISTORY_LINES);
        history_truncate_file(history_path, HISTORY_LINES);
    }
    p->history[PROMPT_COMMAND] = history_get_history_state();
    return p;
}

void prompt_open(struct prompt *p, enum prompt_kind kind, const char *initial) {
    p->kind = kind;
    p->open = true;
    p->done = p->eof = false;
    p->initial = initial && initial[0] ? initial : NULL;
    p->queue_at = 0;
    strbuf_clear(&p->queue);
    strbuf_clear(&p->candidates);
    history_set_history_state(p->history[kind]);
    using_history();
    rl_callback_handler_install("", line_done);
}

bool prompt_is_open(const struct prompt *p) { return p->open; }
enum prompt_kind prompt_kind(const struct prompt *p) { return p->kind; }

const char *prompt_text(const struct prompt *p) {
    if (p->open) return rl_line_buffer ? rl_line_buffer : "";
    return p->accepted ? p->accepted : "";
}

void prompt_hint(const struct prompt *p, char *out, size_t size) {
    out[0] = '\0';
    if (p->candidates.len)
        snprintf(out, size, "%s", strbuf_str((struct strbuf *)&p->candidates));
    else if (p->kind == PROMPT_COMMAND && p->hint)
        p->hint(p->ctx, prompt_text(p), out, size);
    else if (p->kind != PROMPT_COMMAND)
        snprintf(out, size, "Enter %s, Esc cancels", p->kind == PROMPT_SEARCH ? "searches" : "filters");
}

static void remember(struct prompt *p) {
    const char *line = p->accepted;
    const HIST_ENTRY *last = history_length > 0 ? history_get(history_base + history_length - 1) : NULL;
    if (!line[0] || (last && strcmp(last->line, line) == 0)) return;
    add_history(line);
    if (p->kind != PROMPT_COMMAND || !p->history_path[0]) return;
    const int fd = open(p->history_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return; /* history is a comfort: a read-only home must not get in the way */
    dprintf(fd, "%s\n", line);
    close(fd);
}

static void close_line(struct prompt *p) {
    p->open = false;
    free(p->history[p->kind]);
    p->history[p->kind] = history_get_history_state();
}

/* End the line as readline ends one that Enter accepts: it then puts back what was edited in the history, and nothing of
 * the line is left in its globals. */
void prompt_cancel(struct prompt *p) {
    if (!p->open) return;
    rl_callback_sigcleanup(); /* forgets a half-typed key sequence */
    strbuf_clear(&p->queue);
    p->queue_at = 0;
    strbuf_puts(&p->queue, "\007"); /* bound to end_line */
    while (!p->done && byte_waits()) rl_callback_read_char();
    free(p->accepted);
    p->accepted = NULL;
    close_line(p);
}

void prompt_free(struct prompt *p) {
    if (!p) return;
    prompt_cancel(p);
    for (int i = 0; i < N_KINDS; i++) {
        history_set_history_state(p->history[i]);
        clear_history();
        free(p->history[i]);
    }
    if (p->nowhere) {
        rl_outstream = stdout;
        fclose(p->nowhere);
    }
    strbuf_free(&p->queue);
    strbuf_free(&p->candidates);
    free(p->accepted);
    free(p);
    active = NULL;
}

/* The bytes a terminal sends for a key. */
static void queue_key(struct prompt *p, int key) {
    static const struct {
        int key;
        const char *bytes;
    } map[] = {{KEY_UP_, "\033[A"},   {KEY_DOWN_, "\033[B"},    {KEY_RIGHT_, "\033[C"},  {KEY_LEFT_, "\033[D"},
               {KEY_HOME_, "\033[H"}, {KEY_END_, "\033[F"},     {KEY_TAB, "\t"},         {KEY_ENTER_, "\r"},
               {KEY_ESCAPE, "\033"},  {KEY_BACKSPACE_, "\177"}, {KEY_DELETE_, "\033[3~"}};
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++)
        if (map[i].key == key) {
            strbuf_puts(&p->queue, map[i].bytes);
            return;
        }
    if (key <= 0 || key >= KEY_CODE_BASE) return;
    char bytes[MB_LEN_MAX];
    mbstate_t state = {0};
    const size_t n = wcrtomb(bytes, (wchar_t)key, &state);
    if (n != (size_t)-1) strbuf_add(&p->queue, bytes, n);
}

/* Whether Esc before this key is Alt: only where readline edits with it, so that Esc and the next key in one packet
 * stay two keys. */
static bool is_alt(int next) {
    return next == KEY_BACKSPACE_ || (next > 0 && next < 127 && strchr("bBfFdDuUlLcCtTyY._<>", next));
}

enum prompt_result prompt_key(struct prompt *p, int key, int next) {
    const bool empty = rl_end == 0;
    if (key == KEY_CTRL('c') || key == KEY_CTRL('g') || (key == KEY_ESCAPE && !is_alt(next)) ||
        (key == KEY_BACKSPACE_ && empty)) {
        prompt_cancel(p);
        return PROMPT_CANCELLED;
    }
    if (key != KEY_TAB) strbuf_clear(&p->candidates);
    strbuf_clear(&p->queue);
    p->queue_at = 0;
    queue_key(p, key);
    while (!p->done && byte_waits()) rl_callback_read_char();
    if (!p->done) return PROMPT_GOES_ON;
    if (p->eof) {
        p->accepted = NULL;
        close_line(p);
        return PROMPT_CANCELLED;
    }
    remember(p);
    close_line(p);
    return PROMPT_ACCEPTED;
}

int prompt_draw(const struct prompt *p, struct area row) {
    static const char *const marks[N_KINDS] = {":", "/", "&"};
    const char *line = rl_line_buffer ? rl_line_buffer : "";
    int at = 0;
    char *before = mem_strndup(line, (size_t)rl_point);
    /* Scroll by whole characters until the cursor fits. What lies further back than the row has bytes cannot be in
     * sight: a long paste costs no more than a short line. */
    int start = rl_point > 4 * row.cols ? rl_point - 4 * row.cols : 0;
    while (((unsigned char)before[start] & 0xC0) == 0x80) start++;
    while (text_cells(before + start) > row.cols - 3 && before[start]) do
            start++;
        while (((unsigned char)before[start] & 0xC0) == 0x80);
    area_fill(row, 0, 0, row.cols, " ", ROLE_TEXT, 0);
    at += area_text(row, 0, at, 1, ROLE_HINT_KEY, 0, start ? "<" : marks[p->kind]);
    area_text(row, 0, at, row.cols - at, ROLE_TEXT, 0, line + start);
    at += text_cells(before + start);
    free(before);
    return at;
}

bool prompt_history_path(char *path, size_t size) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int n;
    if (state && state[0] == '/')
        n = snprintf(path, size, "%s/pbkd", state);
    else if (home && home[0] == '/')
        n = snprintf(path, size, "%s/.local/state/pbkd", home);
    else
        return false;
    struct err e;
    if (n < 0 || (size_t)n + 9 > size || !dir_make(path, &e)) return false;
    strcat(path, "/history");
    return true;
}
