/* Options whose text is a list of items with commas between them. */
#include <stdio.h>
#include <string.h>

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

bool option_is_path_list(const struct option_info *info) { return strcmp(info->name, "offline.candidates") == 0; }
