/* The numeric checker ("flexible" match of grade-school mathematics benchmarks): see checker.h. */
#include "engine/eval/checker.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/strbuf.h"

/* Value of the last number in s; false when there is none. */
static bool last_number(const char *s, double *out) {
    const char *end = s + strlen(s);
    while (end > s && !isdigit((unsigned char)end[-1])) end--;
    if (end == s) return false;
    const char *begin = end;
    while (begin > s && (isdigit((unsigned char)begin[-1]) || begin[-1] == '.' || begin[-1] == ',')) begin--;
    while (!isdigit((unsigned char)*begin)) begin++;
    const bool negative = begin > s && begin[-1] == '-' && (begin - 1 == s || !isalnum((unsigned char)begin[-2]));
    char digits[64];
    size_t n = 0;
    for (const char *p = begin; p < end; p++) {
        if (*p == ',') continue;
        if (n + 1 >= sizeof digits) return false;
        digits[n++] = *p;
    }
    digits[n] = '\0';
    char *rest;
    *out = strtod(digits, &rest) * (negative ? -1.0 : 1.0);
    return *rest == '\0' && isfinite(*out);
}

char *checker_number_answer(const char *response) {
    double value;
    if (!last_number(response, &value)) return NULL;
    struct strbuf b = {0};
    strbuf_printf(&b, "%.9g", value + 0.0); /* -0 is 0 */
    return strbuf_take(&b);
}

bool checker_number(const char *response, const char *answer) {
    double got, expected;
    return last_number(response, &got) && last_number(answer, &expected) && fabs(got - expected) <= 1e-9 * fmax(1.0, fabs(expected));
}
