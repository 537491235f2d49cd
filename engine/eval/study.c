/* Planning a study: from its kind and a configuration to jobs, and what of them is there already. See study.h. */
#include "engine/eval/study.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/hash.h"
#include "engine/base/json.h"
#include "engine/base/json_string.h"
#include "engine/base/mem.h"
#include "engine/eval/run_read.h"
#include "engine/game/options_check.h"

/* ---- what a run depends on ---- */

static bool names_files(const struct option_info *info) { return info->file != OPTION_NO_FILE; }

static const char *path_option(const struct options *o, const struct option_info *info) {
    return (const char *)o + info->offset;
}

/* The content of one file; "" is the file that is not there. */
static bool hash_file(uint64_t *h, const char *path, struct err *e) {
    struct file_map m = {0};
    if (path[0] && !file_map(path, &m, e)) return false;
    *h = hash_bytes(*h, &m.len, sizeof m.len);
    if (m.len > 0) *h = hash_bytes(*h, m.data, m.len);
    file_unmap(&m);
    return true;
}

static bool hash_files(const struct options *o, uint64_t *out, struct err *e) {
    uint64_t h = HASH_START;
    char item[OPTION_TEXT_MAX];
    for (int i = 0; i < N_OPTIONS; i++) {
        const char *text = path_option(o, &OPTIONS[i]);
        bool ok = true;
        if (OPTIONS[i].file == OPTION_FILE) ok = hash_file(&h, text, e);
        for (int k = 0; ok && OPTIONS[i].file == OPTION_FILES && option_list_item(text, k, item, sizeof item); k++)
            ok = hash_file(&h, item, e);
        if (!ok) return err_wrap(e, "%s", OPTIONS[i].name);
    }
    *out = h;
    return true;
}

/* Files count by content, not by name; threads change nothing in a run. */
static uint64_t hash_options(const struct options *o, uint64_t files) {
    struct options *bare = mem_small(sizeof *bare);
    *bare = *o;
    bare->threads = 0;
    for (int i = 0; i < N_OPTIONS; i++)
        if (names_files(&OPTIONS[i])) ((char *)bare)[OPTIONS[i].offset] = '\0';
    char *json = options_to_json(bare, false);
    const uint64_t h = hash_bytes(files, json, strlen(json));
    free(json);
    free(bare);
    return h;
}

bool study_fingerprint(const struct options *o, uint64_t *out, struct err *e) {
    uint64_t files;
    if (!hash_files(o, &files, e)) return false;
    *out = hash_options(o, files);
    return true;
}

static bool same_paths(const struct options *a, const struct options *b) {
    for (int i = 0; i < N_OPTIONS; i++)
        if (names_files(&OPTIONS[i]) && strcmp(path_option(a, &OPTIONS[i]), path_option(b, &OPTIONS[i])) != 0)
            return false;
    return true;
}

/* ---- variants ---- */

/* --set of an option that a variant sets to a value of its own would be lost without a word. */
static bool check_varied(const struct study *s, const char *assignment, struct err *e) {
    char name[128];
    const char *value;
    if (!option_split(assignment, name, sizeof name, &value, e)) return false;
    const size_t n = strlen(name);
    for (const struct study_variant *v = s->kind->variant; v->label; v++)
        for (int i = 0; i < STUDY_ASSIGN_MAX && v->assign[i]; i++)
            if (strncmp(v->assign[i], name, n) == 0 && v->assign[i][n] == '=')
                return err_set(e, "--set %s: the study varies %s itself", assignment, name);
    return true;
}

static bool load_base(const struct study *s, struct options *o, struct err *e) {
    options_default(o);
    if (!options_load(o, s->config, e)) return false;
    for (int i = 0; i < s->n_set; i++)
        if (!check_varied(s, s->set[i], e) || !option_set_assignment(o, s->set[i], e)) return false;
    if (s->kind->needs_checker && o->prompts_checker == CHECKER_NONE)
        return err_set(e, "prompts.checker: is none, but the truth that this study looks for is the checker's");
    return true;
}

