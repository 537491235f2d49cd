/* A pair as plain text: see pair_text.h. */
#include "views/pair_text.h"

#include <stdio.h>

#include "engine/base/strbuf.h"

char *pair_text(const struct shown_pair *p, char *what, size_t size) {
    struct strbuf b = {0};
    strbuf_printf(&b, "prompt:\n%s\n\nteacher:\n%s\n\nstudent:\n%s\n", p->prompt, p->teacher, p->student);
    snprintf(what, size, "pair %lld: prompt and both answers", (long long)p->id);
    return strbuf_take(&b);
}
