/* Numbers as people read them; every screen prints them the same way. */
#ifndef PBKD_VIEWS_FORMAT_H
#define PBKD_VIEWS_FORMAT_H

#include <stdint.h>

#include "engine/math/stats.h"

struct short_text { /* returned by value, so that several fit in one printf */
    char s[48];
};

struct short_text format_number(double x); /* three digits: "0.042", "12.5", "1.2e-05"; "-" when not finite */
struct short_text
format_interval(struct interval v); /* "0.42 [0.31, 0.55]", "0.42" without an interval, "-" when not measured */
struct short_text format_percent(double share);    /* "42 %"; "-" when not finite */
struct short_text format_duration(double seconds); /* "4m10s", "2h05m", "3d04h"; "-" when not finite */
struct short_text format_count(double n);          /* "950", "1.2k", "3.4M" */

#endif
