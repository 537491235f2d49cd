/* Choices, texts and files of the sample data generators: see rows.h. */
#include "sample_data/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/err.h"
#include "engine/base/file.h"
#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"

/* ---- choices and texts ---- */

int choose(struct choices *c, int n) { return (int)rng_below((uint64_t)n, c->seed, RNG_DATA, c->row, c->k++); }

int choose_between(struct choices *c, int min, int max) { return min + choose(c, max - min + 1); }

const char *choose_text(struct choices *c, const char *const *texts, int max) {
    int n = 0;
    while (n < max && texts[n]) n++;
    return texts[choose(c, n)];
}

static const char *const women[] = {"Mia", "Eva", "Ana", "Zoe", "Amy", "Ida", "Lea", "Pam"};
static const char *const men[] = {"Tom", "Ben", "Leo", "Max", "Dan", "Jim", "Ned", "Sam"};
enum { N_NAMES = sizeof women / sizeof *women };
_Static_assert(sizeof women == sizeof men, "as many women as men");

struct people choose_people(struct choices *c) {
    const char *woman = women[choose(c, N_NAMES)], *man = men[choose(c, N_NAMES)];
    const bool she = choose(c, 2) == 0;
    return she ? (struct people){woman, man, "she", "She"} : (struct people){man, woman, "he", "He"};
}

void expand(struct strbuf *out, const char *text, fill_fn *fill, void *ctx) {
    for (const char *t = text; *t; t++) {
        if (*t != '{') {
            strbuf_putc(out, *t);
            continue;
        }
        if (!t[1] || t[2] != '}' || !fill(out, t[1], ctx)) {
            fprintf(stderr, "sample data: bad placeholder at \"%s\" in: %s\n", t, text);
            abort();
        }
        t += 2; /* now at the closing brace */
    }
}

/* ---- files ---- */

/* The prompts written so far, an open-addressing table. */
struct seen {
    char **text;
    size_t size;
};

/* Takes over text when it is new; else leaves it to the caller and returns false. */
static bool seen_add(struct seen *s, char *text) {
    size_t i = hash_text(text) % s->size;
    for (; s->text[i]; i = (i + 1) % s->size)
        if (strcmp(s->text[i], text) == 0) return false;
    s->text[i] = text;
    return true;
}

struct stream {
    const struct task *task;
    uint64_t seed, row;
    struct seen seen;
};

enum row_kind { ROW_QUESTION, ROW_CHAIN, ROW_FORMULA };

/* The stream's next row into f; false when its prompt has been written before. */
static bool write_row(struct stream *s, FILE *f, enum row_kind kind) {
    struct choices c = {.seed = s->seed, .row = s->row++};
    struct row r = {0};
    s->task->make(&c, &r);
    char *text = strbuf_take(kind == ROW_FORMULA ? &r.formula : &r.prompt);
    const bool fresh = seen_add(&s->seen, text);
    if (fresh)
        fprintf(f, "{\"prompt\":\"%s\",\"%s\":\"%s\"}\n", text, kind == ROW_QUESTION ? "answer" : "response",
                strbuf_str(kind == ROW_QUESTION ? &r.answer : &r.chain));
    else
        free(text);
    strbuf_free(&r.prompt);
    strbuf_free(&r.formula);
    strbuf_free(&r.chain);
    strbuf_free(&r.answer);
    return fresh;
}

/* The next `rows` new rows of the stream into FOLDER/name. */
static bool write_rows(struct stream *s, const char *folder, const char *name, long rows, enum row_kind kind,
                       struct err *e) {
    enum { PATIENCE = 100000 }; /* repeats in a row that show that there are no new ones */
    struct strbuf path = {0};
    strbuf_printf(&path, "%s/%s", folder, name);
    struct atomic_file a;
    bool ok = atomic_begin(&a, strbuf_str(&path), e);
    strbuf_free(&path);
    if (!ok) return false;
    for (long n = 0, repeats = 0; n < rows && ok;) {
        if (write_row(s, a.f, kind))
            n++, repeats = 0;
        else if (++repeats == PATIENCE)
            ok = err_set(e, "%s/%s: expected %ld different rows, found only %ld", folder, name, rows, n);
    }
    if (ok && atomic_commit(&a, e)) return true;
    atomic_abort(&a);
    return false;
}

static bool write_files(struct stream *s, const char *folder, long pretrain, long formulas, struct err *e) {
    const struct task *t = s->task;
    return dir_make(folder, e) && write_rows(s, folder, "heldout.jsonl", t->heldout, ROW_QUESTION, e) &&
           write_rows(s, folder, "train.jsonl", t->train, ROW_QUESTION, e) &&
           (pretrain == 0 || (write_rows(s, folder, "pretrain.jsonl", pretrain, ROW_CHAIN, e) &&
                              write_rows(s, folder, "formulas.jsonl", formulas, ROW_FORMULA, e)));
}

static bool parse_count(const char *text, long max, long *out) {
    char *end;
    *out = strtol(text, &end, 10);
    return end != text && !*end && *out >= 0 && *out <= max;
}

int rows_main(const struct task *t, int argc, char **argv) {
    long pretrain = t->pretrain, seed = 1;
    if (argc < 2 || argc > 4 || (argc > 2 && !parse_count(argv[2], 1000000, &pretrain)) ||
        (argc > 3 && !parse_count(argv[3], 1000000000, &seed))) {
        fprintf(stderr, "usage: %s FOLDER [PRETRAIN_ROWS (at most 1,000,000) [SEED]]\n", t->name);
        return 2;
    }
    const long formulas = t->formulas && t->formulas < pretrain ? t->formulas : pretrain;
    struct err e = {0};
    struct stream s = {.task = t, .seed = (uint64_t)seed};
    s.seen.size = 2 * (size_t)(t->heldout + t->train + pretrain + formulas) + 1;
    s.seen.text = mem_alloc(s.seen.size, sizeof *s.seen.text, "table of prompts", &e);
    const bool ok = s.seen.text && write_files(&s, argv[1], pretrain, formulas, &e);
    if (!ok) fprintf(stderr, "%s: %s\n", t->name, e.msg);
    for (size_t i = 0; s.seen.text && i < s.seen.size; i++) free(s.seen.text[i]);
    mem_free(s.seen.text);
    return ok ? 0 : 1;
}
