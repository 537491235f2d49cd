/* Writing one JSON string into a strbuf. For lines that are put together by hand because a tree per record would cost
 * more than the record. */
#ifndef PBKD_BASE_JSON_STRING_H
#define PBKD_BASE_JSON_STRING_H

#include "engine/base/strbuf.h"

/* s with quotes around it; NULL gives null. Bytes that are not UTF-8 (a model's output may be cut inside a character)
 * become U+FFFD, so that the line is always valid JSON. */
void json_append_string(struct strbuf *b, const char *s);
/* The shortest decimal that reads back as v; null when v is not finite. */
void json_append_number(struct strbuf *b, double v);

#endif
