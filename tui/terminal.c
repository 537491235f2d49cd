/* The terminal: see terminal.h.
 *
 * Colours are taken from the fixed 6x6x6 cube only (the first 16 and their greys belong to the person's theme) and are
 * chosen to be readable on dark and on light: the background stays the terminal's own. Where 256 colours are missing
 * the eight standard ones stand in; with NO_COLOR or without colours roles differ by attributes. */
#include "tui/terminal.h"

/* The wide-character calls of curses need this name on every system. */
#ifndef NCURSES_WIDECHAR
#define NCURSES_WIDECHAR 1
#endif
#include <curses.h>
#include <term.h>

#include <langinfo.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <utf8proc.h>
#include <wchar.h>

#include "engine/base/mem.h"
#include "tui/signals.h"
#include "views/view.h"

struct role_look {
    short cube, basic; /* colour with 256 and with 8 colours; -1 the terminal's own */
    attr_t always, mono;
};

static const struct role_look LOOKS[N_ROLES] = {
    [ROLE_TEXT] = {-1, -1, 0, 0},
    [ROLE_DIM] = {102, -1, 0, A_DIM},
    [ROLE_TITLE] = {-1, -1, 0, 0},
    [ROLE_TITLE_FOCUS] = {-1, -1, A_BOLD, A_BOLD},
    [ROLE_HEADER] = {-1, -1, 0, 0},
    [ROLE_HINT_KEY] = {-1, -1, A_BOLD, A_BOLD},
    [ROLE_HINT] = {102, -1, 0, 0},
    [ROLE_GOOD] = {71, COLOR_GREEN, 0, 0},
    [ROLE_WARNING] = {172, COLOR_YELLOW, A_BOLD, A_BOLD},
    [ROLE_ERROR] = {160, COLOR_RED, A_BOLD, A_BOLD | A_UNDERLINE},
    [ROLE_A] = {33, COLOR_BLUE, 0, A_BOLD},
    [ROLE_B] = {166, COLOR_YELLOW, 0, A_UNDERLINE},
    [ROLE_TEACHER] = {71, COLOR_GREEN, 0, A_BOLD},
    [ROLE_STUDENT] = {133, COLOR_MAGENTA, 0, 0},
    [ROLE_SERIES1] = {33, COLOR_BLUE, 0, A_BOLD},
    [ROLE_SERIES2] = {166, COLOR_YELLOW, 0, 0},
    [ROLE_SERIES3] = {71, COLOR_GREEN, 0, A_DIM},
    [ROLE_SERIES4] = {133, COLOR_MAGENTA, 0, A_UNDERLINE},
    [ROLE_BAND] = {67, COLOR_CYAN, 0, A_DIM},
    [ROLE_AXIS] = {102, -1, 0, 0},
    [ROLE_MARK] = {161, COLOR_RED, A_BOLD, A_BOLD},
    [ROLE_SELECTED] = {-1, -1, A_REVERSE, A_REVERSE},
    [ROLE_ADDED] = {71, COLOR_GREEN, 0, A_BOLD},
    [ROLE_REMOVED] = {160, COLOR_RED, A_UNDERLINE, A_UNDERLINE},
};

struct terminal {
    SCREEN *screen;
    WINDOW *keys; /* a pad: reading from it does not refresh the screen */
    enum glyphs glyphs;
    bool utf8, mouse, cursor;
    mbstate_t character; /* bytes of one that has not arrived in full */
    attr_t attr[N_ROLES];
    short pair[N_ROLES];
    struct canvas shown; /* what curses was given last */
    bool stale;          /* shown cannot be trusted */
};

bool terminal_can_draw(void) {
    int status;
    TERMINAL *before = cur_term;
    if (setupterm(NULL, STDOUT_FILENO, &status) != OK) return false;
    const char *move = tigetstr("cup");
    const bool can = move != NULL && move != (char *)-1;
    TERMINAL *probe = set_curterm(before);
    del_curterm(probe);
    return can;
}

static enum glyphs choose_glyphs(bool ascii, bool utf8) {
    if (ascii || !utf8) return GLYPHS_ASCII;
    /* The Linux console's font has blocks but no braille. */
    const char *term = getenv("TERM");
    return term && strcmp(term, "linux") == 0 ? GLYPHS_BLOCKS : GLYPHS_BRAILLE;
}

static void choose_looks(struct terminal *t) {
    const char *no_color = getenv("NO_COLOR");
    const bool color = !(no_color && *no_color) && has_colors() && start_color() == OK && use_default_colors() == OK;
    for (short r = 0; r < (short)N_ROLES; r++) {
        const struct role_look *l = &LOOKS[r];
        const short number = COLORS >= 256 ? l->cube : l->basic;
        t->attr[r] = color ? l->always : l->always | l->mono;
        if (!color || number < 0) continue;
        t->pair[r] = (short)(r + 1);
        if (init_pair(t->pair[r], number, -1) != OK) t->pair[r] = 0;
    }
}

