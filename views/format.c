/* Numbers as people read them: see format.h. */
#include "views/format.h"

#include <math.h>
#include <stdio.h>

struct short_text format_number(double x) {
    struct short_text t = {"-"};
    const double size = fabs(x);
    if (!isfinite(x)) return t;
    if (size == 0)
        snprintf(t.s, sizeof t.s, "0");
    else if (size < 1e-4 || size >= 1e6)
        snprintf(t.s, sizeof t.s, "%.1e", x);
    else if (size < 0.01)
        snprintf(t.s, sizeof t.s, "%.4f", x);
    else if (size < 1)
        snprintf(t.s, sizeof t.s, "%.3f", x);
    else if (size < 10)
        snprintf(t.s, sizeof t.s, "%.2f", x);
    else if (size < 100)
        snprintf(t.s, sizeof t.s, "%.1f", x);
    else
        snprintf(t.s, sizeof t.s, "%.0f", x);
    return t;
}

struct short_text format_interval(struct interval v) {
    struct short_text t = {"-"};
    if (!isfinite(v.mean)) return t;
    const char *digits = fabs(v.mean) >= 100                  ? "%.0f [%.0f, %.0f]"
                         : fabs(v.mean) >= 0.1 || v.mean == 0 ? "%.2f [%.2f, %.2f]"
                                                              : "%.3f [%.3f, %.3f]";
    if (!isfinite(v.lo) || !isfinite(v.hi) || v.lo == v.hi) return format_number(v.mean);
    snprintf(t.s, sizeof t.s, digits, v.mean, v.lo, v.hi);
    return t;
}

struct short_text format_percent(double share) {
    struct short_text t = {"-"};
    if (isfinite(share)) snprintf(t.s, sizeof t.s, "%.0f %%", 100 * share);
    return t;
}

struct short_text format_duration(double seconds) {
    struct short_text t = {"-"};
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e9) return t;
    const int64_t n = (int64_t)(seconds + 0.5);
    const int days = (int)(n / 86400), h = (int)(n / 3600 % 24), m = (int)(n / 60 % 60), s = (int)(n % 60);
    if (days)
        snprintf(t.s, sizeof t.s, "%dd%02dh", days, h);
    else if (h)
        snprintf(t.s, sizeof t.s, "%dh%02dm", h, m);
    else if (m)
        snprintf(t.s, sizeof t.s, "%dm%02ds", m, s);
    else
        snprintf(t.s, sizeof t.s, "%ds", s);
    return t;
}

struct short_text format_count(double n) {
    struct short_text t = {"-"};
    if (!isfinite(n)) return t;
    if (n < 999.5)
        snprintf(t.s, sizeof t.s, "%.0f", n);
    else if (n < 99950)
        snprintf(t.s, sizeof t.s, "%.1fk", n / 1e3);
    else if (n < 999500)
        snprintf(t.s, sizeof t.s, "%.0fk", n / 1e3);
    else
        snprintf(t.s, sizeof t.s, "%.1fM", n / 1e6);
    return t;
}