/* Whether `label` is one of those listed with commas between them; all are of no list. */
static bool listed(const char *list, const char *label) {
    const size_t n = strlen(label);
    for (const char *at = list; at; at = strchr(at, ','), at = at ? at + 1 : NULL)
        if (strncmp(at, label, n) == 0 && (at[n] == ',' || at[n] == '\0')) return true;
    return !list;
}

static bool check_listed(const struct study_kind *kind, const char *list, struct err *e) {
    struct strbuf all = {0};
    int found = 0, asked = 1;
    for (const struct study_variant *v = kind->variant; v->label; v++) {
        found += listed(list, v->label);
        strbuf_printf(&all, "%s%s", v == kind->variant ? "" : ", ", v->label);
    }
    for (const char *c = list; *c; c++) asked += *c == ',';
    const bool ok = found == asked;
    if (!ok) err_set(e, "--variants: found \"%.100s\", expected some of: %s", list, strbuf_str(&all));
    strbuf_free(&all);
    return ok;
}

static bool resolve_variants(struct study *s, const struct options *base, const char *list, struct err *e) {
    int all = 0;
    if (list && !check_listed(s->kind, list, e)) return false;
    while (s->kind->variant[all].label) all++;
    s->variant = mem_small((size_t)all * sizeof *s->variant);
    for (int i = 0; i < all; i++) {
        if (!listed(list, s->kind->variant[i].label)) continue;
        struct study_row_plan *v = &s->variant[s->n_variants++];
        v->label = s->kind->variant[i].label;
        v->options = *base;
        if (!study_resolve(&s->kind->variant[i], &v->options, v->set, e)) return false;
        if (!options_check(&v->options, e)) return err_wrap(e, "variant \"%s\"", v->label);
    }
    return true;
}

/* ---- jobs ---- */

static bool make_jobs(struct study *s, struct err *e) {
    if (s->first_seed > INT32_MAX - s->n_seeds)
        return err_set(e, "seed: %d seeds from %d on are too many", s->n_seeds, s->first_seed);
    s->n_jobs = s->n_variants * s->n_seeds;
    s->job = mem_small((size_t)s->n_jobs * sizeof *s->job);
    uint64_t files;
    if (!hash_files(&s->variant[0].options, &files, e)) return false;
    struct options *o = mem_small(sizeof *o);
    bool ok = true;
    for (int i = 0; ok && i < s->n_jobs; i++) {
        struct study_job *j = &s->job[i];
        uint64_t mine = files;
        char slug[48];
        j->variant = i % s->n_variants;
        j->seed = s->first_seed + i / s->n_variants;
        *o = s->variant[j->variant].options;
        o->seed = j->seed;
        if (!same_paths(o, &s->variant[0].options)) ok = hash_files(o, &mine, e);
        j->fingerprint = hash_options(o, mine);
        study_slug(s->variant[j->variant].label, slug, sizeof slug);
        snprintf(j->name, sizeof j->name, "%s-s%d", slug, j->seed);
    }
    free(o);
    return ok;
}

static bool name_out(struct study *s, const char *out, const struct options *base, struct err *e) {
    if (out) {
        s->out = mem_strdup(out);
        return out[0] != '\0' || err_set(e, "--out: the folder needs a name");
    }
    struct options *o = mem_small(sizeof *o);
    uint64_t h;
    char path[128];
    *o = *base;
    o->seed = 0; /* more seeds of the same study go into the same folder */
    const bool ok = study_fingerprint(o, &h, e);
    free(o);
    if (!ok) return false;
    snprintf(path, sizeof path, "runs/study-%s-%08" PRIx32, s->kind->name, (uint32_t)h);
    s->out = mem_strdup(path);
    return true;
}

