/* The reference as Markdown: see manual.h. The headings stand below MANUAL.md's own `## Reference`. */
#include <string.h>

#include "tui/manual.h"

enum { COLUMNS = 100 };

static void heading(struct strbuf *b, int level, const char *title) {
    strbuf_printf(b, "\n%.*s %s\n", level + 2, "#####", title);
}

static void paragraph(struct strbuf *b, const char *text) {
    strbuf_putc(b, '\n');
    manual_wrap(b, text, COLUMNS);
}

static void table(struct strbuf *b, const struct manual_table *t) {
    strbuf_puts(b, "\n|");
    for (int i = 0; i < t->n_columns; i++) strbuf_printf(b, " %s |", t->column[i].title);
    strbuf_puts(b, "\n|");
    for (int i = 0; i < t->n_columns; i++) strbuf_puts(b, "---|");
    strbuf_putc(b, '\n');
}

/* A bar would end the cell, a star could start emphasis. */
static void cell(struct strbuf *b, const char *text, bool code) {
    if (!text[0]) {
        strbuf_puts(b, "  |");
        return;
    }
    strbuf_puts(b, code ? " `" : " ");
    for (; *text; text++) {
        if (*text == '|' || (*text == '*' && !code)) strbuf_putc(b, '\\');
        strbuf_putc(b, *text);
    }
    strbuf_puts(b, code ? "` |" : " |");
}

static void row(struct strbuf *b, const struct manual_table *t, const char *const *text) {
    strbuf_putc(b, '|');
    for (int i = 0; i < t->n_columns; i++) cell(b, text[i], t->column[i].code);
    strbuf_putc(b, '\n');
}

static void end(struct strbuf *b) { (void)b; }

const struct manual_format MANUAL_MARKDOWN = {heading, paragraph, table, row, end};

void manual_markdown(struct strbuf *b) {
    strbuf_puts(b, "## Reference\n");
    paragraph(b, "Made by `pbkd manual --markdown` from the program's own tables, as is the page `man pbkd`.");
    manual_chapters(&MANUAL_MARKDOWN, b);
}
