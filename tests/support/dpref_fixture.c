/* D_pref on a file of its own: see dpref_fixture.h. */
#include "tests/support/dpref_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"

int dpref_set_up(void **state) {
    struct dpref_fixture *f = mem_small(sizeof *f);
    struct err e;
    snprintf(f->folder, sizeof f->folder, "/tmp/pbkd_dpref_XXXXXX");
    if (!mkdtemp(f->folder)) return -1;
    snprintf(f->path, sizeof f->path, "%s/run.db", f->folder);
    *state = f;
    const bool ok = db_open(&f->db, f->path, DB_CREATE, false, &e) && dpref_create_tables(&f->db, &e) &&
                    dpref_load(&f->d, &f->db, &e);
    return ok ? 0 : -1;
}

int dpref_tear_down(void **state) {
    struct dpref_fixture *f = *state;
    dpref_free(&f->d);
    db_close(&f->db);
    const bool ok = dir_remove_tree(f->folder, NULL);
    free(f);
    return ok ? 0 : -1;
}

void must(bool ok, const struct err *e) {
    if (!ok) fail_msg("%s", e->msg);
}

void dpref_load_again(struct dpref_fixture *f, struct dpref *again, int64_t n) {
    struct err e;
    must(dpref_load(again, &f->db, &e), &e);
    for (int64_t seq = 1; seq <= n; seq++) {
        struct label_event ev;
        must(label_event_read(&f->db, seq, &ev, &e) && dpref_apply_event(again, &ev, DPREF_FLIP, DPREF_WEIGHT, &e), &e);
        free(ev.text);
    }
}

void dpref_load_fails(struct dpref_fixture *f, const char *sql, const char *words) {
    struct dpref d;
    struct err e = {""};
    must(db_exec(&f->db, "SAVEPOINT hostile", &e) && db_exec(&f->db, sql, &e), &e);
    assert_false(dpref_load(&d, &f->db, &e));
    if (!strstr(e.msg, words)) fail_msg("\"%s\" does not say \"%s\"", e.msg, words);
    must(db_exec(&f->db, "ROLLBACK TO hostile; RELEASE hostile", &e), &e);
}