/* ---- what is there already ---- */

void study_path(const struct study *s, const struct study_job *j, const char *ending, char out[4096]) {
    snprintf(out, 4096, "%.3900s/%s%s", s->out, j->name, ending);
}

static bool take_result(struct study_job *j, cJSON *root, const char *path, struct err *e) {
    const char *text;
    char expected[32];
    snprintf(expected, sizeof expected, "%016" PRIx64, j->fingerprint);
    if (!json_get_string(root, "fingerprint", path, &text, e)) return false;
    if (strcmp(text, expected) != 0)
        return err_set(e,
                       "%s: was made with other options or data; choose another --out, or remove it together with "
                       "its run",
                       path);
    if (!cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(root, "result")))
        return err_set(e, "%s: \"result\" must be an object", path);
    j->result = cJSON_DetachItemFromObjectCaseSensitive(root, "result");
    j->state = JOB_DONE;
    return true;
}

static bool look_for_result(const struct study *s, struct study_job *j, struct err *e) {
    char path[4096];
    study_path(s, j, ".json", path);
    if (!file_exists(path)) return true;
    cJSON *root = json_read_file(path, e);
    if (!root) return false;
    const bool ok = take_result(j, root, path, e);
    cJSON_Delete(root);
    return ok;
}

static bool fail_other_run(const char *folder, const struct options *wanted, const struct options *found,
                           struct err *e) {
    for (int i = 0; i < N_OPTIONS; i++) {
        char want[OPTION_TEXT_MAX], have[OPTION_TEXT_MAX];
        if (names_files(&OPTIONS[i]) || OPTIONS[i].when == OPTION_MACHINE) continue;
        option_format(wanted, &OPTIONS[i], want, sizeof want);
        option_format(found, &OPTIONS[i], have, sizeof have);
        if (strcmp(want, have) != 0)
            return err_set(e, "%s: holds a run with %s %s, not %s; choose another --out, or remove it", folder,
                           OPTIONS[i].name, have, want);
    }
    return err_set(e, "%s: holds a run on other models or prompts; choose another --out, or remove it", folder);
}

/* An unfinished run goes on only if it is the same run. */
static bool look_for_run(const struct study *s, struct study_job *j, struct err *e) {
    char folder[4096], file[4200];
    study_path(s, j, "", folder);
    snprintf(file, sizeof file, "%s/run.db", folder);
    if (j->state == JOB_DONE || !file_exists(file)) return true;
    struct db db;
    struct options *found = mem_small(sizeof *found), *wanted = mem_small(sizeof *wanted);
    uint64_t h = 0;
    *wanted = s->variant[j->variant].options;
    wanted->seed = j->seed;
    bool ok = run_read_open(&db, folder, e) && run_read_options(&db, found, e);
    if (ok) ok = study_fingerprint(found, &h, e);
    if (ok && h != j->fingerprint) ok = fail_other_run(folder, wanted, found, e);
    db_close(&db);
    free(found);
    free(wanted);
    j->resume = ok;
    return ok;
}

static bool take_out(struct study *s, struct err *e) {
    char path[4096];
    snprintf(path, sizeof path, "%.3900s/lock", s->out);
    if (strlen(s->out) > 3900) return err_set(e, "%.80s...: the path is too long", s->out);
    if (!dir_make(s->out, e)) return false;
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (s->lock_fd < 0) return err_errno(e, "%s: cannot open", path);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0) return true;
    return errno == EWOULDBLOCK ? err_set(e, "%s: another study is at work there", s->out)
                                : err_errno(e, "%s: cannot lock", path);
}

/* ---- the plan ---- */

static void share_threads(struct study *s, const struct options *base) {
    const long here = sysconf(_SC_NPROCESSORS_ONLN);
    const int total = base->threads > 0 ? base->threads : here > 0 ? (int)here : 1;
    s->threads = total / s->jobs_at_once > 0 ? total / s->jobs_at_once : 1;
    if (s->threads > 64) s->threads = 64;
}

