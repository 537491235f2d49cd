/* Writes the arithmetic sample data: word problems with a worked chain and an answer that can be checked.
 *
 *     make_arithmetic FOLDER [PRETRAIN_ROWS [SEED]]
 *
 * FOLDER/heldout.jsonl   500 rows   {"prompt","answer"}     for measuring only
 * FOLDER/train.jsonl     6,400 rows {"prompt","answer"}     prompts of the game
 * FOLDER/pretrain.jsonl  PRETRAIN_ROWS {"prompt","response"} true chains, from which a teacher model is trained
 * FOLDER/formulas.jsonl  PRETRAIN_ROWS {"prompt","response"} sums without words ("84 - 48 - 3"), from which a base model
 *                        learns to calculate before it learns to read from teacher outputs
 *
 * Row i depends on SEED and i alone and the files are consecutive stretches of one stream from which repeated prompts
 * are dropped, so no prompt is in two files and more pre-training rows leave the first two files as they are.
 *
 * The wording is a table: a scene gives ways to open, to add, to take away, to join two events and to ask. Verbs,
 * names and things are few and short on purpose, so that a vocabulary of some 600 tokens holds each as one token. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/err.h"
#include "engine/base/file.h"
#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/base/strbuf.h"

enum { MAX_WAYS = 6, HELDOUT_ROWS = 500, TRAIN_ROWS = 6400, NUMBER_MIN = 2, NUMBER_MAX = 99, RESULT_MAX = 198 };

/* The four pairs of operations, as indices of plain.text: bit 1 says that the first is a minus, bit 0 the second. */
enum { PLUS_PLUS, PLUS_MINUS, MINUS_PLUS, MINUS_MINUS, OPERATIONS };

/* Placeholders: {N} the person, {S} {s} She/she or He/he for that person, {M} a second person of the other sex (so that
 * she and he stay clear), {o} things in the plural, {w} a preposition, {v} a place or vehicle, {a} {b} {c} the three
 * numbers, {1} {2} the two events; inside an event {n} is its number. */
struct noun {
    const char *things, *where, *place;
};

/* Told as opening, two events, question. A list ends at the first NULL. */
struct scene {
    struct noun nouns[12];
    const char *open[MAX_WAYS], *plus[MAX_WAYS], *minus[MAX_WAYS], *join[MAX_WAYS], *ask[MAX_WAYS];
};

/* Told in one piece, one text for each pair of operations. */
struct plain {
    struct noun nouns[12];
    const char *text[OPERATIONS];
};

#define THINGS {"apples", 0, 0}, {"pears", 0, 0}, {"plums", 0, 0}, {"nuts", 0, 0}, {"eggs", 0, 0}, \
               {"pens", 0, 0}, {"shells", 0, 0}, {"stones", 0, 0}, {"toys", 0, 0}, {"cards", 0, 0}

