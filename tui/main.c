/* Entry point: the locale, then the table of verbs. Numbers keep the C locale, because files and options use a point in
 * every language. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/math/matmul.h"
#include "tui/safe_text.h"
#include "tui/verbs.h"

int main(int argc, char **argv) {
    setlocale(LC_ALL, "");
    setlocale(LC_NUMERIC, "C");
    struct err e;
    if (!matmul_use(getenv("PBKD_MATMUL"), &e)) {
        safe_printf(stderr, "pbkd: PBKD_MATMUL: %s\n", e.msg);
        return EXIT_USAGE;
    }
    const int code = verbs_main(argc, argv);
    /* A full disk or a closed pipe behind standard output must not look like success. */
    if (fflush(stdout) != 0 && code == EXIT_DONE) {
        safe_printf(stderr, "pbkd: standard output: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    return code;
}