/* Append a capability's text, without the padding marks "$<5>" that only curses understands. */
static size_t add_capability(char *out, size_t len, size_t size, const char *name) {
    const char *s = tigetstr(name);
    if (!s || s == (char *)-1) return len;
    while (*s && len + 1 < size) {
        if (s[0] == '$' && s[1] == '<' && strchr(s, '>'))
            s = strchr(s, '>') + 1;
        else
            out[len++] = *s++;
    }
    return len;
}

/* What a crash must write: attributes off, keypad off, cursor on, other screen, mouse off. */
static void arm_rescue(const struct termios *settings) {
    static const char *const names[] = {"sgr0", "rmkx", "cnorm", "rmcup"};
    static const char mouse_off[] = "\033[?1000l\033[?1002l\033[?1003l\033[?1006l";
    char text[256];
    size_t len = 0;
    if (tigetstr("kmous") && tigetstr("kmous") != (char *)-1) {
        memcpy(text, mouse_off, sizeof mouse_off - 1);
        len = sizeof mouse_off - 1;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) len = add_capability(text, len, sizeof text, names[i]);
    signals_set_rescue(STDOUT_FILENO, settings, text, len);
}

struct terminal *terminal_open(bool ascii, struct err *e) {
    struct termios before;
    const bool known = tcgetattr(STDIN_FILENO, &before) == 0;
    set_escdelay(25);
    SCREEN *screen = newterm(NULL, stdout, stdin);
    if (!screen) {
        err_set(e, "cannot use the terminal (TERM=%s)", getenv("TERM") ? getenv("TERM") : "");
        return NULL;
    }
    set_term(screen);
    struct terminal *t = mem_small(sizeof *t);
    t->screen = screen;
    t->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    t->glyphs = choose_glyphs(ascii, t->utf8);
    if (known) arm_rescue(&before);
    raw(); /* ^C, ^Z and ^\ are keys here: what they do is shown and can be answered */
    noecho();
    nonl();
    curs_set(0);
    choose_looks(t);
    t->keys = newpad(1, 1);
    keypad(t->keys, TRUE);
    nodelay(t->keys, TRUE);
    t->stale = true;
    signals_install_terminal();
    return t;
}

void terminal_close(struct terminal *t) {
    if (!t) return;
    terminal_mouse(t, false);
    curs_set(1);
    endwin();
    signals_set_rescue(-1, NULL, NULL, 0);
    delwin(t->keys);
    delscreen(t->screen);
    canvas_free(&t->shown);
    free(t);
}

void terminal_size(const struct terminal *t, int *rows, int *cols) {
    (void)t;
    getmaxyx(stdscr, *rows, *cols);
}

enum glyphs terminal_glyphs(const struct terminal *t) { return t->glyphs; }

bool terminal_resize(struct terminal *t) {
    struct winsize w;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_row == 0 || w.ws_col == 0) return false;
    if (w.ws_row == LINES && w.ws_col == COLS) return false;
    resize_term(w.ws_row, w.ws_col);
    terminal_redraw(t);
    return true;
}

/* The cell's text as curses takes it. A character that the locale cannot show, or that curses measures differently than
 * the canvas did, would shift the rest of the row: it becomes as many '?'. */
static void to_wide(const struct terminal *t, const struct cell *c, wchar_t out[CCHARW_MAX + 1]) {
    int n = 0, width = 0;
    const utf8proc_uint8_t *s = (const utf8proc_uint8_t *)c->text;
    for (utf8proc_ssize_t left = (utf8proc_ssize_t)strlen(c->text), used; left > 0 && n < CCHARW_MAX;
         left -= used, s += used) {
        utf8proc_int32_t cp;
        used = utf8proc_iterate(s, left, &cp);
        if (used <= 0 || cp < 32 || cp == 127 || (!t->utf8 && cp > 126)) {
            n = 0;
            break;
        }
        const int w = wcwidth((wchar_t)cp);
        if (n > 0 && w != 0) break; /* a grapheme of several wide parts: curses cells hold one */
        out[n++] = (wchar_t)cp;
        width += w;
    }
    if (n == 0 || width != c->width) {
        out[0] = c->text[0] == ' ' || c->text[0] == '\0' ? L' ' : L'?';
        n = 1;
    }
    out[n] = L'\0';
}

static void put_cell(const struct terminal *t, int row, int col, const struct cell *c) {
    wchar_t text[CCHARW_MAX + 1];
    cchar_t cc;
    to_wide(t, c, text);
    const int role = c->role < N_ROLES ? c->role : ROLE_TEXT;
    attr_t attr = t->attr[role];
    if (c->attr & ATTR_BOLD) attr |= A_BOLD;
    if (c->attr & ATTR_REVERSE) attr ^= A_REVERSE;
    if (c->attr & ATTR_UNDERLINE) attr |= A_UNDERLINE;
    setcchar(&cc, text, attr, t->pair[role], NULL);
    mvadd_wch(row, col, &cc);
    /* '?' for a wide character leaves its second cell to be filled. */
    if (c->width == 2 && wcwidth(text[0]) == 1 && col + 1 < COLS) mvadd_wch(row, col + 1, &cc);
}