static const struct scene scenes[] = {
    {/* somebody's things */
     .nouns = {THINGS},
     .open = {"{N} has {a} {o}. ", "{N} has {a} {o} in a box. ", "{N} starts with {a} {o}. "},
     .plus = {"buys {n} more", "finds {n} more", "gets {n} from {M}"},
     .minus = {"gives {n} away", "loses {n}", "gives {n} to {M}", "sells {n}"},
     .join = {"{S} {1} and {2}. ", "First {s} {1}, then {s} {2}. ", "{S} {1}. Then {s} {2}. ",
              "On Monday {s} {1}. On Sunday {s} {2}. "},
     .ask = {"How many has {s} now?", "How many {o} does {s} have now?", "How many {o} does {N} have in the end?"}},
    {/* the question comes first */
     .nouns = {THINGS},
     .open = {""},
     .plus = {"buys {n}", "finds {n}", "gets {n} from {M}"},
     .minus = {"gives {n} away", "loses {n}", "sells {n}"},
     .join = {""},
     .ask = {"How many {o} does {N} have if {s} starts with {a}, {1} and {2}?",
             "{N} starts with {a} {o}. How many has {s} in the end if {s} {1} and {2}?"}},
    {/* passengers */
     .nouns = {{0, 0, "bus"}, {0, 0, "train"}, {0, 0, "boat"}},
     .open = {"There are {a} people on a {v}. ", "A {v} has {a} people on it. ", "A {v} starts with {a} people. "},
     .plus = {"{n} get on", "{n} more get on"},
     .minus = {"{n} get off", "{n} people get off"},
     .join = {"At the first stop {1}. At the next stop {2}. ", "First {1}, then {2}. ",
              "At the next stop {1}. Then {2}. "},
     .ask = {"How many people are on the {v} now?", "How many are on the {v} now?"}},
    {/* games */
     .nouns = {{"marbles", 0, 0}, {"cards", 0, 0}, {"points", 0, 0}},
     .open = {"{N} starts a game with {a} {o}. ", "{N} plays a game and has {a} {o}. "},
     .plus = {"wins {n}", "gets {n} more"},
     .minus = {"loses {n}", "gives {n} back"},
     .join = {"{S} {1} and {2}. ", "In the first game {s} {1}. In the next game {s} {2}. ",
              "First {s} {1}, then {s} {2}. "},
     .ask = {"How many {o} does {s} have in the end?", "How many has {s} now?"}},
    {/* books to lend */
     .nouns = {{"books", 0, "school"}, {"books", 0, "club"}, {"games", 0, "club"}},
     .open = {"A {v} has {a} {o} to lend. ", "There are {a} {o} to lend in a {v}. "},
     .plus = {"{n} come back", "{n} new ones come in"},
     .minus = {"{n} are lent", "{n} go out"},
     .join = {"On Monday {1}. On Sunday {2}. ", "First {1}, then {2}. ", "On Monday {1} and {2}. "},
     .ask = {"How many {o} are there now?", "How many {o} has the {v} now?"}},
    {/* coins saved */
     .nouns = {{"coins", 0, 0}},
     .open = {"{N} has {a} coins. ", "{N} saves coins and has {a}. ", "{N} has saved {a} coins. "},
     .plus = {"saves {n} more", "gets {n} from {M}", "finds {n} more"},
     .minus = {"gives {n} to {M}", "spends {n}", "spends {n} on a book"},
     .join = {"{S} {1} and {2}. ", "First {s} {1}, then {s} {2}. ", "On Monday {s} {1}. On Sunday {s} {2}. ",
              "{S} {1}. Then {s} {2}. "},
     .ask = {"How many coins has {s} now?", "How many coins does {N} have now?"}},
    {/* a shop */
     .nouns = {{"cakes", 0, 0}, {"pens", 0, 0}, {"cups", 0, 0}, {"toys", 0, 0}},
     .open = {"A shop has {a} {o}. ", "There are {a} {o} in a shop. "},
     .plus = {"makes {n} more", "buys {n} more"},
     .minus = {"sells {n}", "gives {n} away"},
     .join = {"It {1} and {2}. ", "On Monday it {1}. On Sunday it {2}. ", "First it {1}, then it {2}. "},
     .ask = {"How many {o} has the shop now?", "How many {o} are in the shop now?"}},
    {/* animals */
     .nouns = {{"birds", "in", "tree"}, {"ducks", "on", "lake"}, {"cows", "in", "field"}, {"birds", "on", "lake"}},
     .open = {"There are {a} {o} {w} a {v}. ", "{N} sees {a} {o} {w} a {v}. "},
     .plus = {"{n} more come", "{n} come back"},
     .minus = {"{n} go away", "{n} leave"},
     .join = {"First {1}, then {2}. ", "At noon {1}. At night {2}. ", "Then {1} and {2}. "},
     .ask = {"How many {o} are {w} the {v} now?", "How many are there now?"}},
};

static const struct plain plains[] = {
    {/* pages */
     .nouns = {{0, 0, 0}},
     .text = {"{N} reads {a} pages on Monday, {b} at noon on Sunday and {c} at night. "
              "How many pages does {s} read in all?",
              "{N} has {a} pages to read and gets {b} more. {S} reads {c}. How many pages are left?",
              "{N} has {a} pages to read. {S} reads {b} and then gets {c} more. How many pages are left?",
              "A book has {a} pages. {N} reads {b} on Monday and {c} on Sunday. How many pages are left?"}},
    {/* two people */
     .nouns = {THINGS},
     .text = {"{N} has {a} {o} and {M} has {b}. They buy {c} more. How many have they now?",
              "{N} has {a} {o} and {M} has {b}. They give {c} away. How many have they now?",
              "{N} has {a} {o}. {M} takes {b} and then gives {c} back. How many has {N} now?",
              "{N} has {a} {o}. {M} takes {b} and then {c} more. How many are left?"}},
    {/* two colours */
     .nouns = {THINGS},
     .text = {"A box has {a} red {o}, {b} blue ones and {c} green ones in it. How many {o} are there in all?",
              "There are {a} red {o} and {b} blue ones in a box. {N} takes {c} out. How many {o} are left?",
              "There are {a} {o} in a box. {N} takes {b} out and {M} puts {c} in. How many {o} are there now?",
              "There are {a} {o} in a box. {N} takes {b} out and {M} takes {c}. How many {o} are left?"}},
};

