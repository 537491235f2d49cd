/* A pair as plain text: see pair_text.h. */
#include "views/pair_text.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/strbuf.h"

const char *answer_name(const struct shown_pair *p, int side) {
    static const char *const NAMES[N_ANSWER_ORIGINS] = {[ORIGIN_TEACHER] = "teacher",
                                                        [ORIGIN_STUDENT] = "student",
                                                        [ORIGIN_PERSON] = "written",
                                                        [ORIGIN_FILE] = "file",
                                                        [ORIGIN_CANDIDATE] = "model"};
    if (p->edit) return side ? "earlier" : "written";
    if (p->by0.origin == p->by1.origin) return side ? "second" : "first";
    return NAMES[side ? p->by1.origin : p->by0.origin];
}

struct short_text answer_phrase(const struct shown_pair *p, int side) {
    struct short_text t;
    const bool person = !p->edit && p->by0.origin != p->by1.origin;
    snprintf(t.s, sizeof t.s, "%s%s answer", answer_name(p, side), person ? "'s" : "");
    return t;
}

enum role answer_role(const struct shown_pair *p, int side) {
    const bool student0 = p->by0.origin == ORIGIN_STUDENT, student1 = p->by1.origin == ORIGIN_STUDENT;
    const bool is_student = student0 == student1 ? side == 1 : side ? student1 : student0;
    return is_student ? ROLE_STUDENT : ROLE_TEACHER;
}

struct short_text answer_source(const struct options *o, const struct shown_pair *p, int side) {
    const struct answer_by *by = side ? &p->by1 : &p->by0;
    struct short_text t = {""};
    char item[OPTION_TEXT_MAX];
    const bool student = by->origin == ORIGIN_STUDENT;
    if (o->game_data != DATA_OFFLINE || (!student && by->origin != ORIGIN_CANDIDATE)) return t;
    if (!option_list_item(student ? o->offline_temperatures : o->offline_candidates, by->item, item, sizeof item))
        return t;
    const char *slash = strrchr(item, '/');
    snprintf(t.s, sizeof t.s, "%s%.40s", student ? "temperature " : "", slash ? slash + 1 : item);
    return t;
}

char *pair_text(const struct shown_pair *p, char *what, size_t size) {
    struct strbuf b = {0};
    strbuf_printf(&b, "prompt:\n%s\n\n%s:\n%s\n\n%s:\n%s\n", p->prompt, answer_name(p, 0), p->teacher,
                  answer_name(p, 1), p->student);
    snprintf(what, size, "pair %lld: prompt and both answers", (long long)p->id);
    return strbuf_take(&b);
}