static bool same_cell(const struct cell *a, const struct cell *b) {
    return a->role == b->role && a->attr == b->attr && a->width == b->width && strcmp(a->text, b->text) == 0;
}

/* Make the record of what is shown as large as c; contents are then unknown. */
static void match_size(struct terminal *t, const struct canvas *c) {
    if (t->shown.rows == c->rows && t->shown.cols == c->cols) return;
    canvas_free(&t->shown);
    canvas_init(&t->shown, c->rows, c->cols, c->glyphs);
    t->stale = true;
}

void terminal_show(struct terminal *t, const struct canvas *c, int row, int col) {
    match_size(t, c);
    if (t->stale) clear();
    const int rows = c->rows < LINES ? c->rows : LINES, cols = c->cols < COLS ? c->cols : COLS;
    for (int y = 0; y < rows; y++)
        for (int x = 0; x < cols; x++) {
            const struct cell *now = &c->cell[y * c->cols + x];
            struct cell *old = &t->shown.cell[y * c->cols + x];
            if (!t->stale && same_cell(now, old)) continue;
            *old = *now;
            if (now->text[0]) put_cell(t, y, x, now);
        }
    t->stale = false;
    const bool cursor = row >= 0 && row < rows && col >= 0 && col < cols;
    if (cursor != t->cursor) curs_set(cursor ? 1 : 0);
    t->cursor = cursor;
    if (cursor) move(row, col);
    refresh();
}

void terminal_redraw(struct terminal *t) { t->stale = true; }

static int special_key(int k) {
    static const struct {
        int curses, key;
    } map[] = {{KEY_UP, KEY_UP_},       {KEY_DOWN, KEY_DOWN_},    {KEY_LEFT, KEY_LEFT_},
               {KEY_RIGHT, KEY_RIGHT_}, {KEY_PPAGE, KEY_PAGE_UP}, {KEY_NPAGE, KEY_PAGE_DOWN},
               {KEY_HOME, KEY_HOME_},   {KEY_END, KEY_END_},      {KEY_BTAB, KEY_BACK_TAB},
               {KEY_ENTER, KEY_ENTER_}, {KEY_DC, KEY_DELETE_},    {KEY_BACKSPACE, KEY_BACKSPACE_}};
    if (k >= KEY_F(1) && k <= KEY_F(12)) return KEY_F1_ + k - KEY_F(1);
    if (k == KEY_MOUSE) {
        MEVENT m;
        if (getmouse(&m) != OK) return KEY_CODE_NONE;
        return m.bstate & BUTTON4_PRESSED ? KEY_UP_ : m.bstate & BUTTON5_PRESSED ? KEY_DOWN_ : KEY_CODE_NONE;
    }
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++)
        if (map[i].curses == k) return map[i].key;
    return KEY_CODE_NONE;
}

/* The character that a byte ends, 0 when it ends none. A byte that fits nowhere is dropped alone: what came before it
 * too, but never what follows. (curses' own wget_wch goes on collecting until nothing waits, and drops it all.) */
static wchar_t take_byte(struct terminal *t, char byte) {
    wchar_t c = 0;
    const bool inside = !mbsinit(&t->character);
    size_t n = mbrtowc(&c, &byte, 1, &t->character);
    if (n == (size_t)-1) t->character = (mbstate_t){0};
    if (n == (size_t)-1 && inside) n = mbrtowc(&c, &byte, 1, &t->character);
    if (n == (size_t)-1) t->character = (mbstate_t){0};
    return n == 1 ? c : 0;
}

int terminal_key(struct terminal *t) {
    for (int k; (k = wgetch(t->keys)) != ERR;) {
        if (k > UCHAR_MAX) {
            t->character = (mbstate_t){0};
            const int key = special_key(k);
            if (key != KEY_CODE_NONE) return key;
            continue; /* a key nobody knows, or the wheel's release */
        }
        const wchar_t c = take_byte(t, (char)k);
        switch (c) {
        case 0: continue;
        case '\t': return KEY_TAB;
        case '\r':
        case '\n': return KEY_ENTER_;
        case 27: return KEY_ESCAPE;
        case 8:
        case 127: return KEY_BACKSPACE_;
        default: return (int)c;
        }
    }
    return KEY_CODE_NONE;
}

void terminal_suspend(struct terminal *t) {
    const bool mouse = t->mouse;
    terminal_mouse(t, false);
    t->mouse = mouse;
    curs_set(1);
    endwin();
}

void terminal_resume(struct terminal *t) {
    raw();
    refresh();
    t->cursor = true;
    curs_set(0);
    t->cursor = false;
    terminal_mouse(t, t->mouse);
    terminal_redraw(t);
    terminal_resize(t);
}

void terminal_mouse(struct terminal *t, bool on) {
    t->mouse = on;
    mousemask(on ? BUTTON4_PRESSED | BUTTON5_PRESSED : 0, NULL);
}
