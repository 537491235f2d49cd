/* Names of keys: see key_names.h. */
#include "tui/key_names.h"

#include <string.h>
#include <utf8proc.h>

#include "views/view.h"

static const struct {
    const char *name;
    int key;
} NAMES[] = {{"Tab", KEY_TAB},      {"S-Tab", KEY_BACK_TAB}, {"BS", KEY_BACKSPACE_}, {"Del", KEY_DELETE_},
             {"Enter", KEY_ENTER_}, {"Esc", KEY_ESCAPE},     {"Up", KEY_UP_},        {"Down", KEY_DOWN_},
             {"Left", KEY_LEFT_},   {"Right", KEY_RIGHT_},   {"Home", KEY_HOME_},    {"End", KEY_END_},
             {"PgUp", KEY_PAGE_UP}, {"PgDn", KEY_PAGE_DOWN}, {"Space", ' '},         {"F1", KEY_F1_},
             {"F2", KEY_F1_ + 1},   {"F3", KEY_F1_ + 2},     {"F4", KEY_F1_ + 3},    {"F5", KEY_F1_ + 4},
             {"F6", KEY_F1_ + 5},   {"F7", KEY_F1_ + 6},     {"F8", KEY_F1_ + 7},    {"F9", KEY_F1_ + 8},
             {"F10", KEY_F1_ + 9},  {"F11", KEY_F1_ + 10},   {"F12", KEY_F1_ + 11}};

int key_named(const char *name) {
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (strcmp(NAMES[i].name, name) == 0) return NAMES[i].key;
    if (name[0] == '^' && name[1] && !name[2]) {
        const int c = name[1] >= 'a' && name[1] <= 'z' ? name[1] - 'a' + 'A' : name[1];
        const int key = c > '@' && c <= '_' ? KEY_CTRL(c) : 0;
        /* Terminals send the same byte for these pairs. */
        return key == '\t'                  ? KEY_TAB
               : key == '\r' || key == '\n' ? KEY_ENTER_
               : key == 27                  ? KEY_ESCAPE
               : key == 8                   ? KEY_BACKSPACE_
                                            : key;
    }
    utf8proc_int32_t c;
    const utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)name, -1, &c);
    return n > 0 && c > ' ' && c != 127 && name[n] == '\0' ? (int)c : KEY_CODE_NONE;
}