enum { N_SCENES = sizeof scenes / sizeof *scenes, N_PLAINS = sizeof plains / sizeof *plains };

static const char *const women[] = {"Mia", "Eva", "Ana", "Zoe", "Amy", "Ida", "Lea", "Pam"};
static const char *const men[] = {"Tom", "Ben", "Leo", "Max", "Dan", "Jim", "Ned", "Sam"};
enum { N_NAMES = sizeof women / sizeof *women };
_Static_assert(sizeof women == sizeof men, "as many women as men");

/* One problem: what fills the placeholders, and the solution. */
struct problem {
    const char *name, *other, *she, *She;
    struct noun noun;
    int number[3], first, result; /* first: after the first operation */
    int operations;
    const char *event[2];
};

/* A stream of choices for one row: the k-th choice of row i is a function of (seed, i, k). */
struct choices {
    uint64_t seed, row, k;
};

static int choose(struct choices *c, int n) {
    return (int)rng_below((uint64_t)n, c->seed, RNG_DATA, c->row, c->k++);
}

static const char *choose_way(struct choices *c, const char *const *ways) {
    int n = 0;
    while (n < MAX_WAYS && ways[n]) n++;
    return ways[choose(c, n)];
}

static struct noun choose_noun(struct choices *c, const struct noun nouns[12]) {
    int n = 0;
    while (n < 12 && (nouns[n].things || nouns[n].place)) n++;
    return nouns[choose(c, n > 0 ? n : 1)];
}

/* Numbers that keep every intermediate result between 0 and RESULT_MAX; redrawn until they do. */
static void choose_numbers(struct choices *c, struct problem *p) {
    p->operations = choose(c, OPERATIONS);
    do {
        for (int i = 0; i < 3; i++) p->number[i] = NUMBER_MIN + choose(c, NUMBER_MAX - NUMBER_MIN + 1);
        p->first = p->number[0] + (p->operations & 2 ? -p->number[1] : p->number[1]);
        p->result = p->first + (p->operations & 1 ? -p->number[2] : p->number[2]);
    } while (p->first < 0 || p->result < 0 || p->result > RESULT_MAX);
}

static void choose_people(struct choices *c, struct problem *p) {
    const char *woman = women[choose(c, N_NAMES)], *man = men[choose(c, N_NAMES)];
    bool she = choose(c, 2) == 0;
    p->name = she ? woman : man;
    p->other = she ? man : woman;
    p->she = she ? "she" : "he";
    p->She = she ? "She" : "He";
}

/* Add the text with its placeholders filled; event is the index of the event that {n} belongs to. */
static void expand(struct strbuf *out, const struct problem *p, const char *text, int event) {
    for (const char *t = text; *t; t++) {
        if (*t != '{') {
            strbuf_putc(out, *t);
            continue;
        }
        char key = t[1];
        t += 2; /* now at the closing brace */
        switch (key) {
        case 'N': strbuf_puts(out, p->name); break;
        case 'M': strbuf_puts(out, p->other); break;
        case 'S': strbuf_puts(out, p->She); break;
        case 's': strbuf_puts(out, p->she); break;
        case 'o': strbuf_puts(out, p->noun.things); break;
        case 'w': strbuf_puts(out, p->noun.where); break;
        case 'v': strbuf_puts(out, p->noun.place); break;
        case 'a': case 'b': case 'c': strbuf_printf(out, "%d", p->number[key - 'a']); break;
        case 'n': strbuf_printf(out, "%d", p->number[event + 1]); break;
        case '1': case '2': expand(out, p, p->event[key - '1'], key - '1'); break;
        default: fprintf(stderr, "make_arithmetic: unknown placeholder in: %s\n", text); abort();
        }
    }
}

static void tell_scene(struct strbuf *out, struct problem *p, const struct scene *s, struct choices *c) {
    p->noun = choose_noun(c, s->nouns);
    p->event[0] = choose_way(c, p->operations & 2 ? s->minus : s->plus);
    do p->event[1] = choose_way(c, p->operations & 1 ? s->minus : s->plus);
    while (p->event[1] == p->event[0]); /* "buys 3 more and buys 5 more" reads badly */
    expand(out, p, choose_way(c, s->open), 0);
    expand(out, p, choose_way(c, s->join), 0);
    expand(out, p, choose_way(c, s->ask), 0);
}

