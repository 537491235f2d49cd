/* Writes the arithmetic sample data: word problems with a worked chain and an answer that can be checked. Usage and
 * files are those of rows.h; formulas.jsonl holds sums without words ("84 - 48 - 3").
 *
 * The wording is a table: a scene gives ways to open, to add, to take away, to join two events and to ask. Verbs,
 * names and things are few and short on purpose, so that a vocabulary of some 600 tokens holds each as one token. */
#include "sample_data/rows.h"

enum { MAX_WAYS = 6, NUMBER_MIN = 2, NUMBER_MAX = 99, RESULT_MAX = 198 };

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

#define THINGS                                                                                                         \
    {"apples", 0, 0}, {"pears", 0, 0}, {"plums", 0, 0}, {"nuts", 0, 0}, {"eggs", 0, 0}, {"pens", 0, 0},                \
        {"shells", 0, 0}, {"stones", 0, 0}, {"toys", 0, 0}, {                                                          \
        "cards", 0, 0                                                                                                  \
    }

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

/* One problem: what fills the placeholders, and the solution. */
struct problem {
    struct people who;
    struct noun noun;
    int number[3], first, result; /* first: after the first operation */
    int operations;
    const char *event[2];
    int telling; /* the event that {n} belongs to */
};

static struct noun choose_noun(struct choices *c, const struct noun nouns[12]) {
    int n = 0;
    while (n < 12 && (nouns[n].things || nouns[n].place)) n++;
    return nouns[choose(c, n > 0 ? n : 1)];
}

/* Numbers that keep every intermediate result between 0 and RESULT_MAX; redrawn until they do. */
static void choose_numbers(struct choices *c, struct problem *p) {
    p->operations = choose(c, OPERATIONS);
    do {
        for (int i = 0; i < 3; i++) p->number[i] = choose_between(c, NUMBER_MIN, NUMBER_MAX);
        p->first = p->number[0] + (p->operations & 2 ? -p->number[1] : p->number[1]);
        p->result = p->first + (p->operations & 1 ? -p->number[2] : p->number[2]);
    } while (p->first < 0 || p->result < 0 || p->result > RESULT_MAX);
}

static bool fill(struct strbuf *out, char key, void *ctx) {
    struct problem *p = ctx;
    switch (key) {
    case 'N': strbuf_puts(out, p->who.name); return true;
    case 'M': strbuf_puts(out, p->who.other); return true;
    case 'S': strbuf_puts(out, p->who.She); return true;
    case 's': strbuf_puts(out, p->who.she); return true;
    case 'o': strbuf_puts(out, p->noun.things); return true;
    case 'w': strbuf_puts(out, p->noun.where); return true;
    case 'v': strbuf_puts(out, p->noun.place); return true;
    case 'a':
    case 'b':
    case 'c': strbuf_printf(out, "%d", p->number[key - 'a']); return true;
    case 'n': strbuf_printf(out, "%d", p->number[p->telling + 1]); return true;
    case '1':
    case '2':
        p->telling = key - '1';
        expand(out, p->event[p->telling], fill, p);
        return true;
    default: return false;
    }
}

static void tell_scene(struct strbuf *out, struct problem *p, const struct scene *s, struct choices *c) {
    p->noun = choose_noun(c, s->nouns);
    p->event[0] = choose_text(c, p->operations & 2 ? s->minus : s->plus, MAX_WAYS);
    do p->event[1] = choose_text(c, p->operations & 1 ? s->minus : s->plus, MAX_WAYS);
    while (p->event[1] == p->event[0]); /* "buys 3 more and buys 5 more" reads badly */
    expand(out, choose_text(c, s->open, MAX_WAYS), fill, p);
    expand(out, choose_text(c, s->join, MAX_WAYS), fill, p);
    expand(out, choose_text(c, s->ask, MAX_WAYS), fill, p);
}

static void make_problem(struct choices *c, struct row *r) {
    struct problem p = {0};
    choose_numbers(c, &p);
    p.who = choose_people(c);
    const int k = choose(c, N_SCENES + N_PLAINS);
    if (k < N_SCENES) {
        tell_scene(&r->prompt, &p, &scenes[k], c);
    } else {
        const struct plain *plain = &plains[k - N_SCENES];
        p.noun = choose_noun(c, plain->nouns);
        expand(&r->prompt, plain->text[p.operations], fill, &p);
    }
    const char first = p.operations & 2 ? '-' : '+', second = p.operations & 1 ? '-' : '+';
    strbuf_printf(&r->formula, "%d %c %d %c %d", p.number[0], first, p.number[1], second, p.number[2]);
    strbuf_printf(&r->chain, "%d %c %d = %d. %d %c %d = %d. The answer is %d.", p.number[0], first, p.number[1],
                  p.first, p.first, second, p.number[2], p.result, p.result);
    strbuf_printf(&r->answer, "%d", p.result);
}

int main(int argc, char **argv) {
    return rows_main(
        &(struct task){
            .name = "make_arithmetic", .make = make_problem, .heldout = 500, .train = 6400, .pretrain = 60000},
        argc, argv);
}
