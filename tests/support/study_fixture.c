/* A program that studies start, and the plans they start it by: see study_fixture.h. */
#include "tests/support/study_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"

static char folder[] = "/tmp/pbkd_study_XXXXXX";

/* The script's student gets 50 + 2 seed + prompts/32 % right, its reward 90 + seed %. Files beside it change what it
 * does: fail-SEED, mute-SEED, kill-SEED, hang. Every call is noted in `calls`. */
static const char SCRIPT[] =
    "#!/bin/sh\n"
    "here=${0%/*}; echo \"$@\" >>\"$here/calls\"; prompts=128; seed=1\n"
    "while [ $# -gt 0 ]; do\n"
    "  case $1 in --seed) seed=$2;; --run-dir) dir=$2;; prompts.per_iteration=*) prompts=${1#*=};; esac; shift\n"
    "done\n"
    "case $dir in *-s2) seed=2;; *-s3) seed=3;; esac\n"
    "echo '[0] t 1/2 game'\n"
    "[ -e \"$here/hang\" ] && { trap 'exit 143' TERM; while :; do sleep 0.02; done; }\n"
    "[ -e \"$here/kill-$seed\" ] && kill -9 $$\n"
    "[ -e \"$here/mute-$seed\" ] && { echo no json; exit 0; }\n"
    "[ -e \"$here/fail-$seed\" ] && { echo '{}'; echo 'pbkd: the disk is full' >&2; exit 1; }\n"
    "printf '{\"reward\":{\"accuracy_heldout_first\":0.%d},\"gap\":{\"worst\":{\"mean\":0.%d,\"lo\":0.1,\"hi\":0.5},' "
    "$((90 + seed)) $((20 + seed))\n"
    "printf "
    "'\"fitted\":{\"mean\":null,\"lo\":null,\"hi\":null}},\"student\":{\"accuracy_before\":0.4,\"accuracy_after\":0.%d}"
    ",\"pairs\":%d,\"seconds\":%d}\\n' $((50 + 2 * seed + prompts / 32)) $((prompts * 3)) $((10 * seed))\n";

char *fake_path(const char *name) {
    static char path[8][256];
    static int at;
    at = (at + 1) % 8;
    snprintf(path[at], sizeof path[at], "%s/%s", folder, name);
    return path[at];
}

void fake_file(const char *name, const char *text) {
    struct err e;
    if (!atomic_write(fake_path(name), text, strlen(text), &e)) fail_msg("%s", e.msg);
}

int fake_set_up(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    fake_file("fake.sh", SCRIPT);
    chmod(fake_path("fake.sh"), 0700);
    fake_file("teacher.gguf", "teacher");
    fake_file("student.gguf", "student");
    fake_file("train.jsonl", "{}");
    fake_file("config.json", "{\"teacher\": {\"model\": \"teacher.gguf\"}, \"student.model\": \"student.gguf\","
                             " \"prompts.train\": \"train.jsonl\", \"beta\": 8}");
    return 0;
}

int fake_tear_down(void **state) {
    (void)state;
    return dir_remove_tree(folder, NULL) ? 0 : -1;
}

int fake_forget(void **state) {
    (void)state;
    static const char *const SWITCHES[] = {"calls", "hang", "fail-1", "fail-2", "mute-3", "kill-1"};
    for (size_t i = 0; i < sizeof SWITCHES / sizeof SWITCHES[0]; i++) unlink(fake_path(SWITCHES[i]));
    return 0;
}

const char *fake_variants;

struct study *fake_try_plan(const char *kind, const char *out, int seeds, const char *set, struct err *e) {
    static const char *sets[1];
    static char config[256], program[256], out_path[256];
    sets[0] = set;
    snprintf(config, sizeof config, "%s", fake_path("config.json"));
    snprintf(program, sizeof program, "%s", fake_path("fake.sh"));
    snprintf(out_path, sizeof out_path, "%s", fake_path(out));
    *e = (struct err){0};
    return study_plan(&(struct study_request){.kind = kind,
                                              .config = config,
                                              .out = out_path,
                                              .variants = fake_variants,
                                              .program = program,
                                              .set = sets,
                                              .n_set = set != NULL,
                                              .n_seeds = seeds,
                                              .jobs_at_once = 2},
                      e);
}

struct study *fake_plan(const char *kind, const char *out, int seeds, const char *set) {
    struct err e;
    struct study *s = fake_try_plan(kind, out, seeds, set, &e);
    if (!s) fail_msg("%s", e.msg);
    return s;
}

void fake_plan_fails(const char *kind, const char *out, const char *set, const char *message) {
    struct err e;
    assert_null(fake_try_plan(kind, out, 1, set, &e));
    if (!strstr(e.msg, message)) fail_msg("expected \"%s\" in \"%s\"", message, e.msg);
}

void fake_run(struct study *s) { study_run(s, &(struct study_watch){.fd = -1}); }

char *fake_calls(void) {
    char *text;
    size_t len;
    return file_read_all(fake_path("calls"), 1 << 20, &text, &len, NULL) ? text : NULL;
}

int count_text(const char *text, const char *what) {
    int n = 0;
    for (const char *at = text; at && (at = strstr(at, what)); at++) n++;
    return n;
}

int fake_n_calls(void) {
    char *text = fake_calls();
    const int n = count_text(text, "\n");
    mem_free(text);
    return n;
}
