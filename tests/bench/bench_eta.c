/* How well a run tells the time that it still takes: plays a configuration without a screen and compares every eta,
 * from the first tenth of the run on, with the time that was then really left.
 *
 *   bench_eta CONFIG.json RUN_DIR [NAME=VALUE ...] */
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/run/session.h"

enum { MOST = 100000 };

static struct told {
    double at, eta;
    enum run_phase phase;
} told[MOST];
static int n_told;

static void fail(const struct err *e) {
    fprintf(stderr, "bench_eta: %s\n", e->msg);
    exit(1);
}

static struct session *start(int argc, char **argv) {
    struct err e = {""};
    struct session_config c = {.run_dir = argv[2], .title = "eta", .headless = true};
    options_default(&c.options);
    if (!options_load(&c.options, argv[1], &e)) fail(&e);
    for (int i = 3; i < argc; i++)
        if (!option_set_assignment(&c.options, argv[i], &e)) fail(&e);
    struct session *s = session_start(&c, &e);
    if (!s) fail(&e);
    return s;
}

static void watch(struct session *s, double began) {
    while (!session_ended(s)) {
        struct pollfd p = {.fd = session_fd(s), .events = POLLIN};
        poll(&p, 1, 1000);
        const struct snapshot *n = session_snapshot(s);
        if (isfinite(n->eta_seconds) && n_told < MOST)
            told[n_told++] = (struct told){clock_seconds() - began, n->eta_seconds, n->phase};
        snapshot_release(n);
    }
}

int main(int argc, char **argv) {
    if (argc < 3) return fputs("usage: bench_eta CONFIG.json RUN_DIR [NAME=VALUE ...]\n", stderr), 2;
    const double began = clock_seconds();
    struct session *s = start(argc, argv);
    watch(s, began);
    const double took = clock_seconds() - began;
    bool ok;
    struct err e = {""};
    session_finish(s, &ok, NULL, &e);
    if (!ok) fail(&e);
    printf("%s", argv[1]);
    for (int i = 3; i < argc; i++) printf(" %s", argv[i]);
    printf(": took %.1f s\n", took);
    double worst = 1;
    for (int i = 0, shown = 0; i < n_told; i++) {
        const double left = took - told[i].at, factor = told[i].eta / left;
        if (told[i].at < 0.1 * took || left < 0.02 * took) continue; /* not yet asked for; too near the end to tell */
        worst = fmax(worst, fmax(factor, 1 / factor));
        if (told[i].at < 0.1 * shown * took) continue;
        shown = (int)(10 * told[i].at / took) + 1;
        printf("  at %3.0f %%: eta %6.1f s, left %6.1f s, factor %.2f (%s)\n", 100 * told[i].at / took, told[i].eta,
               left, factor, run_phase_name(told[i].phase));
    }
    printf("  farthest off: factor %.2f\n", worst);
    return 0;
}
