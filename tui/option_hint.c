/* An option in one line: see option_hint.h. */
#include "tui/option_hint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/run/snapshot.h"

void option_hint(const struct snapshot *s, const struct option_info *o, char *out, size_t size) {
    char now[200] = "-", start[200] = "-", range[120] = "", def[160] = "";
    struct options *defaults = mem_small(sizeof *defaults);
    options_default(defaults);
    option_format(defaults, o, def, sizeof def);
    free(defaults);
    if (s) option_format(&s->options, o, now, sizeof now);
    if (s) option_format(&s->options_start, o, start, sizeof start);
    if (o->choices)
        snprintf(range, sizeof range, ", %s", o->choices);
    else if (o->type != OPTION_TEXT)
        snprintf(range, sizeof range, ", %.6g .. %.6g", o->min, o->max);
    const char *source = !s || strcmp(now, def) == 0 ? ""
                         : strcmp(now, start) != 0   ? ", changed in this run"
                                                     : ", from the configuration";
    snprintf(out, size, "%s %s%s%s (default %s%s)%s; %s: %s", o->name, now, o->unit && o->unit[0] ? " " : "",
             o->unit ? o->unit : "", def, range, source, option_when_text(o->when), o->help);
}
