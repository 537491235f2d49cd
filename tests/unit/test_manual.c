/* The manual may not drift from the tables in the source: every option's row (default, bounds, when, help) and every metric must stand in it as the tables say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "engine/game/series.h"
#include "engine/option/option.h"
#include "tui/verbs.h"

static char *manual;

static int read_manual(void **state) {
    (void)state;
    size_t len;
    struct err e;
    return file_read_all("MANUAL.md", 1 << 20, &manual, &len, &e) ? 0 : -1;
}

static int free_manual(void **state) {
    (void)state;
    mem_free(manual);
    return 0;
}

static void must_say(const char *text) {
    if (!strstr(manual, text)) fail_msg("MANUAL.md does not say: %s", text);
}

static void options_are_described(void **state) {
    (void)state;
    struct options o;
    options_default(&o);
    for (int i = 0; i < N_OPTIONS; i++) {
        char row[2048], value[OPTION_TEXT_MAX];
        option_format(&o, &OPTIONS[i], value, sizeof value);
        snprintf(row, sizeof row, "| `%s` | %s%.200s%s |", OPTIONS[i].name, value[0] ? "`" : "", value[0] ? value : "(empty)", value[0] ? "`" : "");
        must_say(row);
        snprintf(row, sizeof row, "| %s | %s |", option_when_text(OPTIONS[i].when), OPTIONS[i].help);
        must_say(row);
    }
}

static void metrics_are_described(void **state) {
    (void)state;
    for (int i = 0; i < N_SERIES; i++) {
        char row[512];
        snprintf(row, sizeof row, "| `%s` | %s | %s |", series_name((enum series_id)i), series_unit((enum series_id)i),
                 series_help((enum series_id)i));
        must_say(row);
    }
}

static void verbs_are_described(void **state) {
    (void)state;
    for (int i = 0; i < N_VERBS; i++) {
        char name[64];
        snprintf(name, sizeof name, "`pbkd%s%s", VERBS[i].name[0] ? " " : "", VERBS[i].name);
        must_say(name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(options_are_described), cmocka_unit_test(metrics_are_described),
                                       cmocka_unit_test(verbs_are_described)};
    return cmocka_run_group_tests(tests, read_manual, free_manual);
}
