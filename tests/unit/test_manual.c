/* The manual may not drift from the program. Its reference stands between `<!-- reference -->` and `<!-- end -->` and is
 * what `pbkd manual --markdown` prints, docs/pbkd.1 is what `pbkd manual --man` prints; both are compared line by line.
 * UPDATE_MANUAL=1 writes them instead (`make manual-tables`). What people wrote is held to what can be checked: every
 * link leads somewhere, every name of an option is one, and lines fit a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "engine/metric/metric.h"
#include "engine/option/option.h"
#include "tui/manual.h"

#define MANUAL "MANUAL.md"
#define PAGE "docs/pbkd.1"
#define START "<!-- reference -->\n"
#define END "<!-- end -->"
enum { COLUMNS = 100, LONGEST_LINE = 4096 };

static bool updating(void) { return getenv("UPDATE_MANUAL") != NULL; }

static char *read_text(const char *path) {
    size_t len;
    char *text;
    struct err e;
    if (!file_read_all(path, 1 << 20, &text, &len, &e)) fail_msg("%s", e.msg);
    char *copy = mem_strdup(text);
    mem_free(text);
    return copy;
}

static void write_text(const char *path, const struct strbuf *b) {
    struct err e;
    if (!atomic_write(path, b->s, b->len, &e)) fail_msg("%s", e.msg);
}

static void check_lines(const char *path, const char *got, size_t len, const char *want) {
    const char *end = got + len;
    for (int line = 1; *want || got < end; line++) {
        const size_t n = strcspn(want, "\n"), m = got < end ? strcspn(got, "\n") : 0;
        if (n != m || memcmp(want, got, n) != 0)
            fail_msg("%s differs at line %d of what is generated (make manual-tables writes it):\n- %.*s\n+ %.*s", path,
                     line, (int)m, got, (int)n, want);
        want += n + (want[n] == '\n');
        got += got < end ? m + 1 : 0;
    }
}

static void reference_is_the_programs(void **state) {
    (void)state;
    char *manual = read_text(MANUAL), *start = strstr(manual, START), *end = start ? strstr(start, END) : NULL;
    if (!end) fail_msg("%s has no reference between %.*s and %s", MANUAL, (int)strlen(START) - 1, START, END);
    start += strlen(START);
    struct strbuf want = {0}, b = {0};
    manual_markdown(&want);
    if (updating()) {
        strbuf_add(&b, manual, (size_t)(start - manual));
        strbuf_add(&b, want.s, want.len);
        strbuf_puts(&b, end);
        write_text(MANUAL, &b);
    } else {
        check_lines(MANUAL, start, (size_t)(end - start), strbuf_str(&want));
    }
    strbuf_free(&want);
    strbuf_free(&b);
    free(manual);
}

static void page_is_the_programs(void **state) {
    (void)state;
    struct strbuf want = {0};
    manual_man(&want);
    if (updating()) {
        write_text(PAGE, &want);
    } else {
        char *page = read_text(PAGE);
        check_lines(PAGE, page, strlen(page), strbuf_str(&want));
        free(page);
    }
    strbuf_free(&want);
}

/* ---- what people wrote ---- */

static int characters(const char *line) {
    int n = 0;
    for (; *line; line++) n += ((unsigned char)*line & 0xC0) != 0x80;
    return n;
}

/* Call fn with every line; code tells those of code blocks. */
static void each_line(const char *text, void (*fn)(const char *line, int number, bool code, void *ctx), void *ctx) {
    bool fenced = false;
    for (int number = 1; *text; number++) {
        char line[LONGEST_LINE];
        const size_t n = strcspn(text, "\n");
        assert_true(n < sizeof line);
        memcpy(line, text, n);
        line[n] = '\0';
        const bool fence = strncmp(line, "```", 3) == 0;
        fn(line, number, fenced || fence || strncmp(line, "    ", 4) == 0, ctx);
        fenced ^= fence;
        text += n + (text[n] == '\n');
    }
}

static void check_width(const char *line, int number, bool code, void *ctx) {
    (void)ctx;
    if (!code && line[0] != '|' && characters(line) > COLUMNS)
        fail_msg("%s:%d has %d characters; %d fit a terminal: %s", MANUAL, number, characters(line), COLUMNS, line);
}

static void lines_fit(void **state) {
    (void)state;
    char *manual = read_text(MANUAL);
    each_line(manual, check_width, NULL);
    free(manual);
}

/* A heading as a link names it: small letters, blanks as hyphens, without punctuation. */
static void slug(const char *title, char *out) {
    for (; *title; title++) {
        if (*title == ' ')
            *out++ = '-';
        else if (isalnum((unsigned char)*title) || *title == '-' || *title == '_' || (unsigned char)*title >= 0x80)
            *out++ = (char)tolower((unsigned char)*title);
    }
    *out = '\0';
}

struct wanted {
    const char *slug;
    bool found;
};

static void match_heading(const char *line, int number, bool code, void *ctx) {
    (void)number;
    struct wanted *w = ctx;
    char name[LONGEST_LINE];
    if (code || line[0] != '#') return;
    slug(line + strspn(line, "# "), name);
    w->found |= strcmp(name, w->slug) == 0;
}

static void links_lead_somewhere(void **state) {
    (void)state;
    char *manual = read_text(MANUAL);
    int n = 0;
    for (const char *p = manual; (p = strstr(p, "](")); n++) {
        char to[256];
        p += 2;
        snprintf(to, sizeof to, "%.*s", (int)strcspn(p, ")"), p);
        struct wanted w = {to + 1, false};
        if (to[0] == '#') {
            each_line(manual, match_heading, &w);
            if (!w.found) fail_msg("%s links to %s, which is no heading of it", MANUAL, to);
        } else if (!strstr(to, "://") && !file_exists(to)) {
            fail_msg("%s links to %s, which is not there", MANUAL, to);
        }
    }
    assert_true(n >= 10); /* the contents */
    free(manual);
}

static bool is_name(const char *text) {
    return option_find(text) || metric_find(text) >= 0;
}

/* Whether an option's name starts like this one, up to the dot; files (`student.gguf`) do too. */
static bool is_group(const char *text) {
    static const char *const endings[] = {".gguf", ".json", ".jsonl", ".db", ".txt", ".csv", ".svg", ".md"};
    const size_t n = strcspn(text, ".") + 1;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (strcmp(strrchr(text, '.'), endings[i]) == 0) return false;
    for (int i = 0; i < N_OPTIONS; i++)
        if (strncmp(OPTIONS[i].name, text, n) == 0) return true;
    return false;
}

/* `game.rounds`, `game.rounds=5`: the name must be one of an option or a metric. */
static void names_are_known(void **state) {
    (void)state;
    char *manual = read_text(MANUAL);
    int n = 0;
    for (const char *p = strchr(manual, '`'); p; p = strchr(p, '`')) {
        char name[128];
        p++;
        const size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyz_.");
        const char after = p[len];
        if (len < sizeof name && (after == '`' || after == '=') && memchr(p, '.', len)) {
            snprintf(name, sizeof name, "%.*s", (int)len, p);
            if (is_group(name) && !is_name(name))
                fail_msg("%s speaks of `%s`, which is neither an option nor a metric", MANUAL, name);
            n += is_group(name);
        }
        p = strchr(p, '`');
        if (!p) break;
        p++;
    }
    assert_true(n > 50);
    free(manual);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_is_the_programs),
        cmocka_unit_test(page_is_the_programs),
        cmocka_unit_test(lines_fit),
        cmocka_unit_test(links_lead_somewhere),
        cmocka_unit_test(names_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
