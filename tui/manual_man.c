/* The manual as a page for man(1): see manual.h. Written for groff and mandoc alike: the macros of man(7), and every
 * character that troff would make a typographic one of (quotes, carets, tildes, minus signs) named, so that what is
 * read can be copied into a shell. */
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#include "tui/manual.h"
#include "tui/verbs.h"

enum { COLUMNS = 78 };

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* What stands for one character of text; *bold follows the backticks around code. Returns its bytes. */
static size_t put_character(struct strbuf *b, const char *text, char before, bool *bold) {
    const char c = *text;
    utf8proc_int32_t code;
    if ((unsigned char)c >= 0x80) {
        const utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)strlen(text), &code);
        strbuf_printf(b, "\\[u%04X]", n > 0 ? (unsigned)code : 0xFFFDu);
        return n > 0 ? (size_t)n : 1;
    }
    const bool hyphen = is_letter(before) && is_letter(text[1]) && !*bold; /* in a word, where a line may break */
    switch (c) {
    case '`': strbuf_puts(b, (*bold = !*bold) ? "\\fB" : "\\fR"); break;
    case '\\': strbuf_puts(b, "\\e"); break;
    case '^': strbuf_puts(b, "\\(ha"); break;
    case '~': strbuf_puts(b, "\\(ti"); break;
    case '\'': strbuf_puts(b, "\\(aq"); break;
    case '"': strbuf_puts(b, "\\(dq"); break;
    case '-': strbuf_puts(b, hyphen ? "-" : "\\-"); break;
    default: strbuf_putc(b, c);
    }
    return 1;
}

/* Text for the page, on one line. A word that begins with a dot could become a request at the start of a line. */
static void escaped(struct strbuf *b, const char *text, bool code) {
    bool bold = code;
    char before = ' ';
    if (code) strbuf_puts(b, "\\fB");
    while (*text) {
        if (*text == '.' && before == ' ') strbuf_puts(b, "\\&");
        const size_t n = put_character(b, text, before, &bold);
        before = *text;
        text += n;
    }
    if (bold) strbuf_puts(b, "\\fR");
}

static void running(struct strbuf *b, const char *text) {
    struct strbuf line = {0};
    escaped(&line, text, false);
    manual_wrap(b, strbuf_str(&line), COLUMNS);
    strbuf_free(&line);
}

static void heading(struct strbuf *b, int level, const char *title) {
    strbuf_puts(b, level == 1 ? ".SH " : ".SS ");
    struct strbuf line = {0};
    escaped(&line, title, false);
    for (size_t i = 0; i < line.len && level == 1; i++)
        if (line.s[i] >= 'a' && line.s[i] <= 'z') line.s[i] = (char)(line.s[i] - 'a' + 'A');
    strbuf_printf(b, "%s\n", strbuf_str(&line));
    strbuf_free(&line);
}

/* The first paragraph after a heading needs no macro of its own. */
static bool after_heading(const struct strbuf *b) {
    const char *line = b->s + b->len - (b->len > 0);
    while (line > b->s && line[-1] != '\n') line--;
    return b->len > 0 && (strncmp(line, ".SH", 3) == 0 || strncmp(line, ".SS", 3) == 0);
}

static void paragraph(struct strbuf *b, const char *text) {
    if (!after_heading(b)) strbuf_puts(b, ".PP\n");
    running(b, text);
}

static void table(struct strbuf *b, const struct manual_table *t) { (void)b, (void)t; }

/* The columns beside the meaning, below it: "default: 20; bounds: 0 to 100; takes effect: next step". */
static void other_columns(struct strbuf *b, const struct manual_table *t, const char *const *text) {
    bool any = false;
    for (int i = 1; i < t->n_columns; i++) {
        if (i == t->meaning || !text[i][0]) continue;
        strbuf_printf(b, "%s\\fI%s\\fR: ", any ? ";\n" : ".br\n", t->column[i].title);
        escaped(b, text[i], t->column[i].code);
        any = true;
    }
    if (any) strbuf_putc(b, '\n');
}

static void row(struct strbuf *b, const struct manual_table *t, const char *const *text) {
    strbuf_puts(b, ".TP\n");
    escaped(b, text[0], true);
    strbuf_putc(b, '\n');
    running(b, text[t->meaning]);
    other_columns(b, t, text);
}

static void end(struct strbuf *b) { (void)b; }

const struct manual_format MANUAL_MAN = {heading, paragraph, table, row, end};

static void synopsis(struct strbuf *b) {
    for (int i = 0; i < N_VERBS; i++) {
        char name[80];
        snprintf(name, sizeof name, "pbkd%s%s", VERBS[i]->name[0] ? " " : "", VERBS[i]->name);
        escaped(b, name, true);
        strbuf_puts(b, VERBS[i]->arguments[0] ? " " : "");
        escaped(b, VERBS[i]->arguments, false);
        strbuf_printf(b, "%s\n%s", VERBS[i]->args->name ? " [FLAGS]" : "", i + 1 < N_VERBS ? ".br\n" : "");
    }
}

void manual_man(struct strbuf *b) {
    strbuf_printf(b, ".\\\" Made by `pbkd manual --man`; do not edit.\n.TH PBKD 1 \"\" \"pbkd %s\" \"User Commands\"\n",
                  PBKD_VERSION);
    strbuf_puts(b, ".nh\n.ad l\n"); /* the names of options are neither broken nor stretched */
    heading(b, 1, "Name");
    strbuf_puts(b, "pbkd \\- workbench for preference-based knowledge distillation\n");
    heading(b, 1, "Synopsis");
    synopsis(b);
    heading(b, 1, "Description");
    running(b, "pbkd trains a small language model, the student, to answer like a larger one, the teacher. Pairs of "
               "their answers are labelled with which is better; every reward that explains these preferences almost "
               "as well as the best fit might be the true one, and the student closes its gap to the teacher under "
               "the worst of them. The game is watched live on the terminal: gaps, reward, preferences and "
               "the newest pairs are drawn as they come, a person may label pairs in between, change options, pause, "
               "and resume after any interruption.");
    paragraph(b, "`pbkd` without a verb opens the workbench on the newest run. When standard input or output is no "
                 "terminal, everything works as text. What the game is and how its screens are read stands in "
                 "MANUAL.md.");
    manual_chapters(&MANUAL_MAN, b);
    heading(b, 1, "See also");
    running(b, "MANUAL.md, installed under share/doc/pbkd; arXiv 2505.18952, which the game comes from.");
}
