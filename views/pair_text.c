/* A pair as plain text: see pair_text.h. */
#include "views/pair_text.h"

#include <stdio.h>

#include "engine/base/strbuf.h"

const char *answer_name(const struct shown_pair *p, int side) {
    if (p->edit) return side ? "earlier" : "written";
    if (p->source == SOURCE_IMPORT) return side ? "second" : "first";
    return side ? "student" : "teacher";
}

struct short_text answer_phrase(const struct shown_pair *p, int side) {
    struct short_text t;
    const bool person = !p->edit && p->source != SOURCE_IMPORT;
    snprintf(t.s, sizeof t.s, "%s%s answer", answer_name(p, side), person ? "'s" : "");
    return t;
}

char *pair_text(const struct shown_pair *p, char *what, size_t size) {
    struct strbuf b = {0};
    strbuf_printf(&b, "prompt:\n%s\n\n%s:\n%s\n\n%s:\n%s\n", p->prompt, answer_name(p, 0), p->teacher,
                  answer_name(p, 1), p->student);
    snprintf(what, size, "pair %lld: prompt and both answers", (long long)p->id);
    return strbuf_take(&b);
}
