/* Options whose text is a list of items with commas between them, and those that name files, alone or as such a
 * list. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/strbuf.h"
#include "engine/option/option.h"

static const char BLANKS[] = " \t";

int option_list_length(const char *list) {
    int n = list[strspn(list, BLANKS)] != '\0';
    for (const char *c = list; *c; c++) n += *c == ',';
    return n;
}

bool option_list_item(const char *list, int i, char *out, size_t size) {
    if (i < 0 || i >= option_list_length(list)) return false;
    while (i-- > 0) list = strchr(list, ',') + 1;
    list += strspn(list, BLANKS);
    size_t n = strcspn(list, ",");
    while (n > 0 && strchr(BLANKS, list[n - 1])) n--;
    snprintf(out, size, "%.*s", (int)n, list);
    return true;
}

static bool add_full_path(struct strbuf *b, const char *path, struct err *e) {
    char *full = realpath(path, NULL);
    if (!full) return err_errno(e, "%s", path);
    strbuf_puts(b, full);
    free(full);
    return true;
}

/* A path, or a list of them: without commas a list of one. */
static bool add_full_paths(struct strbuf *b, const char *text, bool list, struct err *e) {
    char item[OPTION_TEXT_MAX];
    if (!list) return add_full_path(b, text, e);
    for (int i = 0; option_list_item(text, i, item, sizeof item); i++) {
        if (i > 0) strbuf_putc(b, ',');
        if (!add_full_path(b, item, e)) return false;
    }
    return true;
}

bool options_full_paths(struct options *o, struct err *e) {
    for (int i = 0; i < N_OPTIONS; i++) {
        char *text = (char *)o + OPTIONS[i].offset;
        if (OPTIONS[i].file == OPTION_NO_FILE || !text[0]) continue;
        struct strbuf b = {0};
        bool ok = add_full_paths(&b, text, OPTIONS[i].file == OPTION_FILES, e);
        if (ok && b.len >= OPTION_TEXT_MAX)
            ok = err_set(e, "\"%.80s\" written out in full is longer than %d bytes", text, OPTION_TEXT_MAX - 1);
        if (ok) snprintf(text, OPTION_TEXT_MAX, "%s", strbuf_str(&b));
        strbuf_free(&b);
        if (!ok) return err_wrap(e, "%s", OPTIONS[i].name);
    }
    return true;
}
