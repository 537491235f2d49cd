/* The manual's reference, made by the program from its own tables: verbs with their flags, keys, commands, views,
 * options, metrics, algorithms, labellers, failure signatures, kinds of study; and what the program has to say about
 * files, environment and exit status. The tables are walked once (manual.c); how a heading, a paragraph and a table
 * look is a matter of the format: Markdown for MANUAL.md, man macros for docs/pbkd.1. Change a text where its table
 * stands, never in the two files: tests/unit/test_manual.c compares them with what is made here. */
#ifndef PBKD_TUI_MANUAL_H
#define PBKD_TUI_MANUAL_H

#include <stdbool.h>

#include "engine/base/strbuf.h"

enum { MANUAL_COLUMNS_MAX = 5 };

struct manual_table {
    int n_columns;
    struct {
        const char *title;
        bool code; /* cells are typed or read as they stand */
    } column[MANUAL_COLUMNS_MAX];
    int meaning; /* the column that says what the first one is: running text */
};

struct manual_format {
    /* Level 1: a chapter, 2: a section of it. The title may hold `code`. */
    void (*heading)(struct strbuf *b, int level, const char *title);
    /* Running text; `code` stands between backticks. */
    void (*paragraph)(struct strbuf *b, const char *text);
    void (*table)(struct strbuf *b, const struct manual_table *t); /* what stands before the rows */
    void (*row)(struct strbuf *b, const struct manual_table *t, const char *const *cell);
    void (*end)(struct strbuf *b); /* what stands after the rows */
};
extern const struct manual_format MANUAL_MARKDOWN, MANUAL_MAN;

/* Every chapter of the reference, in order. */
void manual_chapters(const struct manual_format *f, struct strbuf *b);

/* `pbkd manual --markdown`: the reference part of MANUAL.md. */
void manual_markdown(struct strbuf *b);
/* `pbkd manual --man`: the whole page pbkd(1). */
void manual_man(struct strbuf *b);

/* For the formats: append text, broken at blanks into lines of at most `columns` characters where that can be; the last
 * line ends with a newline. */
void manual_wrap(struct strbuf *b, const char *text, int columns);

#endif