static void make_problem(struct strbuf *out, struct problem *p, uint64_t seed, uint64_t row) {
    struct choices c = {.seed = seed, .row = row};
    choose_numbers(&c, p);
    choose_people(&c, p);
    int k = choose(&c, N_SCENES + N_PLAINS);
    if (k < N_SCENES) {
        tell_scene(out, p, &scenes[k], &c);
    } else {
        const struct plain *plain = &plains[k - N_SCENES];
        p->noun = choose_noun(&c, plain->nouns);
        expand(out, p, plain->text[p->operations], 0);
    }
}

/* The same problem without words. */
static void make_formula(struct strbuf *out, const struct problem *p) {
    strbuf_clear(out);
    strbuf_printf(out, "%d %c %d %c %d", p->number[0], p->operations & 2 ? '-' : '+', p->number[1],
                  p->operations & 1 ? '-' : '+', p->number[2]);
}

static void write_chain(FILE *f, const struct problem *p) {
    fprintf(f, "%d %c %d = %d. %d %c %d = %d. The answer is %d.", p->number[0], p->operations & 2 ? '-' : '+',
            p->number[1], p->first, p->first, p->operations & 1 ? '-' : '+', p->number[2], p->result, p->result);
}

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
    uint64_t seed, row;
    struct seen seen;
};

enum row_kind { ROW_QUESTION, ROW_CHAIN, ROW_FORMULA };

/* The next rows of the stream into FOLDER/name. Texts hold letters, digits and plain punctuation: no JSON escapes. */
static bool write_rows(struct stream *s, const char *folder, const char *name, long rows, enum row_kind kind, struct err *e) {
    struct strbuf path = {0};
    strbuf_printf(&path, "%s/%s", folder, name);
    struct atomic_file a;
    bool ok = atomic_begin(&a, strbuf_str(&path), e);
    strbuf_free(&path);
    if (!ok) return false;
    for (long n = 0; n < rows; s->row++) {
        struct problem p = {0};
        struct strbuf prompt = {0};
        make_problem(&prompt, &p, s->seed, s->row);
        if (kind == ROW_FORMULA) make_formula(&prompt, &p);
        char *text = strbuf_take(&prompt);
        if (!seen_add(&s->seen, text)) {
            free(text);
            continue;
        }
        fprintf(a.f, "{\"prompt\":\"%s\",\"%s\":\"", text, kind == ROW_QUESTION ? "answer" : "response");
        if (kind == ROW_QUESTION)
            fprintf(a.f, "%d", p.result);
        else
            write_chain(a.f, &p);
        fputs("\"}\n", a.f);
        n++;
    }
    if (atomic_commit(&a, e)) return true;
    atomic_abort(&a);
    return false;
}

static bool parse_count(const char *text, long max, long *out) {
    char *end;
    *out = strtol(text, &end, 10);
    return end != text && !*end && *out >= 0 && *out <= max;
}

int main(int argc, char **argv) {
    long pretrain = 40000, seed = 1;
    if (argc < 2 || argc > 4 || (argc > 2 && !parse_count(argv[2], 1000000, &pretrain)) ||
        (argc > 3 && !parse_count(argv[3], 1000000000, &seed))) {
        fprintf(stderr, "usage: make_arithmetic FOLDER [PRETRAIN_ROWS (at most 1,000,000) [SEED]]\n");
        return 2;
    }
    struct err e = {0};
    struct stream s = {.seed = (uint64_t)seed};
    s.seen.size = 2 * (size_t)(HELDOUT_ROWS + TRAIN_ROWS + 2 * pretrain) + 1;
    s.seen.text = mem_alloc(s.seen.size, sizeof *s.seen.text, "table of prompts", &e);
    bool ok = s.seen.text && dir_make(argv[1], &e) &&
              write_rows(&s, argv[1], "heldout.jsonl", HELDOUT_ROWS, ROW_QUESTION, &e) &&
              write_rows(&s, argv[1], "train.jsonl", TRAIN_ROWS, ROW_QUESTION, &e) &&
              (pretrain == 0 || (write_rows(&s, argv[1], "pretrain.jsonl", pretrain, ROW_CHAIN, &e) &&
                                 write_rows(&s, argv[1], "formulas.jsonl", pretrain, ROW_FORMULA, &e)));
    if (!ok) fprintf(stderr, "make_arithmetic: %s\n", e.msg);
    for (size_t i = 0; s.seen.text && i < s.seen.size; i++) free(s.seen.text[i]);
    mem_free(s.seen.text);
    return ok ? 0 : 1;
}