static bool plan(struct study *s, const struct study_request *r, struct options *base, struct err *e) {
    s->kind = study_find(r->kind);
    if (!s->kind) return err_set(e, "there is no study \"%.40s\"", r->kind);
    if (!load_base(s, base, e) || !resolve_variants(s, base, r->variants, e))
        return err_wrap(e, "study %s", s->kind->name);
    s->first_seed = base->seed;
    share_threads(s, base);
    if (!name_out(s, r->out, base, e) || !make_jobs(s, e)) return false;
    if (!take_out(s, e)) return false;
    for (int i = 0; i < s->n_jobs; i++)
        if (!look_for_result(s, &s->job[i], e) || !look_for_run(s, &s->job[i], e)) return false;
    return true;
}

struct study *study_plan(const struct study_request *r, struct err *e) {
    struct study *s = mem_small(sizeof *s);
    s->config = mem_strdup(r->config);
    /* Not the program's path: a study goes on with the program it began with, even when that has been built anew. */
    s->program = r->program ? r->program : access("/proc/self/exe", X_OK) == 0 ? "/proc/self/exe" : "pbkd";
    s->set = r->set;
    s->n_set = r->n_set;
    s->n_seeds = r->n_seeds;
    s->jobs_at_once = r->jobs_at_once;
    s->lock_fd = -1;
    struct options *base = mem_small(sizeof *base);
    const bool ok = plan(s, r, base, e);
    free(base);
    if (ok) return s;
    study_free(s);
    return NULL;
}

void study_free(struct study *s) {
    if (!s) return;
    for (int i = 0; i < s->n_jobs; i++) cJSON_Delete(s->job[i].result);
    for (int i = 0; s->variant && i < s->n_variants; i++)
        for (int k = 0; k < STUDY_ASSIGN_MAX; k++) free(s->variant[i].set[k]);
    if (s->lock_fd >= 0) close(s->lock_fd);
    free(s->variant);
    free(s->job);
    free(s->config);
    free(s->out);
    free(s);
}

struct study_job *study_job_of(const struct study *s, int variant, int seed_index) {
    return &s->job[seed_index * s->n_variants + variant];
}

int study_count(const struct study *s, enum study_state state) {
    int n = 0;
    for (int i = 0; i < s->n_jobs; i++) n += s->job[i].state == state;
    return n;
}

bool study_store_result(const struct study *s, const struct study_job *j, struct err *e) {
    struct strbuf b = {0};
    char path[4096];
    study_path(s, j, ".json", path);
    strbuf_puts(&b, "{\"study\":");
    json_append_string(&b, s->kind->name);
    strbuf_puts(&b, ",\"variant\":");
    json_append_string(&b, s->variant[j->variant].label);
    strbuf_printf(&b, ",\"seed\":%d,\"config\":", j->seed);
    json_append_string(&b, s->config);
    strbuf_puts(&b, ",\"set\":[");
    for (int i = 0; i < s->n_set; i++) {
        if (i) strbuf_putc(&b, ',');
        json_append_string(&b, s->set[i]);
    }
    for (int i = 0; i < STUDY_ASSIGN_MAX && s->variant[j->variant].set[i]; i++) {
        if (i || s->n_set) strbuf_putc(&b, ',');
        json_append_string(&b, s->variant[j->variant].set[i]);
    }
    strbuf_printf(&b, "],\"fingerprint\":\"%016" PRIx64 "\",\"result\":", j->fingerprint);
    char *result = cJSON_PrintUnformatted(j->result);
    if (result) strbuf_printf(&b, "%s}\n", result);
    const bool ok = result ? atomic_write(path, b.s, b.len, e) : err_set(e, "%s: no memory for the result", path);
    cJSON_free(result);
    strbuf_free(&b);
    return ok;
}
