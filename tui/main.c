/* Entry point: the locale, then the table of verbs. Numbers keep the C locale, because files and options use a point in
 * every language. */
#include <locale.h>
#include <stdio.h>

#include "tui/verbs.h"

int main(int argc, char **argv) {
    setlocale(LC_ALL, "");
    setlocale(LC_NUMERIC, "C");
    const int code = verbs_main(argc, argv);
    /* A full disk or a closed pipe behind standard output must not look like success. */
    if (fflush(stdout) != 0 && code == EXIT_DONE) {
        perror("pbkd: standard output");
        return EXIT_FAILED;
    }
    return code;
}
