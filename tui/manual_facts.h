/* What no table of the program says: files, environment, exit status, examples. Rows of (what, meaning), each list ended
 * by NULL. */
#ifndef PBKD_TUI_MANUAL_FACTS_H
#define PBKD_TUI_MANUAL_FACTS_H

struct manual_fact {
    const char *what, *meaning;
};
extern const struct manual_fact MANUAL_EXIT_STATUS[], MANUAL_ENVIRONMENT[], MANUAL_FILES[], MANUAL_EXAMPLES[];

#endif
